"""Quantities that no sensor measures, as roll-ups: made with those that they come from, so that what comes late or is
recalibrated corrects them under new observation numbers, too. Pure.

    quantity              from                interval               is there when
    air_quality_index     pm2_5, pm10, mean   hour                   75 % of the hour of one of them is covered
    heating_degree_days   temperature         local day              20 of its hours have a reading
    lden                  laeq                noise day              75 % of day, evening and night are covered each
    lnight                laeq                the night of that day  75 % of it is covered

A noise day begins with its day period, at 6:00 in Germany, and ends with the night. Each carries the sensor, the
readings and all quality bits that it was made from; `seconds` is how much of its interval was covered. The index is of
particles alone, by the bands of 2024. For 75 % see Directive 2008/50/EC, annex XI, which asks for it in air quality;
for noise none is set.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from device_manager.series.calendar import HOUR_S, NOISE_DAY, day_edges
from device_manager.series.channels import Key, Line
from device_manager.series.derived import EEA_2024, heating_degrees, index, lden, noise_hours, worst
from device_manager.series.derived.degree_days import MIN_HOURS
from device_manager.series.epochs import Channel
from device_manager.series.rollups import RollUp, rolled

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
MIN_COVERAGE = 0.75
PARTICLES = ("pm2_5", "pm10")


class Derived(NamedTuple):
    """A derived quantity: what people call it, its unit (UCUM), its interval, and by what rules it is made."""

    title: str
    unit: str
    period: str
    method: str


DERIVED: Mapping[str, Derived] = {
    "air_quality_index": Derived(
        "European Air Quality Index, particles only", "1", "1h",
        "ETC HE Report 2024/17: the worse of PM2.5 and PM10 as means of an hour; 1 good, 2 fair, 3 moderate, 4 poor,"
        " 5 very poor, 6 extremely poor",
    ),
    "heating_degree_days": Derived(
        "Heating degree days Gt20/15", "K.d", "1d",
        "VDI 2067 and VDI 4710: 20 Cel less the mean of the local day, on days with a mean below 15 Cel, else 0",
    ),
    "lden": Derived(
        "Day-evening-night level of one day", "dB", NOISE_DAY,
        "Directive 2002/49/EC, annex I, evening +5 dB, night +10 dB; of one day, not of a year",
    ),
    "lnight": Derived(
        "Night level of one night", "dB", NOISE_DAY,
        "Directive 2002/49/EC, annex I; of one night, not of a year",
    ),
}  # fmt: skip


def derive(period: str, lines: Mapping[Key, Line], borders: Ints, where: ZoneInfo) -> dict[Channel, RollUp]:
    """Return what is derived over the intervals of a period between `borders`; `lines` are readings at one site,
    corrected and flagged, without totals."""
    make = _MAKERS.get(period)
    return {} if make is None else {channel: row for channel, row in make(lines, borders, where) if len(row)}


def _indices(lines: Mapping[Key, Line], borders: Ints, _: ZoneInfo) -> Iterable[tuple[Channel, RollUp]]:
    for sensor in dict.fromkeys(key.sensor for key in lines if key.quantity in PARTICLES):
        means = {q: rolled(lines[Key(sensor, q)], borders) for q in PARTICLES if Key(sensor, q) in lines}
        yield _channel("air_quality_index", sensor), _index({q: _covered(mean) for q, mean in means.items()})


def _index(means: Mapping[str, RollUp]) -> RollUp:
    start_s = reduce(np.union1d, [mean.start_s for mean in means.values()])
    levels, parts = [], []
    for quantity, mean in means.items():
        at = np.searchsorted(start_s, mean.start_s)
        level = np.full(len(start_s), np.nan)
        level[at] = index(mean.value, EEA_2024.breakpoints[quantity])
        counts = np.zeros((3, len(start_s)), dtype=np.int64)
        counts[:, at] = mean.seconds, mean.readings, mean.flags
        levels.append(level)
        parts.append(counts)
    value, counts = worst(levels), np.stack(parts)
    return RollUp(start_s, start_s + HOUR_S, value, value, value, counts[:, 0].max(axis=0), counts[:, 1].sum(axis=0),
                  np.bitwise_or.reduce(counts[:, 2], axis=0))  # fmt: skip


def _covered(row: RollUp) -> RollUp:
    at = np.flatnonzero(row.coverage >= MIN_COVERAGE)
    names = ("start_s", "end_s", "value", "low", "high", "seconds", "readings", "flags")
    return RollUp(*(getattr(row, name)[at] for name in names))


def _degree_days(lines: Mapping[Key, Line], borders: Ints, _: ZoneInfo) -> Iterable[tuple[Channel, RollUp]]:
    for key, line in lines.items():
        if key.quantity == "temperature":
            hours = rolled(line, np.arange(borders[0], borders[-1] + 1, HOUR_S))
            yield _channel("heating_degree_days", key.sensor), _days(hours, borders)


def _days(hours: RollUp, borders: Ints) -> RollUp:
    """Return the degree days of local days from hourly means: dense hours weigh no more than thin ones."""
    at = np.searchsorted(borders, hours.start_s, side="right") - 1
    first = np.flatnonzero(np.diff(at, prepend=-1))
    if not len(first):
        return hours
    start_s, end_s = borders[at[first]], borders[at[first] + 1]
    count = np.diff(np.append(first, len(at)))
    missing = (end_s - start_s) // HOUR_S - count
    mean = np.where(missing > 24 - MIN_HOURS, np.nan, np.add.reduceat(hours.value, first) / count)
    seconds, readings = (np.add.reduceat(column, first) for column in (hours.seconds, hours.readings))
    flags = np.bitwise_or.reduceat(hours.flags, first)
    return _rows(start_s, end_s, heating_degrees(mean), seconds, readings, flags)


def _rows(start_s: Ints, end_s: Ints, value: Floats, seconds: Ints, readings: Ints, flags: Ints) -> RollUp:
    """Return rows whose value is known."""
    at = np.flatnonzero(~np.isnan(value))
    return RollUp(start_s[at], end_s[at], value[at], value[at], value[at], seconds[at], readings[at], flags[at])


def _levels(lines: Mapping[Key, Line], borders: Ints, where: ZoneInfo) -> Iterable[tuple[Channel, RollUp]]:
    for key, line in lines.items():
        if key.quantity == "laeq":
            yield from _noise_days(key.sensor, line, borders, where)


def _noise_days(sensor: str, line: Line, borders: Ints, where: ZoneInfo) -> Iterable[tuple[Channel, RollUp]]:
    """Yield Lden and Lnight of the noise days between `borders`."""
    hours = noise_hours(where.key)
    begins = [
        day_edges(int(borders[0]), int(borders[-1]), where, hour) for hour in (hours.day, hours.evening, hours.night)
    ]
    inside = [edges[(edges >= borders[0]) & (edges < borders[-1])] for edges in begins]
    parts = np.stack(inside, axis=1)  # a row a noise day: where day, evening and night begin
    flat = np.append(parts.reshape(-1), borders[-1])
    found = rolled(line, flat)
    at = np.searchsorted(flat, found.start_s)
    levels, counts = np.full(parts.size, np.nan), np.zeros((3, parts.size), dtype=np.int64)
    levels[at] = np.where(found.coverage >= MIN_COVERAGE, found.value, np.nan)
    counts[:, at] = found.seconds, found.readings, found.flags
    level, (seconds, readings, flags) = levels.reshape(-1, 3), counts.reshape(3, -1, 3)
    whole = np.array([lden(day, evening, night, hours.lengths) for day, evening, night in level.tolist()])
    merged = seconds.sum(axis=1), readings.sum(axis=1), np.bitwise_or.reduce(flags, axis=1)
    yield _channel("lden", sensor), _rows(parts[:, 0], borders[1:], whole, *merged)
    of_night = seconds[:, 2], readings[:, 2], flags[:, 2]
    yield _channel("lnight", sensor), _rows(parts[:, 2], borders[1:], level[:, 2], *of_night)


def _channel(quantity: str, sensor: str) -> Channel:
    return Channel(quantity, DERIVED[quantity].unit, 1, sensor)


_Maker = Callable[[Mapping[Key, Line], Ints, ZoneInfo], Iterable[tuple[Channel, RollUp]]]
_MAKERS: Mapping[str, _Maker] = {"1h": _indices, "1d": _degree_days, NOISE_DAY: _levels}
