"""Intervals of roll-ups: 15 minutes and hours by Unix time, days and noise days by the calendar of the site's zone.

A local day has 23 or 25 hours where the clock is changed; all calculation is done with instants, so that no hour is
lost or counted twice.

>>> from zoneinfo import ZoneInfo
>>> edges = day_edges(1_774_738_800, 1_774_738_801, ZoneInfo("Europe/Berlin"))  # 29 March 2026
>>> np.diff(edges).tolist()
[82800]
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from device_manager.errors import UsageError
from device_manager.series.derived.noise_periods import noise_hours

Ints = npt.NDArray[np.int64]

QUARTER_S, HOUR_S, DAY_S = 900, 3600, 86_400
PERIODS = {"15min": QUARTER_S, "1h": HOUR_S, "1d": DAY_S}
NOISE_DAY = "noise_day"  # holds nothing but what is derived from sound levels
DEFAULT_ZONE = "Europe/Berlin"


def zone(name: str) -> ZoneInfo:
    """Return the time zone of that IANA name; UsageError when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        todo = "use a name like Europe/Berlin"
        raise UsageError(expected="a time zone", got=repr(name), todo=todo) from None


def edges(period: str, since_s: int, until_s: int, where: ZoneInfo) -> Ints:
    """Return the borders of all intervals that touch [since_s, until_s), the last one's end included."""
    if period == "1d":
        return day_edges(since_s, until_s, where)
    if period == NOISE_DAY:
        return day_edges(since_s, until_s, where, noise_hours(where.key).day)
    step = PERIODS[period]
    return np.arange(since_s // step * step, -(-until_s // step) * step + 1, step, dtype=np.int64)


def day_edges(since_s: int, until_s: int, where: ZoneInfo, hour: int = 0) -> Ints:
    """Return the moments at which local days begin, from the one before or at `since_s` to the one at or after
    `until_s`, in Unix s; a day begins at `hour` o'clock."""
    day = datetime.fromtimestamp(since_s, where).date()
    found = [hour_s(day, where, hour)]
    if found[0] > since_s:
        day -= timedelta(days=1)
        found = [hour_s(day, where, hour)]
    while found[-1] < until_s:
        day += timedelta(days=1)
        found.append(hour_s(day, where, hour))
    return np.array(found, dtype=np.int64)


def midnight_s(day: date, where: ZoneInfo) -> int:
    """Return when a local day begins, in Unix s."""
    return hour_s(day, where, 0)


def hour_s(day: date, where: ZoneInfo, hour: int) -> int:
    """Return when it is `hour` o'clock on a local day, in Unix s."""
    return int(datetime.combine(day, time(hour), where).astimezone(UTC).timestamp())
