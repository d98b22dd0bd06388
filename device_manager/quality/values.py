"""Values that cannot be: out of range, parts above the whole, standing still, flat days."""

from collections.abc import Sequence

import numpy as np

from device_manager.quality.channel import DAY_S, HOUR_S, Bools, Channel, Floats
from device_manager.quality.finding import Finding, merged
from device_manager.quality.limits import Limits
from device_manager.quality.runs import clusters, equal_runs

JOIN_S = DAY_S
"""Findings of one rule within a day of each other are one fault."""

SAME_RECORDS, SAME_SHARE = 10, 0.9
"""So many values out of range, nearly all exactly equal, are no measurements: the sensor stands at an end of its
scale; what is between are means over a minute in which it came or went."""

EQUAL_RECORDS = 6
LOWEST_STANDS_LONGER = 4.0

VAPOUR_RATIO = 2.0
"""Air that stays saturated while it warms must take up water: 7 % a kelvin. Twice the vapour within one run is more
than fronts bring (10 K at 10 Cel); a wet or broken sensor does not care what the temperature does."""

SATURATED_DAYS = 7
"""Fog of a Central European high lasts for days; a week of exactly the same reading is a sensor."""

BREAK_S = HOUR_S
SATURATED_BREAK_S = DAY_S
"""What stood before a longer gap may have moved in it; a saturated sensor is judged by the air's temperature, which
needs only that the same weather lasts."""

LEAST_SHARE = 0.8
ORDER_SLACK = 0.15
"""Parts and wholes are rounded one by one, and PM sizes are computed from the same few counted particles."""

ORDERED = (("pm1", "pm2_5", "pm4", "pm10"), ("lafmin", "la99", "la90", "la50", "la10", "lafmax"), ("laeq", "lafmax"))
"""Quantities of one sensor that cannot be larger than the next."""


def out_of_range(channel: Channel, limits: Limits) -> Bools:
    """Return the rows whose value cannot be."""
    low = -np.inf if limits.low is None else limits.low
    high = np.inf if limits.high is None else limits.high
    return channel.present & ((channel.value < low) | (channel.value > high))


def ranges(channel: Channel, limits: Limits, unit: str) -> list[Finding]:
    """Return one finding for each day-long group of values out of range; all equal: the sensor is stuck at an end."""
    rows = np.flatnonzero(out_of_range(channel, limits))
    return [
        _range(channel, limits, unit, rows[group])
        for group in clusters(channel.start_s[rows], JOIN_S + channel.interval_s)
    ]


def _range(channel: Channel, limits: Limits, unit: str, rows: np.ndarray) -> Finding:
    values = channel.value[rows]
    low = limits.low is not None and values.min() < limits.low
    limit = float((limits.low if low else limits.high) or 0.0)
    value = float(values.min() if low else values.max())
    same = int(np.count_nonzero(values == value))
    rule = "stuck" if len(rows) >= SAME_RECORDS and same >= SAME_SHARE * len(rows) else "range"
    ends = f"{same} of them exactly {value:g}" if rule == "stuck" else f"as far as {value:g}"
    text = f"{channel.name}: {len(rows)} values {'below' if low else 'above'} {limit:g} {unit}, {ends}"
    start_s, end_s = int(channel.start_s[rows[0]]), int(channel.start_s[rows[-1]] + channel.interval_s)
    return Finding(channel.name, rule, start_s, end_s, value, limit, unit, len(rows), text)


def orders(channels: Sequence[Channel], unit: str = "1") -> list[Finding]:
    """Return where parts exceed the whole: PM2.5 above PM10, L90 above L10; `channels` are those of one sensor."""
    by_quantity = {channel.quantity: channel for channel in channels}
    found = []
    for chain in ORDERED:
        present = [by_quantity[quantity] for quantity in chain if quantity in by_quantity]
        for part, whole in zip(present, present[1:], strict=False):
            found += _order(part, whole, unit)
    return found


def _order(part: Channel, whole: Channel, unit: str) -> list[Finding]:
    times, of_part, of_whole = np.intersect1d(part.start_s, whole.start_s, return_indices=True)
    excess = part.value[of_part] - whole.value[of_whole]
    wrong = np.flatnonzero(excess > ORDER_SLACK + ORDER_SLACK * np.abs(whole.value[of_whole]))
    if len(wrong) < SAME_RECORDS:
        return []
    worst = float(excess[wrong].max())
    text = f"{part.name}: above {whole.quantity} in {len(wrong)} records, by up to {worst:.1f}"
    start_s, end_s = int(times[wrong[0]]), int(times[wrong[-1]] + part.interval_s)
    return [Finding(part.name, "order", start_s, end_s, worst, ORDER_SLACK, unit, len(wrong), text)]


