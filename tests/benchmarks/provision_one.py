"""Time from a blank virtual board to an accepted node: real esptool, real mpremote, the line held to its speed.

The image is a stand-in of 1.5 MB with the entropy of code (short form: 300 kB); the loader's line is held to 460,800
baud and the REPL's to 115,200.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from device_manager import app
from provisioning import runner
from tests.benchmarks.row import Row
from tests.provisioning.bench import make_bench, make_settings, order, workshop

FULL_BYTES, SHORT_BYTES = 1_500_000, 300_000


def provision_s(boards: int, app_bytes: int) -> float:
    """Return the seconds in which so many boards become accepted nodes at once."""
    with tempfile.TemporaryDirectory() as folder:
        settings = make_settings(Path(folder), app_bytes)
        with app.Manager(settings), make_bench(settings, boards) as bench, workshop(settings, 120) as shop:
            began_s = time.monotonic()
            outcomes = runner.provision_all(bench.ports, order(), shop, lambda *_: None)
            took_s = time.monotonic() - began_s
        failed = [outcome.error for outcome in outcomes if outcome.error]
        if failed:
            raise RuntimeError("; ".join(failed))
    return took_s


def run(short: bool) -> list[Row]:
    """Measure one board."""
    size = SHORT_BYTES if short else FULL_BYTES
    return [Row("provision_one", provision_s(1, size), "s", form=f"image of {size // 1000} kB")]
