"""A channel's plot: everything that its template writes, from readings. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from device_manager.monitoring.health import Sample
from device_manager.series import flags as bits
from device_manager.series.epochs import Channel
from device_manager.series.lineup import Reading
from device_manager.web import drawing
from device_manager.web.drawing import Floats, Ints
from device_manager.web.words import Words, offset_s
from hardware import catalog

WIDTH, HEIGHT = 640, 120
_CALM = bits.UNUSABLE & ~0x8


@dataclass(frozen=True, slots=True)
class Band:
    """A time in which readings are not used: pixel columns, why, and whether a sensor is at fault."""

    x: int
    width: int
    why: str
    fault: bool


@dataclass(frozen=True, slots=True)
class Plot:
    """One channel over a span. `ticks_y` and `ticks_x` are (pixel, label); `good` is the share of usable readings."""

    quantity: str
    title: str
    unit: str
    sensor: str
    line: str
    range: str
    bands: list[Band]
    ticks_y: list[tuple[float, str]]
    ticks_x: list[tuple[int, str]]
    last: float | None
    low: float | None
    high: float | None
    good: float
    width: int = WIDTH
    height: int = HEIGHT


def plot(reading: Reading, since_s: int, until_s: int, words: Words) -> Plot:
    """Return the plot of a channel, corrected where a calibration holds."""
    best = reading.best()
    title = catalog.quantities()[best.channel.quantity].title
    return _drawn(best.channel, title, best.start_s, best.value, best.flags, (since_s, until_s), words)


def _drawn(
    channel: Channel, title: str, start_s: Ints, value: Floats, flags: Ints, span: tuple[int, int], words: Words
) -> Plot:
    since_s, until_s = span
    bins = drawing.Bins.of(start_s, value, flags, since_s, until_s, WIDTH)
    bounds = bins.bounds()
    axis = drawing.scale(*(bounds or (0.0, 1.0)), HEIGHT)
    good, span_s = bits.usable(value, flags), until_s - since_s
    step = axis.ticks[1] - axis.ticks[0]
    digits = next((n for n in range(3) if abs(step * 10**n - round(step * 10**n)) < 1e-6), 3)
    heights = axis.y(np.array(axis.ticks)).tolist()
    return Plot(
        quantity=channel.quantity,
        title=words(title),
        unit=words.unit(channel.unit),
        sensor=channel.sensor,
        line=drawing.line(bins, axis),
        range=drawing.band(bins, axis),
        bands=[_band(run, words) for run in bins.runs()],
        ticks_y=[(y, words.number(tick, digits)) for y, tick in zip(heights, axis.ticks, strict=True)],
        ticks_x=[
            ((at - since_s) * WIDTH // span_s, words.tick(at, span_s))
            for at in drawing.time_ticks(since_s, until_s, offset_s(until_s))
        ],
        last=float(value[good][-1]) if good.any() else None,
        low=bounds[0] if bounds else None,
        high=bounds[1] if bounds else None,
        good=float(good.mean()),
    )


_HEALTH = (
    ("rssi_dbm", "Signal", "dBm"),
    ("heap_floor_bytes", "Least free memory", "kB"),
    ("backlog_records", "Records that wait", ""),
    ("chip_temperature_c", "Temperature of the chip", "°C"),
    ("supply_mv", "Supply", "mV"),
    ("clock_error_s", "Clock error", "s"),
)


def health(samples: Sequence[Sample], since_s: int, until_s: int, words: Words) -> list[Plot]:
    """Return the plots of a node's health over time, of those facts that it reported."""
    found = []
    for name, title, unit in _HEALTH:
        rows = [(at, values[name]) for at, values in samples if name in values]
        if rows:
            at, value = (np.array(column) for column in zip(*rows, strict=True))
            channel = Channel(name, unit, 1, "")
            value = value / (1000 if unit == "kB" else 1)
            found.append(_drawn(channel, title, at, value, np.zeros(len(at), np.int64), (since_s, until_s), words))
    return found


def _band(run: drawing.Run, words: Words) -> Band:
    why = ", ".join(words(name) for name in bits.names(run.flags))
    return Band(run.first, max(2, run.last - run.first + 1), why, bool(run.flags & ~_CALM & bits.UNUSABLE))
