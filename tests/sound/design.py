"""Design the integer filters of the sound level meter: `python -m tests.sound.design`.

Writes firmware/sensing/sound/filters.py (half a minute; another release of scipy may end a single step elsewhere). For
every microphone and sample rate:

1. The four poles of A weighting at the low end become the poles of the four one-pole high-pass sections,
   k = 1 - exp(-2 pi f / rate), exactly; rounded to the kernel's scales.
2. What is left of A weighting at the high end, divided by the microphone's response, is fitted by the biquad; what is
   left at the low end by the two gain factors m (each moves a zero from 0 Hz to about m times its section's pole, which
   is where the microphone's own roll-off has a pole). Least squares in dB over the table's frequencies, 20 Hz to
   0.4 of the sample rate; outside of it with little weight.
3. Coefficients are rounded to 1/512, then moved by single steps while that makes the worst error smaller, as a share
   of the class 1 limit.
4. What is left at 1 kHz (0.01 dB) is written beside the coefficients and added to every level.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from tests.sound.standard import MICROPHONES, POLES_HZ, TABLE_3, analog_a_db

TARGET = Path(__file__).parents[2] / "firmware" / "sensing" / "sound" / "filters.py"
RATES_HZ = (32000, 48000)
SCALE = 512  # of b, a and m
POLE_LEAST, POLE_MOST = -0.4, 0.8  # of the biquad: stable after rounding, and no ringing that asks for large states
K_SCALES = (1 << 16, 1 << 16, 1 << 14, 1 << 11)  # of k: the state's 256 times the kernel's shift
HZ = np.array([line.exact_hz for line in TABLE_3])
NAMES = tuple(MICROPHONES)
Floats = NDArray[np.float64]


def k_of(rate_hz: int) -> Floats:
    """The four low-pass factors, rounded as the kernel keeps them."""
    poles = (POLES_HZ[0], *POLES_HZ[:3])
    exact = [1 - math.exp(-2 * math.pi * pole / rate_hz) for pole in poles]
    whole = [round(k * scale) for k, scale in zip(exact, K_SCALES, strict=True)]
    return np.array(whole) / np.array(K_SCALES)


def response_db(parameters: Floats, rate_hz: int, hz: Floats) -> Floats:
    """Gain in dB of the kernel's structure; parameters b0 b1 b2 a1 a2 m3 m4, not scaled."""
    b0, b1, b2, a1, a2, m3, m4 = parameters
    z = np.exp(-2j * np.pi * hz / rate_hz)
    gain = (b0 + b1 * z + b2 * z * z) / (1 + a1 * z + a2 * z * z)
    for k, m in zip(k_of(rate_hz), (0.0, 0.0, m3, m4), strict=True):
        gain = gain * (1 - (1 - m) * k * z / (1 - (1 - k) * z))
    return np.asarray(20 * np.log10(np.abs(gain)))


def goal_db(name: str) -> Floats:
    """A weighting less the microphone's response; not a number where the response is not known."""
    a = np.array([analog_a_db(hz) for hz in HZ])
    return np.asarray(a - np.array([math.nan if r is None else r for r in MICROPHONES[name]], dtype=float))


def _weights(name: str, rate_hz: int) -> Floats:
    inside = (HZ > 19) & (0.4 * rate_hz > HZ)
    weights = np.where(inside, 1.0, 0.08) * np.where(0.48 * rate_hz < HZ, 0.1, 1.0)
    return np.where((0.499 * rate_hz > HZ) & ~np.isnan(goal_db(name)), weights, 0.0)


def _of_poles(p: Floats) -> Floats:
    """Parameters with a1 a2 from such with the biquad's two poles in their places."""
    return np.array([*p[:3], -(p[3] + p[4]), p[3] * p[4], *p[5:]])


