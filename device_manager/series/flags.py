"""Quality bits of a reading: those of the node (`firmware.wire.quality`, bits 0 to 23) and what the manager adds.

A reading whose flags have none of the bits in UNUSABLE is one to calculate with.
"""

import numpy as np
import numpy.typing as npt

from firmware.wire import quality

INVALID = 1 << 24  # a person said so, see `invalidation`
DATED = 1 << 25  # the node did not know the time; the manager found it, see `dating`
DATE_UNSURE = 1 << 26  # found between bounds only
COLLECTED = 1 << 27  # a count of people who came in a gap and in this interval together
CALIBRATED = 1 << 28  # corrected by a calibration

UNUSABLE = (
    INVALID | quality.WARM_UP | quality.OUT_OF_RANGE | quality.STUCK | quality.FAULT | quality.MAINTENANCE
)  # fmt: skip

NAMES = (
    (INVALID, "invalidated"),
    (DATED, "dated afterwards"),
    (DATE_UNSURE, "date uncertain"),
    (COLLECTED, "collected over a gap"),
    (CALIBRATED, "calibrated"),
)
_OURS = INVALID | DATED | DATE_UNSURE | COLLECTED | CALIBRATED


def names(flags: int) -> list[str]:
    """Return the names of the set bits, the node's first."""
    own: list[str] = quality.names(flags & ~_OURS)
    return own + [name for bit, name in NAMES if flags & bit]


def usable(value: npt.NDArray[np.float64], flags: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """True where there is a value and nothing that forbids its use."""
    good: npt.NDArray[np.bool_] = ~np.isnan(value) & (flags & UNUSABLE == 0)
    return good
