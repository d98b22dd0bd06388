"""Local days and hours of many moments at once; days have 23 or 25 hours where clocks change."""

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


def local_hours(time_s: Ints, zone: str) -> Ints:
    """Return the hour 0..23 on a clock at the place."""
    return local_seconds(time_s, zone) % DAY_S // HOUR_S


def local_days(time_s: Ints, zone: str, begins_at_hour: int = 0) -> Ints:
    """Return the local day as a count of days since 1970-01-01; a day begins at a whole hour of the local clock."""
    return (local_seconds(time_s, zone) - begins_at_hour * HOUR_S) // DAY_S


def day_length_s(day: int, zone: str, begins_at_hour: int = 0) -> int:
    """Return 86400 seconds, or what is left or added where clocks change in that local day."""
    return local_midnight(day + 1, zone, begins_at_hour) - local_midnight(day, zone, begins_at_hour)


def local_midnight(day: int, zone: str, begins_at_hour: int = 0) -> int:
    """Return the Unix second at which a local day begins."""
    naive_s = day * DAY_S + begins_at_hour * HOUR_S
    guess_s = naive_s - _offset_s(naive_s, ZoneInfo(zone))
    return naive_s - _offset_s(guess_s, ZoneInfo(zone))
