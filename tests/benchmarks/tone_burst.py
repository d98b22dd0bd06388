"""LAFmax of 4 kHz tone bursts against 10 lg(1 - exp(-T / 125 ms)) below the steady tone, on the meter's own code.

Every burst also begins a quarter, a half and three quarters of a block of 5 ms later; the worst is reported.
"""

from __future__ import annotations

import math

import numpy as np

from tests.benchmarks.row import Row, at_most
from tests.sound.node import measure, sine

DURATIONS_MS = (1000, 500, 200, 100, 50, 20, 10)
SHIFTS_MS = (0.0, 1.25, 2.5, 3.75)
RATE_HZ, HZ, BEGIN_S, WHOLE_S = 32000, 4000.0, 0.75, 2.0


def errors_db(level_db: float) -> dict[int, float]:
    """Error of LAFmax in dB for every duration, of the worst begin."""
    steady = sine(HZ, level_db, WHOLE_S, RATE_HZ)
    bursts = []
    for duration in DURATIONS_MS:
        for shift in SHIFTS_MS:
            first = round((BEGIN_S + shift / 1000) * RATE_HZ)
            burst = np.zeros_like(steady)
            burst[first : first + round(duration * RATE_HZ / 1000)] = steady[: round(duration * RATE_HZ / 1000)]
            bursts.append(burst)
    laf_steady, *taken = [takes[0]["lafmax"] / 10 for takes in measure([steady, *bursts], take_s=WHOLE_S)]
    worst = {}
    for i, duration in enumerate(DURATIONS_MS):
        expected = 10 * math.log10(1 - math.exp(-duration / 125))
        found = taken[i * len(SHIFTS_MS) : (i + 1) * len(SHIFTS_MS)]
        worst[duration] = max((level - laf_steady - expected for level in found), key=abs)
    return worst


def run(short: bool) -> list[Row]:
    """Return the largest error at a loud and a quiet level."""
    rows = []
    for level_db in (100.0,) if short else (100.0, 65.0):
        errors = errors_db(level_db)
        beside = ", ".join(f"{duration} ms {error:+.2f}" for duration, error in errors.items())
        largest = max(map(abs, errors.values()))
        form = "without 65 dB" if short else "full"
        rows.append(at_most(f"tone_burst, LAFmax, {level_db:g} dB", largest, "dB", 0.3, beside, form))
    return rows
