"""How many requests somebody may send: a bucket that fills by the minute. Pure.

limiter = Limiter()
limiter.wait_s("192.0.2.7", 60, now_s)      # 0.0: come in; 12.5: come again then
"""

from typing import NamedTuple

_MOST_KNOWN = 10_000


class _Bucket(NamedTuple):
    left: float
    at_s: float


class Limiter:
    """Buckets by name. One holds a minute's worth, so that a page with many requests loads at once."""

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}

    def wait_s(self, name: str, per_minute: int, now_s: float) -> float:
        """Take one request out of a bucket; return 0, or in how many seconds there is one."""
        bucket = self._buckets.pop(name, _Bucket(float(per_minute), now_s))
        filled = bucket.left + max(now_s - bucket.at_s, 0.0) * per_minute / 60
        left = min(filled, float(per_minute))
        let_in = left >= 1.0
        self._buckets[name] = _Bucket(left - let_in, now_s)  # at the end: the first one is the longest unused
        if len(self._buckets) > _MOST_KNOWN:
            self._buckets.pop(next(iter(self._buckets)))
        return 0.0 if let_in else (1.0 - left) * 60 / per_minute
