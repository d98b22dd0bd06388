"""The partitions of `frame` in PostgreSQL: a table for each month (UTC) in which frames came."""

import calendar
import time
from functools import lru_cache
from typing import Any

import psycopg


def table_of(month: tuple[int, int]) -> str:
    """Return the name of the table of a month (year, 1-12)."""
    return f"frame_{month[0]:04d}_{month[1]:02d}"


def ensure_month(raw: psycopg.Connection[Any], month: tuple[int, int]) -> None:
    """Make the partition of a month (year, 1-12, UTC) where it is missing."""
    year, number = month
    since, until = _begin_ms(year, number), _begin_ms(year + number // 12, number % 12 + 1)
    raw.execute(
        f"CREATE TABLE IF NOT EXISTS {table_of(month)} PARTITION OF frame FOR VALUES FROM ({since}) TO ({until})"
    )


def month_of(received_ms: int) -> tuple[int, int]:
    """Return (year, 1-12) in UTC of a receipt."""
    return _of_hour(received_ms // 3_600_000)


@lru_cache
def _of_hour(hour: int) -> tuple[int, int]:
    found = time.gmtime(3600 * hour)
    return found.tm_year, found.tm_mon


def _begin_ms(year: int, month: int) -> int:
    return calendar.timegm((year, month, 1, 0, 0, 0)) * 1000
