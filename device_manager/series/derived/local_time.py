"""The local clock at many moments at once."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

DAY_S = 86_400
HOUR_S = 3_600
_STEP_S = 900  # every offset that a zone ever had changes at a whole quarter of an hour of UTC


def local_seconds(time_s: Ints, zone: str) -> Ints:
    """Return Unix seconds shifted so that day and hour can be read off as if they were UTC."""
    steps, at = np.unique(np.asarray(time_s, dtype=np.int64) // _STEP_S, return_inverse=True)
    shifts = np.array([_offset_s(int(step) * _STEP_S, ZoneInfo(zone)) for step in steps], dtype=np.int64)
    return np.asarray(time_s, dtype=np.int64) + (shifts[at] if len(shifts) else 0)


def _offset_s(time_s: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(time_s, zone).utcoffset()
    assert offset is not None  # a ZoneInfo always has one
    return int(offset.total_seconds())
