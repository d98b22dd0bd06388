"""Counters that were switched off: nobody for an hour or more where many people were expected."""

import numpy as np

from device_manager.quality.channel import DAY_S, HOUR_S, Channel, Floats, Ints
from device_manager.quality.finding import Finding, merged
from device_manager.quality.runs import grouped_percentiles, runs
from device_manager.quality.statistics import nobody_by_chance

WEEK_H = 168
DAY_H = 24
CONTEXT_H = 3
LEAST_BESIDE = 50
"""People in the hours beside a run, usually and this time: fewer say too little of how lively the place was. (On days
on which hardly anybody is out, nights are emptier than days let expect.)"""


SHAPE = 4.0
"""An hour differs by about half (1/sqrt(4)) from what the same hour of other weeks and the hours around it suggest."""

CHANCE = 1e-5
"""One wrong finding in ten years of a counter, were each hour a trial of its own."""

LEAST_WEEKS = 3


def hourly(channel: Channel) -> tuple[Ints, Floats]:
    """Return (hour since 1970, people) for every hour from the first to the last; NaN where no record came."""
    kept = channel.where(channel.present)
    if not len(kept.value):
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    of = kept.start_s // HOUR_S
    hours = np.arange(of[0], of[-1] + 1)
    count = np.bincount(of - of[0], minlength=len(hours))
    people = np.bincount(of - of[0], kept.value, len(hours))
    return hours, np.where(count > 0, people, np.nan)


def switched_off(channel: Channel, local_s: Ints) -> list[Finding]:
    """Return runs of hours without anybody that chance does not explain.

    `channel` holds people an interval (not totals); `local_s` its times shifted to the local clock, because people
    live by it. Expected are, in the first and the last three hours of the run, the people of the same hours of other
    weeks (median), no more than in proportion to how lively the three hours next to them were. So a counter is off when
    a lively street falls silent or comes back at a stroke; a street empty in snow, or a library closed on a holiday,
    fades. A week of nobody is a fault without such an edge.
    """
    hours, people = hourly(channel)
    if len(hours) < LEAST_WEEKS * WEEK_H:
        return []
    shift = np.interp(hours * HOUR_S, channel.start_s, local_s - channel.start_s)
    usual = _usual((hours + np.round(shift / HOUR_S).astype(np.int64)) % WEEK_H, people)
    found = []
    for first, end in runs(people == 0):
        expected = _expected(people, usual, first, end)
        if (end - first) >= WEEK_H:
            expected = float(usual[first:end].sum())
        if nobody_by_chance(expected, SHAPE) < CHANCE:
            found.append(_off(channel, int(hours[first]), end - first, expected))
    return merged(found, DAY_S)


def _usual(hour_of_week: Ints, people: Floats) -> Floats:
    """Return the median of the same hour of all weeks; days without anybody do not count, they may be the fault."""
    known = ~np.isnan(people)
    for first, end in runs(people == 0):
        known[first:end] &= end - first < DAY_H
    hours, medians = grouped_percentiles(hour_of_week[known], people[known], 50.0)
    week = np.zeros(WEEK_H)
    week[hours] = medians
    usual: Floats = week[hour_of_week]
    return usual


def _expected(people: Floats, usual: Floats, first: int, end: int) -> float:
    """Return the larger of what the hours before the run and those after it let expect within it."""
    before, after = slice(max(0, first - CONTEXT_H), first), slice(end, end + CONTEXT_H)
    began = usual[first : min(end, first + CONTEXT_H)].sum() * _lively(people[before], usual[before])
    ended = usual[max(first, end - CONTEXT_H) : end].sum() * _lively(people[after], usual[after])
    return float(max(began, ended))


def _lively(people: Floats, usual: Floats) -> float:
    """Return the share 0..1 of the usual people that came; 0 where too few came, or usually come, to say."""
    known = ~np.isnan(people)
    came, come = people[known].sum(), usual[known].sum()
    return min(1.0, came / come) if min(came, come) >= LEAST_BESIDE else 0.0


def _off(channel: Channel, hour: int, length: int, expected: float) -> Finding:
    start_s, end_s = hour * HOUR_S, (hour + length) * HOUR_S
    text = f"{channel.name}: nobody for {length} h, {expected:.0f} people were expected: switched off or covered"
    return Finding(channel.name, "off", start_s, end_s, 0.0, expected, "{count}", length, text)
