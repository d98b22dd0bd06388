"""Cut the power at every flash operation of the outbox and of every file that the node keeps.

Each operation of a recorded run is not done, torn (half of its bytes, every other byte) or done; then the node starts:
every record above the watermark must be intact, at most the record being written is gone, none is invented or repeated,
losses are accounted for; a file has its old or its new content. One failure ends the benchmark.
"""

from __future__ import annotations

import json
import subprocess

from tests.benchmarks.row import Row, at_least
from tests.benchmarks.tools import HERE, on_micropython
from tests.conftest import find_micropython, micropython_path

CASES = ("cut_at_every_operation_loses_at_most_the_record_being_written", "cut_at_every_operation_with_erase_ahead")
TWICE = "second_cut_after_the_first_still_accounts_for_everything"
LEAST_CUTS = 500


def run(short: bool) -> list[Row]:
    """Return the number of cuts, all green; the short form leaves out the second cut after the first."""
    outbox = sum(int(_case(name).split()[0]) for name in CASES)
    if not short:
        _case(TWICE)
    files = json.loads(on_micropython("on_micropython/cut_files.py"))
    form = "without second cuts" if short else "full, and a second cut after the first"
    beside = "appends, releases, drops, erase-ahead; not done, torn two ways, done"
    kept = f"node.json, certificate, key, pointer replaced on LittleFS2, {files['operations']} operations"
    return [
        at_least("power_cut_outbox, outbox, all green", outbox, "cuts", LEAST_CUTS, beside, form),
        at_least("power_cut_outbox, kept files, all green", files["cuts"], "cuts", 100, kept),
    ]


def _case(name: str) -> str:
    folder = HERE.parent / "firmware" / "on_node"
    command = [find_micropython(), "-X", "heapsize=8m", str(folder / "outbox_cases.py"), name]
    environment = {"MICROPYPATH": micropython_path([folder])}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout
