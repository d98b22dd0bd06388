"""Calibration from a co-location: a sensor beside a reference for some time -> how to correct the sensor.

Both series are averaged over the same intervals first (a reference is seldom quicker than an hour); an interval counts
when both sides cover at least half of what they usually do. Then, with x the sensor and y the reference,

    offset    y = a + x          a = mean(y - x)
    gain      y = b x            least squares through the origin
    line      y = a + b x        ordinary least squares of y on x
    curve     straight lines through the means of equally filled bins of x

The report says what the pairs say, with nothing rounded: n, slope and intercept of the line, R2 (squared correlation),
and RMSE and bias before and after. `rmse_unseen` is honest where the others flatter: each day is judged by a fit to all
days of the other half (every other day). Sources: US EPA, Performance Testing Protocols for Air Sensors (2021), section
on error and linearity; a line fitted where the sensor has seen little of its range says nothing beyond it.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from device_manager.errors import UsageError
from device_manager.series.calibration import Calibration, Target

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
MODELS = ("offset", "gain", "line", "curve")
FEWEST = 8
BINS = 5
_DAY_S = 86_400


class Side(NamedTuple):
    """One series: begins (Unix s) and values, NaN or absent where there is none."""

    start_s: Ints
    value: Floats


class Pairs(NamedTuple):
    """What sensor and reference said in the same intervals."""

    start_s: Ints
    sensor: Floats
    reference: Floats


class Fit(NamedTuple):
    """The correction, and what the pairs say about it; see the module."""

    model: str
    offset: float
    gain: float
    points: tuple[tuple[float, float], ...]
    n: int
    slope: float
    intercept: float
    r2: float
    rmse_before: float
    rmse_after: float
    rmse_unseen: float
    bias_before: float
    bias_after: float
    sensor_low: float
    sensor_high: float

    def calibration(self, target: Target, since_s: int, until_s: int | None) -> Calibration:
        """Return the calibration, which carries its report; its id is given when it is decided."""
        report = {key: value for key, value in self._asdict().items() if key not in ("offset", "gain", "points")}
        return Calibration(0, target, since_s, until_s, self.offset, self.gain, self.points, report)

    def apply(self, sensor: Floats) -> Floats:
        """Return corrected values."""
        return self.calibration(Target(""), 0, None).apply(sensor)


def pair(sensor: Side, reference: Side, interval_s: int) -> Pairs:
    """Return the means of both series over common intervals of Unix time."""
    means = [_means(side, interval_s) for side in (sensor, reference)]
    common, left, right = np.intersect1d(means[0][0], means[1][0], return_indices=True)
    return Pairs(common * interval_s, means[0][1][left], means[1][1][right])


def _means(side: Side, interval_s: int) -> tuple[Ints, Floats]:
    good = ~np.isnan(side.value)
    slots, at, count = np.unique(side.start_s[good] // interval_s, return_inverse=True, return_counts=True)
    if not len(slots):
        return slots, np.zeros(0)
    mean = np.bincount(at, weights=side.value[good]) / count
    enough = count >= np.median(count) / 2
    return slots[enough], mean[enough]


def fit(pairs: Pairs, model: str) -> Fit:
    """Return the fit of a model; UsageError when there are too few pairs, or all the same."""
    x, y = pairs.sensor, pairs.reference
    if model not in MODELS:
        raise UsageError(expected=" or ".join(MODELS), got=repr(model), todo="choose a model")
    if len(x) < FEWEST or float(np.ptp(x)) == 0:
        got = f"{len(x)} pairs with sensor values from {x.min() if len(x) else 0:g} to {x.max() if len(x) else 0:g}"
        todo = "take a longer time, or shorter intervals"
        raise UsageError(expected=f"{FEWEST} or more pairs of different values", got=got, todo=todo)
    offset, gain, points = _solve(model, x, y)
    slope, intercept = _line(x, y)
    correlation = np.corrcoef(x, y)[0, 1] if np.ptp(y) > 0 else 0.0
    made = Fit(model, offset, gain, points, len(x), slope, intercept, float(correlation**2), _rmse(x - y), 0.0,
               _unseen(pairs, model), float(np.mean(x - y)), 0.0, float(x.min()), float(x.max()))  # fmt: skip
    after = made.apply(x) - y
    return made._replace(rmse_after=_rmse(after), bias_after=float(np.mean(after)))


def _solve(model: str, x: Floats, y: Floats) -> tuple[float, float, tuple[tuple[float, float], ...]]:
    """Return offset, gain and points of a model."""
    if model == "offset":
        return float(np.mean(y - x)), 1.0, ()
    if model == "gain":
        return 0.0, float(x @ y / (x @ x)), ()
    if model == "line":
        slope, intercept = _line(x, y)
        return intercept, slope, ()
    order = np.argsort(x, kind="stable")
    bins = [(float(x[rows].mean()), float(y[rows].mean())) for rows in np.array_split(order, BINS)]
    rising = [bins[0], *(b for a, b in zip(bins, bins[1:], strict=False) if b[0] > a[0])]
    if len(rising) < 2:
        raise UsageError(expected="sensor values that spread over bins", got="nearly all the same", todo="fit a line")
    return 0.0, 1.0, tuple(rising)


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """Return slope and intercept by least squares."""
    x0, y0 = x - x.mean(), y - y.mean()
    slope = float(x0 @ y0 / (x0 @ x0))
    return slope, float(y.mean() - slope * x.mean())


def _unseen(pairs: Pairs, model: str) -> float:
    """Return the RMSE of each half of the days, corrected by a fit to the other half; NaN with too few."""
    odd = pairs.start_s // _DAY_S % 2 == 1
    errors = []
    for judged in (odd, ~odd):
        x, y = pairs.sensor[~judged], pairs.reference[~judged]
        if len(x) < FEWEST or not judged.any() or np.ptp(x) == 0:
            return float("nan")
        correction = Calibration(0, Target(""), 0, None, *_solve(model, x, y))
        errors.append(correction.apply(pairs.sensor[judged]) - pairs.reference[judged])
    return _rmse(np.concatenate(errors))


def _rmse(error: Floats) -> float:
    return float(np.sqrt(np.mean(error**2)))


def report_of(made: Fit) -> dict[str, Any]:
    """Return the report for people and programs, in the order in which it is read."""
    return {**made._asdict(), "points": [list(point) for point in made.points]}
