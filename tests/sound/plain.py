"""The same quantities in double precision by scipy, from the analog definition; shares no code with the firmware."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import bilinear_zpk, lfilter, resample_poly, sosfilt, zpk2sos

from tests.sound.standard import POLES_HZ

Floats = NDArray[np.float64]
OVERSAMPLING = 8  # the bilinear transform then bends A weighting by less than 0.02 dB below 20 kHz


def a_weighted(signal: Floats, rate_hz: int) -> tuple[Floats, int]:
    """The A-weighted signal and its rate, which is higher than the given one."""
    f1, f2, f3, f4 = (2 * np.pi * pole for pole in POLES_HZ)
    rate = rate_hz * OVERSAMPLING
    poles = [-f1, -f1, -f2, -f3, -f4, -f4]
    jw = 2j * np.pi * 1000
    gain = 1 / abs(jw**4 / np.prod([jw - pole for pole in poles]))
    sos = zpk2sos(*bilinear_zpk(np.zeros(4), poles, gain, rate))
    return np.asarray(sosfilt(sos, resample_poly(signal, OVERSAMPLING, 1))), rate


def levels_db(signal: Floats, rate_hz: int, sensitivity_dbfs: float, from_s: float) -> tuple[float, float]:
    """LAeq and LAFmax of the signal from `from_s` on; the Fast average runs from its begin."""
    weighted, rate = a_weighted(signal, rate_hz)
    square = weighted**2
    part = 1 - np.exp(-1 / (0.125 * rate))
    fast = lfilter([part], [1, part - 1], square)
    offset = 94 - sensitivity_dbfs + 10 * np.log10(2)
    begin = round(from_s * rate)
    return (
        float(10 * np.log10(np.mean(square[begin:])) + offset),
        float(10 * np.log10(np.max(fast[begin:])) + offset),
    )
