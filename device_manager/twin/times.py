"""Unix seconds as ISO 8601 text in UTC.

>>> iso(1_772_319_600), interval(0, 60)
('2026-02-28T23:00:00Z', '1970-01-01T00:00:00Z/1970-01-01T00:01:00Z')
"""

from datetime import UTC, datetime


def iso(time_s: int) -> str:
    """Return a time in UTC."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def interval(start_s: int, end_s: int) -> str:
    """Return an interval in UTC."""
    return f"{iso(start_s)}/{iso(end_s)}"
