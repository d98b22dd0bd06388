"""Windows of local time: "22:00-05:00" is every night, in the zone of each node, in summer and winter."""

import datetime
import re
from functools import lru_cache
from zoneinfo import ZoneInfo

from device_manager.errors import UsageError

_SHAPE = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


def parse(text: str) -> tuple[int, int] | None:
    """Return (begin, end) in minutes of the day, None for "" (always); UsageError for another text."""
    if not text:
        return None
    found = _SHAPE.fullmatch(text)
    if not found:
        raise UsageError(expected="a window as 22:00-05:00", got=repr(text), todo="correct it")
    hour, minute, end_hour, end_minute = map(int, found.groups())
    return hour * 60 + minute, end_hour * 60 + end_minute


def is_open(text: str, zone: str, now_ms: int) -> bool:
    """True when the window is open at that time in that zone; one that ends before it begins goes past midnight."""
    window = parse(text)
    if window is None:
        return True
    begin, end = window
    minute = _minute_of_day(zone, now_ms // 60_000)
    return begin <= minute < end if begin <= end else minute >= begin or minute < end


@lru_cache(maxsize=64)
def _minute_of_day(zone: str, minute: int) -> int:
    local = datetime.datetime.fromtimestamp(minute * 60, ZoneInfo(zone))
    return local.hour * 60 + local.minute
