"""Small tools over arrays that several rules share: runs, windows in time, hourly medians."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from device_manager.quality.channel import DAY_S, HOUR_S, Bools, Channel, Floats, Ints


def runs(mask: Bools) -> list[tuple[int, int]]:
    """Return [first, end) of each run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def equal_runs(channel: Channel, gap_s: float) -> list[tuple[int, int]]:
    """Return [first, end) of each run of two and more records of exactly the same value with no gap above `gap_s`."""
    if len(channel.value) < 2:
        return []
    same = (np.diff(channel.value) == 0) & (np.diff(channel.start_s) <= gap_s)
    return [(first, end + 1) for first, end in runs(same)]


def clusters(times_s: Ints, gap_s: float) -> list[Ints]:
    """Return index arrays of times that follow each other within `gap_s`."""
    if not len(times_s):
        return []
    return np.split(np.arange(len(times_s)), np.flatnonzero(np.diff(times_s) > gap_s) + 1)


def running_median(values: Floats, half: int) -> Floats:
    """Return the median of `half` records on both sides and the record itself; edges repeat the outermost record."""
    padded = np.pad(values, half, mode="edge")
    medians: Floats = np.median(sliding_window_view(padded, 2 * half + 1), axis=1)
    return medians


def hourly_medians(channel: Channel) -> tuple[Ints, Floats]:
    """Return (hour since 1970, median) for each hour with a value."""
    return _by(HOUR_S, channel, 50.0)


def daily_percentiles(channel: Channel, percent: float) -> tuple[Ints, Floats]:
    """Return (day since 1970, percentile) for each UTC day with a value."""
    return _by(DAY_S, channel, percent)


def _by(length_s: int, channel: Channel, percent: float) -> tuple[Ints, Floats]:
    kept = channel.present
    return grouped_percentiles(channel.start_s[kept] // length_s, channel.value[kept], percent)


def grouped_percentiles(groups: Ints, values: Floats, percent: float) -> tuple[Ints, Floats]:
    """Return (group, percentile of its values, between two values linearly) for each group that occurs."""
    order = np.lexsort((values, groups))
    keys, first, count = np.unique(groups[order], return_index=True, return_counts=True)
    place = first + (count - 1) * percent / 100
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, first + count - 1)
    ranked = values[order]
    return keys, ranked[below] + (place - below) * (ranked[above] - ranked[below])


def course(hours: Ints, values: Floats) -> Floats:
    """Return the median of each of the 24 hours of a day, NaN where an hour has no value."""
    known, medians = grouped_percentiles(hours, values, 50.0)
    day = np.full(24, np.nan)
    day[known] = medians
    return day
