"""Cut the power at every flash operation of a complete update, there and back; and kill virtual nodes in updates.

First on a model of NOR flash with LittleFS: each operation not done, torn in two ways, done; every start afterwards
must run an intact slot, and the node must end on the new release, or on the old one when its trial ends badly. Then SIGKILL at random moments of updates of real
virtual nodes under a real manager: 1,000 updates, 50 in the short form; every node ends on the old or the new release,
running and reporting.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from device_manager.releases import bundles
from tests.benchmarks.row import Row, at_most
from tests.benchmarks.tools import HERE
from tests.conftest import find_micropython, micropython_path
from tests.fakes.small_release import SmallRelease
from tests.fleet.killing import kill_in_updates

UPDATES, SHORT_UPDATES = 1000, 50
NODES = 25


def run(short: bool) -> list[Row]:
    """Return the cuts with their outcomes, and what became of the nodes that were killed."""
    rows = [_cuts(direction, found, short) for direction, found in cut_update(4 if short else 1).items()]
    with tempfile.TemporaryDirectory() as folder:
        killed = kill_in_updates(Path(folder), NODES, (SHORT_UPDATES if short else UPDATES) // NODES)
    beside = f"{killed.kills} kills; {killed.new} updates ended on the new release, {killed.old} on the old"
    form = f"{killed.updates} updates"
    return [
        *rows,
        at_most(
            "power_cut_update, nodes that do not run and report afterwards", killed.silent, "nodes", 0, beside, form
        ),
    ]


def cut_update(every: int) -> dict[str, dict[str, int]]:
    """Cut at every `every`th operation; return counts by what becomes of the update."""
    with tempfile.TemporaryDirectory() as name:
        folder, small = Path(name), SmallRelease(Path(name))
        small.write()
        (folder / "back").write_bytes(bundles.make(small.old, small.new))
        paths = [str(path.relative_to(folder)) for path in sorted((folder / "a").rglob("*")) if path.is_file()]
        (folder / "files.json").write_text(json.dumps(paths))
        script = HERE / "on_micropython" / "cut_update.py"
        done = subprocess.run(
            [find_micropython(), "-X", "heapsize=64m", str(script), str(every)],
            cwd=folder, env={"MICROPYPATH": micropython_path()}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    found: dict[str, dict[str, int]] = json.loads(done.stdout)
    return found


def _cuts(direction: str, found: dict[str, int], short: bool) -> Row:
    beside = (
        f"{found['cuts']} cuts at {found['operations']} operations; first start on the old release {found['old']}, "
        f"on the new {found['new']}"
    )
    form = "every fourth operation" if short else "every operation"
    return at_most(f"power_cut_update, {direction}, lost", found["lost"], "nodes", 0, beside, form)
