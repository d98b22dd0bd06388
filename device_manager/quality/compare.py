"""One channel before and after a moment, and against neighbours: what a rollout's gate and monitoring ask.

Every comparison gives absolute counts and exact bounds, and one of three verdicts: "good" (surely within the limit),
"bad" (surely beyond it), "unknown" (too few hours to say: wait). A verdict is about hours, not records: the records of
an hour stand and fall together. Six hours are the least that an exact bound of a median can be drawn from, so a gate
says nothing before.

    presence  hours with at least three of four records            share, Clopper-Pearson
    rate      median time between records                          by itself
    flags     hours with a flagged value                           share, Clopper-Pearson
    spread    within an hour (90th - 10th percentile)              ratio, exact bounds of the median
    level     hourly median against the same hour of the past      difference or ratio, exact bounds of the median
              (sound, people) or against neighbours (air)
    balance   (in - out) / (in + out) of an hour                   difference, exact bounds of the median
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from device_manager.quality.channel import DAY_S, HOUR_S, Channel, Floats, Ints
from device_manager.quality.limits import LIMITS, NO_LIMITS, Limits
from device_manager.quality.neighbours import difference_to
from device_manager.quality.runs import course, hourly_medians
from device_manager.quality.statistics import LEVEL, median_bounds, share_bounds

Verdict = Literal["good", "bad", "unknown"]

PAST_S = 7 * DAY_S
WHOLE_HOUR = 0.75
SHARE_MARGIN = 0.05
"""A share may worsen by one hour in twenty before it is called worse."""

RATE_RATIO = 1.2
SPREAD_RATIO = 5.0
"""Weather changes the spread within an hour by two or three; a flat or a noisy sensor by ten and more."""

PEOPLE_RATIO = 2.0
PEOPLE_OFFSET = 5.0
BALANCE_MARGIN = 0.3
LEAST_PEOPLE = 10
"""Hours with fewer people have no direction."""


@dataclass(frozen=True, slots=True)
class Window:
    """A channel over [start_s, end_s) in absolute counts; level and spread in the channel's unit, NaN when empty."""

    channel: str
    start_s: int
    end_s: int
    expected: int
    got: int
    flagged: int
    hours: int
    whole_hours: int
    flagged_hours: int
    level: float
    spread: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One line of a gate: the figure after, what it was before, the bounds (95 %) of it or of its change, the verdict.

    `hours` is the sample (hours after) that the bounds rest on; `text` says all of it for people.
    """

    channel: str
    what: str
    before: float
    after: float
    low: float
    high: float
    limit: float
    hours: int
    verdict: Verdict
    text: str


def summary(channel: Channel, start_s: int, end_s: int) -> Window:
    """Return the counts of a window; only whole hours of the clock are counted as hours."""
    part = channel.between(start_s, end_s)
    first, hours = -(-start_s // HOUR_S), max(0, end_s // HOUR_S + start_s // -HOUR_S)
    got = _by_hour(part.start_s[part.present], first, hours)
    flagged = _by_hour(part.start_s[part.flags != 0], first, hours)
    values = part.value[part.present]
    low, level, high = np.percentile(values, [5, 50, 95]) if len(values) else [np.nan] * 3
    return Window(
        channel=channel.name,
        start_s=start_s,
        end_s=end_s,
        expected=round((end_s - start_s) / channel.interval_s),
        got=len(values),
        flagged=int(np.count_nonzero(part.flags)),
        hours=hours,
        whole_hours=int(np.count_nonzero(got >= WHOLE_HOUR * HOUR_S / channel.interval_s)),
        flagged_hours=int(np.count_nonzero(flagged)),
        level=float(level),
        spread=float(high - low),
    )


def _by_hour(times_s: Ints, first: int, hours: int) -> Ints:
    of = times_s // HOUR_S - first
    return np.bincount(of[(of >= 0) & (of < hours)], minlength=hours)


def before_and_after(
    channel: Channel, at_s: int, until_s: int, past_s: int = PAST_S, limits: Limits | None = None
) -> list[Comparison]:
    """Compare [at_s, until_s) of a channel with its own [at_s - past_s, at_s).

    The level is compared only where people make it (sound, footfall): weather changes air from week to week, and
    `against_neighbours` knows that. Footfall comes as people an interval.
    """
    allowed = limits or LIMITS.get(channel.quantity, NO_LIMITS)
    before, after = summary(channel, at_s - past_s, at_s), summary(channel, at_s, until_s)
    lines = [_presence(before, after), _rate(channel, at_s, until_s, past_s), _flags(before, after)]
    past, now = channel.between(at_s - past_s, at_s), channel.between(at_s, until_s)
    lines.append(_spread(past, now, allowed))
    return [*lines, _level(past, now, allowed)] if allowed.by_day else lines


def against_neighbours(
    channel: Channel,
    neighbours: Sequence[Channel],
    at_s: int,
    until_s: int,
    past_s: int = PAST_S,
    limits: Limits | None = None,
) -> list[Comparison]:
    """Compare how far a channel is from its neighbours after `at_s` with how far it was before; needs two and more.

    Neighbours should be nodes that were not changed at that time.
    """
    allowed = limits or LIMITS.get(channel.quantity, NO_LIMITS)
    hours, apart = difference_to(channel, neighbours, allowed)
    past = apart[(hours >= (at_s - past_s) // HOUR_S) & (hours < at_s // HOUR_S)]
    now = apart[(hours >= -(-at_s // HOUR_S)) & (hours < until_s // HOUR_S)]
    limit = np.log(allowed.drift_factor) if allowed.drift_factor else allowed.drift_abs
    return [] if limit is None else [_moved(channel.name, "level against neighbours", past, now, float(limit))]


def balance_before_and_after(
    people_in: Channel, people_out: Channel, at_s: int, until_s: int, past_s: int = PAST_S
) -> Comparison:
    """Compare the direction of people, (in - out) / (in + out) by hour, after `at_s` with before."""
    times = people_in.start_s // HOUR_S
    hours = np.unique(times)
    went_in = np.bincount(np.searchsorted(hours, times), np.nan_to_num(people_in.value), len(hours))
    at = np.searchsorted(hours, people_out.start_s // HOUR_S)
    known = at < len(hours)
    went_out = np.bincount(at[known], np.nan_to_num(people_out.value[known]), len(hours))
    enough = went_in + went_out >= LEAST_PEOPLE
    share = ((went_in - went_out) / np.maximum(went_in + went_out, 1))[enough]
    past = share[(hours[enough] >= (at_s - past_s) // HOUR_S) & (hours[enough] < at_s // HOUR_S)]
    now = share[(hours[enough] >= at_s // HOUR_S) & (hours[enough] < until_s // HOUR_S)]
    return _moved(people_in.name, "balance", past, now, BALANCE_MARGIN)


def _presence(before: Window, after: Window) -> Comparison:
    return _share("presence", before, after, before.whole_hours, after.whole_hours, worse=-1)


def _flags(before: Window, after: Window) -> Comparison:
    return _share("flags", before, after, before.flagged_hours, after.flagged_hours, worse=1)


def _share(what: str, before: Window, after: Window, was: int, now: int, worse: int) -> Comparison:
    """Compare two shares of hours; bad when even the kind end of the bounds is worse than the past by the margin."""
    low, high = share_bounds(now, after.hours)
    past_low, past_high = share_bounds(was, before.hours)
    limit = past_low - SHARE_MARGIN if worse < 0 else past_high + SHARE_MARGIN
    verdict: Verdict = "unknown"
    if before.hours and (high < limit if worse < 0 else low > limit):
        verdict = "bad"
    elif before.hours and after.hours and (now / after.hours - limit) * worse <= 0:
        verdict = "good" if after.hours >= 6 else "unknown"
    allowed = f"at least {max(0.0, limit):.0%}" if worse < 0 else f"at most {min(1.0, limit):.0%}"
    text = (
        f"{after.channel}: {what} {now} of {after.hours} hours ({low:.0%} to {high:.0%}), "
        f"before {was} of {before.hours}, allowed {allowed}: {verdict}"
    )
    share, past = now / max(1, after.hours), was / max(1, before.hours)
    return Comparison(after.channel, what, past, share, low, high, limit, after.hours, verdict, text)


def _rate(channel: Channel, at_s: int, until_s: int, past_s: int) -> Comparison:
    was = np.diff(channel.between(at_s - past_s, at_s).start_s)
    now = np.diff(channel.between(at_s, until_s).start_s)
    if not len(was) or len(now) < 10:
        text = f"{channel.name}: rate unknown, {len(now)} records"
        return Comparison(channel.name, "rate", np.nan, np.nan, np.nan, np.nan, RATE_RATIO, 0, "unknown", text)
    before, after = float(np.median(was)), float(np.median(now))
    verdict: Verdict = "bad" if max(after / before, before / after) > RATE_RATIO else "good"
    change = f"a record every {after:g} s, before every {before:g} s, allowed a factor of {RATE_RATIO:g}"
    text = f"{channel.name}: {change}: {verdict}"
    return Comparison(channel.name, "rate", before, after, after, after, RATE_RATIO, len(now), verdict, text)


def _spread(past: Channel, now: Channel, limits: Limits) -> Comparison:
    was, after = (np.log(_hourly_spread(_unsaturated(part, limits)) + limits.step) for part in (past, now))
    return _moved(now.name, "spread", was, after, float(np.log(SPREAD_RATIO)))


def _unsaturated(part: Channel, limits: Limits) -> Channel:
    """Return the channel without values at the end of their scale, where standing still is natural."""
    return part if limits.saturates is None else part.without(part.value >= limits.saturates)


def _hourly_spread(part: Channel) -> Floats:
    kept = part.where(part.present)
    hours, first, count = np.unique(kept.start_s // HOUR_S, return_index=True, return_counts=True)
    parts = np.split(kept.value, first[1:]) if len(hours) else []
    ranges = [np.subtract(*np.percentile(one, [90, 10])) for one, n in zip(parts, count, strict=True) if n >= 4]
    return np.array(ranges, dtype=np.float64)


def _level(past: Channel, now: Channel, limits: Limits) -> Comparison:
    """Compare hours with the same hour of the days before; people in ratios, sound in dB."""
    counted = limits.drift_abs is None
    (past_hours, was), (hours, after) = (
        _hourly_people(part) if counted else hourly_medians(part) for part in (past, now)
    )
    if counted:
        was, after = np.log(was + PEOPLE_OFFSET), np.log(after + PEOPLE_OFFSET)
    usual = course(past_hours % 24, was)
    away_then, away_now = was - usual[past_hours % 24], after - usual[hours % 24]
    limit = float(np.log(PEOPLE_RATIO)) if counted else limits.drift_abs or 0.0
    return _moved(now.name, "level", away_then, away_now[~np.isnan(away_now)], limit)


def _hourly_people(part: Channel) -> tuple[Ints, Floats]:
    """Return (hour since 1970, people an hour) for hours with a record; a lost record counts like the others."""
    kept = part.where(part.present)
    hours, of = np.unique(kept.start_s // HOUR_S, return_inverse=True)
    records = np.bincount(of, minlength=len(hours))
    return hours, np.bincount(of, kept.value, len(hours)) / np.maximum(records, 1) * HOUR_S / part.interval_s


def _moved(name: str, what: str, past: Floats, now: Floats, limit: float) -> Comparison:
    """Judge a change of a median by the exact bounds of the hours after; the past's own median counts as known."""
    if not len(past) or not len(now):
        text = f"{name}: {what} unknown, {len(now)} hours after and {len(past)} before"
        return Comparison(name, what, np.nan, np.nan, -np.inf, np.inf, limit, len(now), "unknown", text)
    before, after = float(np.median(past)), float(np.median(now))
    low, high = (bound - before for bound in median_bounds(np.sort(now)))
    verdict: Verdict = "unknown"
    if low > limit or high < -limit:
        verdict = "bad"
    elif -limit <= low and high <= limit:
        verdict = "good"
    change = f"{after - before:+.2f} ({low:+.2f} to {high:+.2f} with {LEVEL:.0%}), allowed {limit:.2f}"
    text = f"{name}: {what} moved by {change}, {len(now)} hours: {verdict}"
    return Comparison(name, what, before, after, low, high, limit, len(now), verdict, text)
