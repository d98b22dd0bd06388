"""Months of frames, by the UTC month in which they begin: which are due for the archive, and which are to be forgotten.

>>> month_of(1_772_319_600)
'2026-02'
>>> bounds("2026-02")
(1769904000, 1772323200)
"""

import datetime
from collections.abc import Iterable

from device_manager.archiving.policy import Policy

DAY_S = 86_400


def month_of(start_s: int) -> str:
    """Return the UTC month of a moment as YYYY-MM."""
    return datetime.datetime.fromtimestamp(start_s, datetime.UTC).strftime("%Y-%m")


def bounds(month: str) -> tuple[int, int]:
    """Return begin and end (exclusive) of a month in Unix seconds."""
    first = datetime.datetime.strptime(month, "%Y-%m").replace(tzinfo=datetime.UTC)
    following = (first + datetime.timedelta(days=32)).replace(day=1)
    return int(first.timestamp()), int(following.timestamp())


def due(oldest_s: int | None, policy: Policy, now_s: int) -> list[str]:
    """Return the months from that of the oldest frame on that lie wholly behind the window."""
    months = []
    at = oldest_s
    while at is not None and bounds(month_of(at))[1] <= now_s - policy.window_days * DAY_S:
        months.append(month_of(at))
        at = bounds(months[-1])[1]
    return months


def forgotten(month: str, policy: Policy, now_s: int, blanked: Iterable[str] = ()) -> set[str]:
    """Return the quantities whose readings of a month are past their limit and were not taken out yet."""
    end_s = bounds(month)[1]
    past = {name for name, days in policy.keep_days.items() if end_s <= now_s - days * DAY_S}
    return past - set(blanked)
