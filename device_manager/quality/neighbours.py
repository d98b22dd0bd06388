"""Channels against each other and against their own past: disagreement side by side, and drift.

Two sensors side by side see the same air and must agree within what their data sheets allow. Neighbours some streets
away see other air; only what changes between them over weeks says something about the sensor.
"""

from collections.abc import Sequence

import numpy as np

from device_manager.quality.channel import DAY_S, Channel, Floats, Ints
from device_manager.quality.finding import Finding, merged
from device_manager.quality.limits import Limits
from device_manager.quality.runs import daily_percentiles, grouped_percentiles, hourly_medians

HOURS_OF_DAY = 12
"""A day's median needs half of its hours."""

DAYS_IN_A_ROW = 2
"""One day may be a bonfire beside one of the two."""

LEAST_NEIGHBOURS = 2
WEEK, PAST = 7, 28
LEAST_WEEK, LEAST_PAST = 5, 14
"""Days with a value that the last week and the four weeks before it need."""

SURE = 4.0
"""Times the standard error (from the scatter of the days) by which a drift must exceed nothing."""


def disagreement(one: Channel, other: Channel, limits: Limits, unit: str) -> list[Finding]:
    """Return runs of days on which two sensors side by side differ by more than both may, by the median of a day."""
    if limits.pair_abs is None:
        return []
    (hours_a, a), (hours_b, b) = hourly_medians(one), hourly_medians(other)
    hours, of_a, of_b = np.intersect1d(hours_a, hours_b, return_indices=True)
    a, b = a[of_a], b[of_b]
    days, difference = _daily(hours, a - b)
    allowed = limits.pair_abs + limits.pair_rel * np.abs(_daily(hours, (a + b) / 2)[1])
    found = [
        _pair(one, other, int(day), float(d), float(limit), unit)
        for day, d, limit in zip(days, difference, allowed, strict=True)
        if abs(d) > limit
    ]
    return [run for run in merged(found, 0) if run.count >= DAYS_IN_A_ROW]


def _pair(one: Channel, other: Channel, day: int, difference: float, limit: float, unit: str) -> Finding:
    text = f"{one.name}: {difference:+.1f} {unit} from {other.name} beside it, {limit:.1f} {unit} are allowed"
    return Finding(one.name, "pair", day * DAY_S, (day + 1) * DAY_S, difference, limit, unit, 1, text)


def _daily(hours: Ints, values: Floats) -> tuple[Ints, Floats]:
    """Return (day, median) for each day with enough hours."""
    days, count = np.unique(hours // 24, return_counts=True)
    medians = grouped_percentiles(hours // 24, values, 50.0)[1]
    enough = count >= HOURS_OF_DAY
    return days[enough], medians[enough]


def drift(channel: Channel, neighbours: Sequence[Channel], limits: Limits, unit: str) -> list[Finding]:
    """Return weeks in which the difference to the median of two and more neighbours left its past by the limit."""
    limit = _drift_limit(limits)
    if limit is None or len(neighbours) < LEAST_NEIGHBOURS or _days(channel) < LEAST_WEEK + LEAST_PAST:
        return []
    days, difference = _daily(*difference_to(channel, neighbours, limits))
    told = f"{channel.name}: moved against {len(neighbours)} neighbours by"
    return _moves(channel, days, difference, limit, "ln" if limits.drift_factor else unit, told)


def _days(channel: Channel) -> int:
    """Return how many days a channel touches: what is too short has no past, and need not be compared."""
    return int(channel.start_s[-1] // DAY_S - channel.start_s[0] // DAY_S) + 1 if len(channel.start_s) else 0


def _drift_limit(limits: Limits) -> float | None:
    return float(np.log(limits.drift_factor)) if limits.drift_factor else limits.drift_abs


def difference_to(channel: Channel, neighbours: Sequence[Channel], limits: Limits) -> tuple[Ints, Floats]:
    """Return (hour since 1970, difference to the neighbours' median) by hourly medians.

    For concentrations (limits with a drift factor) it is the logarithm of the ratio, both raised by the spike offset so
    that noise near zero has no large ratio. Hours with fewer than two neighbours are left out.
    """
    hours, own = hourly_medians(channel)
    others = np.full((len(neighbours), len(hours)), np.nan)
    for row, neighbour in zip(others, neighbours, strict=True):
        their_hours, theirs = hourly_medians(neighbour)
        _, here, there = np.intersect1d(hours, their_hours, return_indices=True)
        row[here] = theirs[there]
    enough = np.count_nonzero(~np.isnan(others), axis=0) >= LEAST_NEIGHBOURS
    usual = np.nanmedian(others[:, enough], axis=0) if enough.any() else np.zeros(0)
    return hours[enough], _apart(own[enough], usual, limits)


def _apart(own: Floats, usual: Floats, limits: Limits) -> Floats:
    if not limits.drift_factor:
        return own - usual
    floor = 1e-3 - limits.spike_offset
    ratio: Floats = np.log(
        (np.maximum(own, floor) + limits.spike_offset) / (np.maximum(usual, floor) + limits.spike_offset)
    )
    return ratio


def floor_drift(channel: Channel, limits: Limits) -> list[Finding]:
    """Return weeks in which the quiet level (5th percentile of a day) left its own past: sound only."""
    if limits.floor_db is None:
        return []
    days, floor = daily_percentiles(channel, 5.0)
    return _moves(channel, days, floor, limits.floor_db, "dB", f"{channel.name}: its quiet level moved by")


def _moves(channel: Channel, days: Ints, values: Floats, limit: float, unit: str, told: str) -> list[Finding]:
    """Compare each week with the four weeks before it, week after week from the last record backwards."""
    found = []
    for end in range(int(days[-1]) + 1, int(days[0]), -WEEK) if len(days) else ():
        week = values[(days >= end - WEEK) & (days < end)]
        past = values[(days >= end - WEEK - PAST) & (days < end - WEEK)]
        if len(week) < LEAST_WEEK or len(past) < LEAST_PAST:
            continue
        move = float(np.median(week) - np.median(past))
        if abs(move) > max(limit, SURE * np.hypot(_error(week), _error(past))):
            text = f"{told} {move:+.2f} {unit} within a week, {limit:.2f} {unit} are allowed"
            start_s = (end - WEEK) * DAY_S
            found.append(Finding(channel.name, "drift", start_s, end * DAY_S, move, limit, unit, len(week), text))
    return merged(found, 0)


def _error(values: Floats) -> float:
    """Return the standard error of a median from the median absolute deviation (1.4826 and 1.2533: normal scatter)."""
    deviation = np.median(np.abs(values - np.median(values)))
    return float(1.4826 * 1.2533 * deviation / np.sqrt(len(values)))
