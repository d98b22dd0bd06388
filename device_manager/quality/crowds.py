"""Counters that count more than once: two and a half times as many people as usual in two of three hours of a day.

A contact that bounces or a beam that an arm breaks again counts three times and more. Usual is the median of the
same hour of the four weeks before. A market or a fair fills some hours of a day; in ten counter years of Auckland
(tests/data/real_faults) none filled 16 of 24 so far. A counter that was covered for weeks and sees again looks the
same, and is worth the same visit.
"""

import numpy as np

from device_manager.quality.channel import DAY_S, HOUR_S, Channel, Floats
from device_manager.quality.counts import WEEK_H, hourly
from device_manager.quality.finding import Finding, merged

WEEKS, LEAST_WEEKS = 4, 3
HOURS, ENOUGH_HOURS = 24, 16
RATIO = 2.5
OFFSET = 5.0
"""People an hour added to both: twice as many as nobody is no news."""


def crowds(channel: Channel) -> list[Finding]:
    """Return the days of a counter that are too full; `channel` holds people an interval, not totals.

    A change of the clocks moves people by an hour for four weeks, which this factor bears.
    """
    hours, people = hourly(channel)
    if len(hours) < LEAST_WEEKS * WEEK_H + HOURS:
        return []
    usual = _usual(people)
    ratio = np.nan_to_num((people + OFFSET) / (usual + OFFSET))
    days = np.lib.stride_tricks.sliding_window_view(ratio, HOURS)
    full = np.flatnonzero(np.count_nonzero(days > RATIO, axis=1) >= ENOUGH_HOURS)
    return merged([_full(channel, int(hours[first]), days[first]) for first in full.tolist()], DAY_S)


def _usual(people: Floats) -> Floats:
    """Return the median of the same hour of the weeks before; NaN where fewer than LEAST_WEEKS know it."""
    past = np.stack([np.concatenate([np.full(weeks * WEEK_H, np.nan), people])[: len(people)]
                     for weeks in range(1, WEEKS + 1)])  # fmt: skip
    enough = np.count_nonzero(~np.isnan(past), axis=0) >= LEAST_WEEKS
    usual = np.full(len(people), np.nan)
    usual[enough] = np.nanmedian(past[:, enough], axis=0)
    return usual


def _full(channel: Channel, hour: int, ratio: Floats) -> Finding:
    factor, many = float(np.median(ratio)), int(np.count_nonzero(ratio > RATIO))
    text = f"{channel.name}: a day with {factor:.1f} times as many people as usual: counted more than once?"
    start_s = hour * HOUR_S
    return Finding(channel.name, "crowd", start_s, start_s + HOURS * HOUR_S, factor, RATIO, "1", many, text)
