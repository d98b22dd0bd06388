"""Erases that a day of the plaza design costs the outbox, and the years until its flash has had 100,000 each.

The real outbox on MicroPython appends frames of the budget's length (hardware/flash_budget.py) for 30 days at the
default frame of 300 s, releases them as a manager would, idles between them, and is started anew once a day.
"""

from __future__ import annotations

import json

from hardware.catalog import designs
from hardware.flash_budget import BYTES_A_VALUE, FRAME_HEAD_BYTES, SECTOR_BYTES, budget
from tests.benchmarks.row import Row, at_least
from tests.benchmarks.tools import on_micropython

CYCLES = 100_000
RECORDS_A_FRAME = 5  # 300 s of 60 s records
FRAMES_A_DAY = 288


def run(short: bool) -> list[Row]:
    """Return the years of the block that is erased most often."""
    plaza = budget(designs()["plaza"])
    frame = FRAME_HEAD_BYTES + round(plaza.channels * RECORDS_A_FRAME * BYTES_A_VALUE * 1.25)
    blocks = 64  # of the ring that is run: wear is even, so the whole partition is as many times longer
    days = 10 if short else 60
    arguments = (str(blocks), str(frame), str(FRAMES_A_DAY), str(days))
    got = json.loads(on_micropython("on_micropython/wear.py", *arguments))
    erases_a_day = got["erases"] / days
    years = CYCLES * (plaza.outbox_bytes // SECTOR_BYTES) / erases_a_day / 365.25 * got["evenness"]
    beside = (
        f"{erases_a_day:.1f} erases a day for {FRAMES_A_DAY} frames of {frame} bytes and a start a day; most erased "
        f"block {got['most']}, mean {got['mean']:.1f}; {plaza.outbox_bytes // SECTOR_BYTES} blocks; programs once"
    )
    return [at_least("flash_wear, plaza", years, "years at 100,000 cycles", 10, beside, f"{days} days")]