def fit(name: str, rate_hz: int) -> Floats:
    """The best parameters, not yet rounded; the biquad's poles are real and inside of POLE_LEAST..POLE_MOST."""
    goal, weights = np.nan_to_num(goal_db(name)), _weights(name, rate_hz)
    flat = name == "flat"
    best = None
    for m in ((0.2, 0.02), (0.5, 0.05)):
        for b1 in (0.3, -0.1):
            start = np.array([0.5, b1, 0.05, 0.4, -0.2, *m])
            high = [2, 2, 2, POLE_MOST, POLE_MOST, 1e-9 if flat else 0.95, 1e-9 if flat else 0.5]
            low = [0, -2, -2, POLE_LEAST, POLE_LEAST, 0, 0]
            start[5:] = np.minimum(start[5:], np.array(high[5:]) / 2)
            found = least_squares(
                lambda p: weights * (response_db(_of_poles(p), rate_hz, HZ) - goal), start, bounds=(low, high)
            )
            if best is None or found.cost < best.cost:
                best = found
    assert best is not None
    return _of_poles(best.x)


def _badness(whole: Floats, name: str, rate_hz: int) -> float:
    """Worst error as a share of the class 1 limit, and the mean square; infinite for poles outside of the range."""
    poles = np.roots([SCALE, *whole[3:5]])
    if whole[5:].min() < 0 or np.abs(poles).max() > POLE_MOST or poles.real.min() < POLE_LEAST:
        return math.inf
    weights = _weights(name, rate_hz)
    error = (response_db(whole / SCALE, rate_hz, HZ) - np.nan_to_num(goal_db(name)))[weights > 0]
    limits = np.array([min(line.class_1[0], -line.class_1[1]) for line in TABLE_3])[weights > 0]
    error = error - error[HZ[weights > 0] == 1000.0]
    share = weights[weights > 0] * error / limits
    return float(np.max(np.abs(share)) + np.sqrt(np.mean(share**2)))


def rounded(name: str, rate_hz: int) -> Floats:
    """Parameters times SCALE as whole numbers, improved by single steps."""
    whole = np.round(fit(name, rate_hz) * SCALE)
    steps = [d * np.eye(7)[i] for i in range(7 if name != "flat" else 5) for d in (1, -1, 2, -2)]
    steps += [a + b for a in steps for b in steps]
    while True:
        better = min((whole + step for step in steps), key=lambda w: _badness(w, name, rate_hz))
        if _badness(better, name, rate_hz) >= _badness(whole, name, rate_hz) - 1e-9:
            return whole
        whole = better


def correction_cdb(whole: Floats, rate_hz: int) -> int:
    """What to add to a level so that 1 kHz comes out right, in 0.01 dB."""
    return -round(100 * float(response_db(whole / SCALE, rate_hz, np.array([1000.0]))[0]))


def _row(name: str, rate_hz: int) -> str:
    whole = rounded(name, rate_hz)
    ks = [round(k * scale) for k, scale in zip(k_of(rate_hz), K_SCALES, strict=True)]
    b0, b1, b2, a1, a2, m3, m4 = (int(v) for v in whole)
    numbers = ", ".join(map(str, [b0, b1, b2, a1, a2, *ks, m3, m4]))
    return f'    ("{name}", {rate_hz}): ({correction_cdb(whole, rate_hz)}, ({numbers})),\n'


def text() -> str:
    """The generated module."""
    rows = "".join(_row(name, rate) for name in NAMES for rate in RATES_HZ)
    return f'''"""Integer filters of the sound level meter. Generated by tests/sound/design.py, which says how.

FILTERS[equaliser, sample rate in Hz]: (what to add to a level in 0.01 dB, (b0 b1 b2 a1 a2 k1 k2 k3 k4 m3 m4)) with the
scales of `kernels`. EQUALISER_IDS: the number that stands for an equaliser in a node's calibration text; a changed
filter gets a new one.
"""

EQUALISER_IDS = {{{", ".join(f'"{name}": {i + 1}' for i, name in enumerate(NAMES))}}}

FILTERS = {{
{rows}}}
'''


if __name__ == "__main__":
    TARGET.write_text(text(), "utf-8")
