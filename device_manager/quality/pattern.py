"""Days that no people make: more at night than by day, or shifted by hours against the own past.

People make sound and footfall by day. A week whose nights beat its days, or whose daily course fits the weeks before
only after a shift of hours, has a wrong clock, a wrong zone or exchanged channels.
"""

import numpy as np

from device_manager.quality.channel import DAY_S, HOUR_S, Channel, Floats, Ints
from device_manager.quality.finding import Finding, merged
from device_manager.quality.limits import Limits
from device_manager.quality.runs import course

WINDOW_DAYS = 7
NIGHT, DAY = (1, 5), (9, 18)
"""Hours of the local clock: also in a street of bars, medians over a week are lower from 1 to 5 than from 9 to 18."""

NIGHT_MARGIN = 0.25
"""Of the range of the daily course: a brook or a fan is as loud by night as by day, a wrong clock turns it over."""

PAST_DAYS = 14
SHIFT_H = 3
FITS, FITS_NOT = 0.9, 0.5
"""Correlation of two daily courses of 24 hourly medians: the same street of two weeks has 0.95 and more."""


def patterns(channel: Channel, limits: Limits, local_s: Ints, unit: str) -> list[Finding]:
    """Return weeks (from the first record on) that are nights or shifted; `local_s` the times on the local clock."""
    if not limits.by_day or channel.interval_s > HOUR_S:
        return []
    kept = channel.present
    days, hours, values = local_s[kept] // DAY_S, local_s[kept] % DAY_S // HOUR_S, channel.value[kept]
    if not len(days):
        return []
    found = []
    for first in range(int(days[0]), int(days[-1]) - WINDOW_DAYS + 2, WINDOW_DAYS):
        week = (days >= first) & (days < first + WINDOW_DAYS)
        past = (days >= first - PAST_DAYS) & (days < first)
        day = course(hours[week], values[week])
        found += _night(channel, first, day, unit)
        found += _shifted(channel, first, day, course(hours[past], values[past]))
    return merged(found, WINDOW_DAYS * DAY_S)


def _night(channel: Channel, first_day: int, hours: Floats, unit: str) -> list[Finding]:
    night, day = float(np.median(hours[slice(*NIGHT)])), float(np.median(hours[slice(*DAY)]))
    if not night - day > NIGHT_MARGIN * np.ptp(hours):  # false also when an hour is missing
        return []
    text = f"{channel.name}: a week with {night:.3g} {unit} at night and {day:.3g} {unit} by day"
    return [_finding(channel, first_day, night, day, unit, text)]


def _shifted(channel: Channel, first_day: int, week: Floats, past: Floats) -> list[Finding]:
    if np.isnan(week).any() or np.isnan(past).any() or np.ptp(week) == 0 or np.ptp(past) == 0:
        return []
    fits = np.array([np.corrcoef(np.roll(week, -shift), past)[0, 1] for shift in range(24)])
    best = int(np.argmax(fits))
    shift_h = best - 24 if best > 12 else best
    if abs(shift_h) < SHIFT_H or fits[best] < FITS or fits[0] > FITS_NOT:
        return []
    text = f"{channel.name}: the day fits the past only when it is moved by {-shift_h:+d} h"
    return [_finding(channel, first_day, float(-shift_h), SHIFT_H, "h", text)]


def _finding(channel: Channel, first_day: int, value: float, limit: float, unit: str, text: str) -> Finding:
    """The interval is in local time as if it were UTC: within a day of the truth, which a week's finding can bear."""
    start_s = first_day * DAY_S
    return Finding(
        channel.name, "pattern", start_s, start_s + WINDOW_DAYS * DAY_S, value, limit, unit, WINDOW_DAYS, text
    )
