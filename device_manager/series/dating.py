"""When a boot began, for frames that know only their boot and the seconds since.

    exact     a health message of that boot carries both the time and the uptime; the one with the lowest uptime counts
    bounded   in the order of one log, a frame lies behind every dated frame of a lower number and before every one of
              a higher number, and it began before it was received; a boot began before its state message's time. When
              these bounds leave at most SLACK_S, the middle is taken. Only once the node has booted again

All frames of one boot share one begin, so the distances between them are kept. What cannot be dated waits.
"""

from collections.abc import Iterable
from typing import NamedTuple

SLACK_S = 900
"""Bounds further apart than this say too little about a reading."""


class BootTime(NamedTuple):
    """A boot began at `start_s` (Unix s), give or take `unsure_s` (0: exact to a second or two)."""

    start_s: int
    unsure_s: int


class Health(NamedTuple):
    """What a health message says about its boot."""

    uptime_s: int
    time_s: int


class Undated(NamedTuple):
    """An undated frame of one boot: its place in its log, its begin and length in seconds since the boot and receipt;
    `after_s` and `before_s` are end and begin of its dated neighbours in the same log (None: there is none)."""

    uptime_s: int
    span_s: int
    received_s: int
    after_s: int | None
    before_s: int | None


def boot_time(health: Iterable[Health], states_s: Iterable[int], frames: Iterable[Undated]) -> BootTime | None:
    """Return when a boot of one node began; `states_s` are the times of its state messages."""
    first = min(health, default=None)
    if first:
        return BootTime(first.time_s - first.uptime_s, 0)
    lows, highs = [], list(states_s)
    for frame in frames:
        highs.append(frame.received_s - frame.uptime_s - frame.span_s)
        if frame.before_s is not None:
            highs.append(frame.before_s - frame.uptime_s - frame.span_s)
        if frame.after_s is not None:
            lows.append(frame.after_s - frame.uptime_s)
    if not lows or not highs or not 0 <= min(highs) - max(lows) <= SLACK_S:
        return None
    low, high = max(lows), min(highs)
    return BootTime((low + high) // 2, (high - low + 1) // 2 or 1)
