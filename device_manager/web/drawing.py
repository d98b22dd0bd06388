"""Readings as a picture: lowest and highest of each pixel column; 43,200 readings draw as 640 and no peak is lost.

Pure: arrays in, SVG path data and places out. x counts pixel columns, y pixels from the top.

>>> import numpy as np
>>> bins = Bins.of(np.array([0, 60, 120, 180]), np.array([1.0, 5.0, 2.0, np.nan]), np.zeros(4, int), 0, 240, 2)
>>> bins.low.tolist(), bins.high.tolist()
([1.0, 2.0], [5.0, 2.0])
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from device_manager.series import flags as bits

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
GAP_COLUMNS = 3
"""A line goes on over fewer empty columns than this, more are a gap (or three readings, where they are far apart)."""


class Run(NamedTuple):
    """Pixel columns `first`..`last` in which readings carried `flags` that forbid their use."""

    first: int
    last: int
    flags: int


@dataclass(frozen=True, slots=True)
class Bins:
    """A channel over a width: per pixel column the lowest and highest usable value and their mean (NaN: none), and the
    flags of those that are not usable."""

    low: Floats
    high: Floats
    mean: Floats
    flags: Ints
    gap: int

    @classmethod
    def of(cls, start_s: Ints, value: Floats, flags: Ints, since_s: int, until_s: int, width: int) -> "Bins":
        """Return the bins of readings in time order; `width` in pixel columns over [since_s, until_s)."""
        column = (start_s - since_s) * width // (until_s - since_s)
        inside = (column >= 0) & (column < width)
        column, value, flags = column[inside], value[inside], flags[inside]
        empty = np.full(width, np.nan)
        made = cls(
            empty, empty.copy(), empty.copy(), np.zeros(width, dtype=np.int64), _gap(start_s, since_s, until_s, width)
        )
        good = bits.usable(value, flags)
        _spread(made, column[good], value[good])
        np.bitwise_or.at(made.flags, column[~good], flags[~good] & bits.UNUSABLE)
        return made

    def bounds(self) -> tuple[float, float] | None:
        """Return the lowest and highest value, None when there is none."""
        if np.isnan(self.low).all():
            return None
        return float(np.nanmin(self.low)), float(np.nanmax(self.high))

    def runs(self) -> list[Run]:
        """Return where readings are not usable, neighbours with the same flags joined."""
        at = np.flatnonzero(self.flags)
        if not len(at):
            return []
        breaks = np.flatnonzero((np.diff(at) > 1) | (np.diff(self.flags[at]) != 0)) + 1
        return [Run(int(p[0]), int(p[-1]), int(self.flags[p[0]])) for p in np.split(at, breaks)]


def _gap(start_s: Ints, since_s: int, until_s: int, width: int) -> int:
    """Return how many columns without a value are a gap: three usual distances of readings."""
    if len(start_s) < 2:
        return GAP_COLUMNS
    usual_s = float(np.median(np.diff(start_s)))
    return max(GAP_COLUMNS, math.ceil(3 * usual_s * width / (until_s - since_s)))


def _spread(made: Bins, column: Ints, value: Floats) -> None:
    if not len(column):
        return
    first = np.flatnonzero(np.concatenate(([True], np.diff(column) > 0)))
    at = column[first]
    made.low[at] = np.minimum.reduceat(value, first)
    made.high[at] = np.maximum.reduceat(value, first)
    made.mean[at] = np.add.reduceat(value, first) / np.diff(np.append(first, len(column)))


class Scale(NamedTuple):
    """A value axis: `low` at the bottom of `height` pixels, `high` at the top, labels at `ticks`."""

    low: float
    high: float
    height: int
    ticks: tuple[float, ...]

    def y(self, value: Floats) -> Floats:
        """Return pixels from the top."""
        return np.asarray((self.high - value) / (self.high - self.low) * self.height)


def scale(low: float, high: float, height: int, wanted: int = 4) -> Scale:
    """Return an axis with some `wanted` round ticks that holds low..high; a flat line gets room around it."""
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    step = _round_step((high - low) / wanted)
    first, last = math.floor(low / step), math.ceil(high / step)
    ticks = tuple(round(i * step, 10) for i in range(first, last + 1))
    return Scale(first * step, last * step, height, ticks)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return float(next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= rough * 0.999))


def line(bins: Bins, axis: Scale) -> str:
    """Return the path of the means, begun anew after every gap."""
    at = np.flatnonzero(~np.isnan(bins.mean))
    y = np.round(axis.y(bins.mean[at]), 1)
    new = np.concatenate(([True], np.diff(at) > bins.gap)) if len(at) else np.zeros(0, bool)
    return "".join(f"{'M' if n else 'L'}{x} {_short(v)}" for x, v, n in zip(at.tolist(), y.tolist(), new, strict=True))


def band(bins: Bins, axis: Scale) -> str:
    """Return the path of strokes from lowest to highest of each column where these differ."""
    at = np.flatnonzero(bins.high > bins.low)
    tops, bottoms = (np.round(axis.y(values[at]), 1).tolist() for values in (bins.high, bins.low))
    return "".join(f"M{x} {_short(t)}V{_short(b)}" for x, t, b in zip(at.tolist(), tops, bottoms, strict=True))


def _short(value: float) -> str:
    return f"{value:g}"


def time_ticks(since_s: int, until_s: int, offset_s: int, most: int = 8) -> list[int]:
    """Return round local times (Unix s) in the span; `offset_s` is the zone's, so that midnight is one."""
    for step in (60, 300, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 432_000, 864_000):
        if (until_s - since_s) / step <= most:
            break
    first = -(-(since_s + offset_s) // step) * step - offset_s
    return list(range(first, until_s, step))
