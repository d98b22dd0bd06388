"""IEC 61672-1:2013, Table 3, and the responses of the microphones, as data.

TABLE_3: transcribed as in phonometry 3.3.0 (MIT); its A column agrees with the analytic curve in all 34 rows.
MICROPHONES: how the two data sheets draw their microphones, dB relative to 1 kHz at the same 34 frequencies, read from
"Typical Frequency Response" of InvenSense DS-000069 (ICS-43434) and DS-INMP441-00 (INMP441) by I. Kostoski
(github.com/ikostoski/esp32-i2s-slm, math/ics43434.m and inmp441.m; the readings only). A reading of a curve: 0.5 dB.
None: outside of what the data sheet draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

INF = math.inf


@dataclass(frozen=True, slots=True)
class Line:
    """One frequency: nominal and exact, A weighting in dB, limits of class 1 and class 2 around it (upper, lower)."""

    nominal_hz: float
    exact_hz: float
    a_db: float
    class_1: tuple[float, float]
    class_2: tuple[float, float]


_ROWS = """
-20 10 -70.4 3.0 -inf 5.0 -inf
-19 12.5 -63.4 2.5 -inf 5.0 -inf
-18 16 -56.7 2.0 -4.0 5.0 -inf
-17 20 -50.5 2.0 -2.0 3.0 -3.0
-16 25 -44.7 2.0 -1.5 3.0 -3.0
-15 31.5 -39.4 1.5 -1.5 3.0 -3.0
-14 40 -34.6 1.0 -1.0 2.0 -2.0
-13 50 -30.2 1.0 -1.0 2.0 -2.0
-12 63 -26.2 1.0 -1.0 2.0 -2.0
-11 80 -22.5 1.0 -1.0 2.0 -2.0
-10 100 -19.1 1.0 -1.0 1.5 -1.5
-9 125 -16.1 1.0 -1.0 1.5 -1.5
-8 160 -13.4 1.0 -1.0 1.5 -1.5
-7 200 -10.9 1.0 -1.0 1.5 -1.5
-6 250 -8.6 1.0 -1.0 1.5 -1.5
-5 315 -6.6 1.0 -1.0 1.5 -1.5
-4 400 -4.8 1.0 -1.0 1.5 -1.5
-3 500 -3.2 1.0 -1.0 1.5 -1.5
-2 630 -1.9 1.0 -1.0 1.5 -1.5
-1 800 -0.8 1.0 -1.0 1.5 -1.5
0 1000 0.0 0.7 -0.7 1.0 -1.0
1 1250 0.6 1.0 -1.0 1.5 -1.5
2 1600 1.0 1.0 -1.0 2.0 -2.0
3 2000 1.2 1.0 -1.0 2.0 -2.0
4 2500 1.3 1.0 -1.0 2.5 -2.5
5 3150 1.2 1.0 -1.0 2.5 -2.5
6 4000 1.0 1.0 -1.0 3.0 -3.0
7 5000 0.5 1.5 -1.5 3.5 -3.5
8 6300 -0.1 1.5 -2.0 4.5 -4.5
9 8000 -1.1 1.5 -2.5 5.0 -5.0
10 10000 -2.5 2.0 -3.0 5.0 -inf
11 12500 -4.3 2.0 -5.0 5.0 -inf
12 16000 -6.6 2.5 -16.0 5.0 -inf
13 20000 -9.3 3.0 -inf 5.0 -inf
"""


def _line(row: str) -> Line:
    n, hz, a, up_1, down_1, up_2, down_2 = map(float, row.split())
    return Line(hz, 1000 * 10 ** (n / 10), a, (up_1, down_1), (up_2, down_2))


TABLE_3 = [_line(row) for row in _ROWS.strip().splitlines()]

MICROPHONES: dict[str, list[float | None]] = {
    "flat": [0.0] * 34,
    "ics43434": [
        -26, -22, -17, -13, -10, -8, -6, -4, -2.8, -2.1, -1.8, -1.4, -1.0, -0.5, -0.5, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0.5, 0.6, 1.1, 1.8, 2.5, 3.1, 4.5, 8.0, 14.0,
    ],
    "inmp441": [
        None, None, None, -12, -10, -8, -6, -4.4, -3.4, -2.5, -1.9, -1.4, -0.9, -0.5, -0.2, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, -0.4, -0.7, -1.1, -1.8, -2.4, -3.0, -5.0, None,
    ],
}  # fmt: skip


def analog_a_db(hz: float) -> float:
    """A weighting of IEC 61672-1 from its four pole frequencies (annex E), dB relative to 1 kHz."""
    return _analog_db(hz) - _analog_db(1000.0)


POLES_HZ = (20.598997, 107.65265, 737.86223, 12194.217)


def _analog_db(hz: float) -> float:
    f1, f2, f3, f4 = (pole * pole for pole in POLES_HZ)
    square = hz * hz
    gain = f4 * square * square / ((square + f1) * math.sqrt((square + f2) * (square + f3)) * (square + f4))
    return 20 * math.log10(gain)
