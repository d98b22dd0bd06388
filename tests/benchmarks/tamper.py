"""Flip every single byte of root, offer, bundle, and of every file and listing of a slot: none may be taken.

On real MicroPython, with the node's own code. Short form: every seventh byte. What else is refused, with its reason, is
in tests/firmware/test_update_refused.py.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from tests.benchmarks.row import Row, at_most
from tests.benchmarks.tools import HERE
from tests.conftest import find_micropython, micropython_path
from tests.fakes.small_release import SmallRelease


def run(short: bool) -> list[Row]:
    """Return for each thing how many flips were tried and how many got through."""
    step = 7 if short else 1
    with tempfile.TemporaryDirectory() as folder:
        SmallRelease(Path(folder)).write()
        script = HERE / "on_micropython" / "tamper.py"
        done = subprocess.run(
            [find_micropython(), "-X", "heapsize=4m", str(script), str(step)],
            cwd=folder, env={"MICROPYPATH": micropython_path()}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    form = f"every {step}th byte" if short else "every byte"
    found = json.loads(done.stdout)
    return [_row(what, *counts, form) for what, counts in sorted(found.items())]


def _row(what: str, tried: int, refused: int, harmless: int, reasons: list[str], form: str) -> Row:
    """`harmless`: not refused, and every file came out as it was signed."""
    same = f", {harmless} of them gave the signed files all the same" if harmless else ""
    some = "; ".join(reasons[:: max(1, len(reasons) // 4)][:4])
    beside = f"{tried} flips{same}; {len(reasons)} different reasons, beginning: {some}"
    return at_most(f"tamper, {what}, taken", tried - refused - harmless, "flips", 0, beside, form)