def standing(channel: Channel, limits: Limits, unit: str, temperature: Channel | None = None) -> list[Finding]:
    """Return runs of exactly equal values that last longer than nature stands still.

    A saturated value may stand as long as temperature (of the same node) does not say that the air changed.
    """
    if limits.stuck_h is None:
        return []
    kept = channel.where(channel.present & ~out_of_range(channel, limits))
    top = np.inf if limits.saturates is None else limits.saturates
    dry = [kept.where(slice(*run)) for run in equal_runs(kept, BREAK_S) if kept.value[run[0]] < top]
    wet = [kept.where(slice(*run)) for run in equal_runs(kept, SATURATED_BREAK_S) if kept.value[run[0]] >= top]
    found = [_stands(run, limits, unit, kept) for run in dry] + [_saturated(run, unit, temperature) for run in wet]
    return merged([one for one in found if one], JOIN_S)


def _stands(run: Channel, limits: Limits, unit: str, kept: Channel) -> Finding | None:
    hours = len(run.value) * run.interval_s / HOUR_S  # records, not time: nothing stands in a gap
    if limits.stuck_h is None or hours <= limits.stuck_h or len(run.value) < EQUAL_RECORDS:
        return None
    limit = limits.stuck_h * max(1.0, _resolution(kept.value) / limits.step)
    if run.value[0] == kept.value.min():
        limit *= LOWEST_STANDS_LONGER
    if hours <= limit:
        return None
    return _stuck(run, hours, limit, "h", f"exactly {run.value[0]:g} {unit} for {hours:.1f} h, at most {limit:g} h")


def _resolution(values: Floats) -> float:
    """Return the smallest step between two values that occurred, 0 when there is one value only."""
    steps = np.diff(np.unique(values))
    return float(steps.min()) if len(steps) else 0.0


def _saturated(run: Channel, unit: str, temperature: Channel | None) -> Finding | None:
    start_s, end_s = run.start_s[0], run.start_s[-1]
    if end_s - start_s > SATURATED_DAYS * DAY_S:
        days = (end_s - start_s) / DAY_S
        return _stuck(run, days, SATURATED_DAYS, "d", f"exactly {run.value[0]:g} {unit} for {days:.1f} d")
    air = temperature.between(start_s, end_s + 1).value if temperature else np.empty(0)
    air = air[~np.isnan(air)]
    if len(air) < EQUAL_RECORDS:
        return None
    ratio = float(_vapour_hpa(air.max()) / _vapour_hpa(air.min()))
    if ratio < VAPOUR_RATIO:
        return None
    text = f"exactly {run.value[0]:g} {unit} while the air went from {air.min():.1f} to {air.max():.1f} Cel"
    return _stuck(run, ratio, VAPOUR_RATIO, "1", text)


def _vapour_hpa(temperature_cel: float) -> float:
    """Return the saturation vapour pressure over water: Magnus formula, WMO-No. 8 annex 4.B."""
    return float(6.112 * np.exp(17.62 * temperature_cel / (243.12 + temperature_cel)))


def _stuck(run: Channel, value: float, limit: float, unit: str, what: str) -> Finding:
    start_s, end_s = int(run.start_s[0]), int(run.start_s[-1] + run.interval_s)
    text = f"{run.name}: {what}"
    return Finding(run.name, "stuck", start_s, end_s, value, limit, unit, len(run.value), text)


def flat_days(channel: Channel, limits: Limits, unit: str) -> list[Finding]:
    """Return days (UTC) with nearly all records, and less change than the quietest real day has."""
    if limits.flat is None:
        return []
    kept = channel.where(channel.present)
    found = []
    for day in np.unique(kept.start_s // DAY_S):
        values = kept.between(day * DAY_S, (day + 1) * DAY_S).value
        spread = float(np.subtract(*np.percentile(values, [95, 5])))
        if spread < limits.flat and len(values) >= LEAST_SHARE * DAY_S / channel.interval_s:
            found.append(_flat(channel, int(day) * DAY_S, spread, limits.flat, unit, len(values)))
    return merged(found, JOIN_S)


def _flat(channel: Channel, start_s: int, spread: float, limit: float, unit: str, count: int) -> Finding:
    text = f"{channel.name}: a day within {spread:.2g} {unit}, every real day moves by {limit:g} {unit}"
    return Finding(channel.name, "flat", start_s, start_s + DAY_S, spread, limit, unit, count, text)
