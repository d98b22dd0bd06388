"""What the meter reads for tones of known level, on its own code: 94.0 dB, and 40 to 115 dB.

The digital chain only: no microphone noise is added, which would lift 40 dB by 0.3 dB (ICS-43434).
"""

from __future__ import annotations

from tests.benchmarks.row import Row, at_most
from tests.sound.node import measure, sine

LEVELS_DB = (94, *range(40, 116, 5))
A_DB = {1000.0: 0.0, 3981.07: 1.0}


def errors_db(hz: float, rate_hz: int, equaliser: str) -> dict[int, float]:
    """What is read too much at every level, in dB; equalisers are 0 dB at these frequencies but for their fit."""
    taken = measure([sine(hz, level, 1.5, rate_hz) for level in LEVELS_DB], equaliser, rate_hz)
    pairs = zip(LEVELS_DB, taken, strict=True)
    return {level: takes[0]["laeq_db"] - level - A_DB[hz] for level, takes in pairs}


def run(short: bool) -> list[Row]:
    """Return the error at 94 dB and the largest error from 40 to 115 dB."""
    rows = []
    for rate_hz, hz, equaliser in ((32000, 1000.0, "flat"), (32000, 1000.0, "ics43434"), (48000, 3981.07, "flat")):
        errors = errors_db(hz, rate_hz, equaliser)
        title = f"level_linearity, {equaliser}, {rate_hz // 1000} kHz, {hz:.0f} Hz"
        if hz == 1000.0:
            read = 94 + errors[94]
            rows.append(at_most(f"{title}, 94.0 dB", abs(errors[94]), "dB", 0.1, f"reads {read:.2f} dB"))
        beside = f"40 dB {errors[40]:+.3f}, 115 dB {errors[115]:+.3f}"
        rows.append(at_most(f"{title}, 40-115 dB", max(map(abs, errors.values())), "dB", 0.3, beside))
    return rows
