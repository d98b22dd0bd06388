"""Holes in a log: numbers that are missing below one that is committed, and since when. Pure.

A hole is [log, first, last, since_ms]. Data that is merely late closes its hole when it comes; a hole that stays open
for long is a gap (see `liveness.gaps`). Holes of a former log stay: nobody is left to fill them.
"""

from collections.abc import Sequence

MOST = 64  # of one node; the lowest are kept, as in a watermark's `want`

Hole = list[int]


def renew(known: Sequence[Hole], log: int, want: Sequence[Sequence[int]], now_ms: int) -> list[Hole]:
    """Return the holes after `log` was found to want these ranges; what is left of an older hole keeps its age.

    >>> renew([[7, 3, 9, 1000]], 7, [(3, 4), (8, 9), (12, 12)], 5000)
    [[7, 3, 4, 1000], [7, 8, 9, 1000], [7, 12, 12, 5000]]
    """
    mine = [hole for hole in known if hole[0] == log]
    others = [hole for hole in known if hole[0] != log]
    return (others + [[log, first, last, _since(mine, first, last, now_ms)] for first, last in want])[:MOST]


def size(holes: Sequence[Hole], log: int, tail: int) -> int:
    """Return how many numbers are missing in the holes of `log` from `tail` on."""
    return sum(max(0, last + 1 - max(first, tail)) for of, first, last, _ in holes if of == log)


def _since(holes: Sequence[Hole], first: int, last: int, now_ms: int) -> int:
    return min((since for _, low, high, since in holes if low <= last and first <= high), default=now_ms)
