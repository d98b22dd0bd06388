"""Does a new release leak memory: the floor of free memory of a node since its update, against its own past. Pure.

A node's floor (`heap_floor` of health) is the least free memory after a collection since its start; it only falls while
a node runs, and stands still once everything was loaded. So a leak is a floor that falls on and on:

    from the second whole hour on it fell in every one but one, by more than in as many hours of its past together
    ("bad"); a release that only needs more falls once, in its first hour, and is left alone.
"""

from collections.abc import Sequence

from device_manager.quality.channel import HOUR_S
from device_manager.quality.compare import PAST_S, Comparison, Verdict

LEAST_HOURS = 6
"""Whole hours after the update, as for every other line of the gate."""

MARGIN_BYTES = 2048
"""A fall by less than this in six hours is none: an hour of traffic moves the floor by some hundred bytes."""

Floor = tuple[int, float]
"""When (Unix s), and the least free bytes since the node's start."""


def judge_memory(node: str, floors: Sequence[Floor], at_s: int, until_s: int) -> Comparison | None:
    """Return the line of a node that was updated at `at_s`; None when too few hours are known."""
    after = _hourly([one for one in floors if one[0] >= at_s], -(-at_s // HOUR_S), until_s // HOUR_S)[1:]
    if len(after) < LEAST_HOURS - 1:
        return None
    past = _hourly([one for one in floors if one[0] < at_s], (at_s - PAST_S) // HOUR_S, at_s // HOUR_S)
    fall, before = after[0] - after[-1], _largest_fall(past, len(after))
    steps = sum(later < earlier for earlier, later in zip(after, after[1:], strict=False))
    limit = before + MARGIN_BYTES
    verdict: Verdict = "bad" if fall > limit and steps >= len(after) - 2 else "good"
    left = f", {after[-1] * (len(after) - 1) / fall:.0f} hours are left" if verdict == "bad" else ""
    text = (
        f"{node}: memory floor fell by {fall / 1024:.1f} kB in {len(after)} hours to {after[-1] / 1024:.1f} kB{left}; "
        f"before by {before / 1024:.1f} kB at most, allowed {limit / 1024:.1f} kB: {verdict}"
    )
    return Comparison(node, "memory", before, fall, fall, fall, limit, len(after), verdict, text)


def _hourly(floors: Sequence[Floor], first: int, end: int) -> list[float]:
    """Return the least floor of each hour of the clock that has one, in order."""
    found: dict[int, float] = {}
    for at_s, floor in floors:
        hour = at_s // HOUR_S
        if first <= hour < end:
            found[hour] = min(floor, found.get(hour, floor))
    return [found[hour] for hour in sorted(found)]


def _largest_fall(hourly: Sequence[float], hours: int) -> float:
    """Return the most that a floor fell within so many hours; a restart lets it rise, which is no fall."""
    falls = [hourly[index] - min(hourly[index : index + hours]) for index in range(len(hourly))]
    return max(falls, default=0.0)
