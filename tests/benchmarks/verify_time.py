"""How long a node's check of a signed root takes, on MicroPython's unix port on this machine; no chip was measured."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from tests.benchmarks.row import Row, at_most
from tests.benchmarks.tools import HERE
from tests.conftest import find_micropython, micropython_path
from tests.fakes.small_release import SmallRelease

MOST_MS = 5


def run(short: bool) -> list[Row]:
    """Return the shortest of a hundred checks of a root by the second of two keys, other schemes beside it."""
    with tempfile.TemporaryDirectory() as folder:
        SmallRelease(Path(folder)).write()
        script = HERE / "on_micropython" / "verify.py"
        done = subprocess.run(
            [find_micropython(), "-X", "heapsize=1m", str(script), "check"],
            cwd=folder, env={"MICROPYPATH": micropython_path()}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    found = json.loads(done.stdout)
    beside = f"P-256 in pure Python {found['p256']:.1f} ms, Ed25519 {found['ed25519']:.1f} ms; unix port"
    return [at_most("verify_time, signed root, two keys tried", found["root"], "ms", MOST_MS, beside)]
