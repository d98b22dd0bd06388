"""Calibration: raw stays raw, corrected is its own series, made at read by validity interval.

A calibration belongs to a channel of a site or of a node's sensor, and is one of

    offset      corrected = raw + offset
    gain        corrected = offset + gain * raw
    curve       corrected = straight lines through points (raw, true), the outer ones going on beyond the ends

All three are curves of points or a line, so one rule applies them: `Calibration.apply`. Where several are valid for a
reading, the one made last wins, and a sensor's goes before a site's.

>>> Calibration(1, Target("pm2_5", site_id=4), 0, None, offset=1.5, gain=0.8).apply(np.array([10.0, 20.0])).tolist()
[9.5, 17.5]
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from device_manager.errors import UsageError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
NONE = 0  # no calibration's id


class Target(NamedTuple):
    """A quantity at a site, or of a sensor of a node."""

    quantity: str
    site_id: int | None = None
    node_id: int | None = None
    sensor: str | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """How to correct a channel's readings that begin in [since_s, until_s) (Unix s; None: open end)."""

    calibration_id: int
    target: Target
    since_s: int
    until_s: int | None
    offset: float = 0.0
    gain: float = 1.0
    points: tuple[tuple[float, float], ...] = ()
    report: dict[str, Any] = field(default_factory=dict)

    def apply(self, raw: Floats) -> Floats:
        """Return the corrected values; NaN stays NaN."""
        if not self.points:
            return np.asarray(self.offset + self.gain * raw)
        x, y = np.array(self.points, dtype=np.float64).T
        segment = np.clip(np.searchsorted(x, raw, side="right") - 1, 0, len(x) - 2)
        slope = np.diff(y) / np.diff(x)
        return np.asarray(y[segment] + slope[segment] * (raw - x[segment]))

    def concerns(self, node_id: int, sensor: str, quantity: str) -> bool:
        """True when it may correct that channel (a site's: wherever the node hangs there)."""
        t = self.target
        return t.quantity == quantity and (t.site_id is not None or (t.node_id, t.sensor) == (node_id, sensor))

    def covers(self, site_id: Ints, start_s: Ints) -> npt.NDArray[np.bool_]:
        """True for the readings that it corrects, of a channel that it concerns."""
        inside = (start_s >= self.since_s) & (start_s < (self.until_s if self.until_s is not None else 1 << 62))
        return inside if self.target.site_id is None else inside & (site_id == self.target.site_id)


def check(calibration: Calibration) -> None:
    """Raise UsageError unless a calibration can be applied."""
    x = [point[0] for point in calibration.points]
    numbers = [calibration.offset, calibration.gain, *x, *(point[1] for point in calibration.points)]
    if not all(np.isfinite(numbers)) or calibration.gain == 0:
        raise UsageError(expected="finite numbers and a gain other than 0", got=str(numbers), todo="mend the values")
    if len(x) == 1 or any(b <= a for a, b in zip(x, x[1:], strict=False)):
        raise UsageError(expected="two or more points with growing raw values", got=str(x), todo="sort or add points")
    if calibration.until_s is not None and calibration.until_s <= calibration.since_s:
        got = f"{calibration.since_s} to {calibration.until_s}"
        raise UsageError(expected="an end after the begin", got=got, todo="check --since and --until")


def correct(value: Floats, site_id: Ints, start_s: Ints, calibrations: Sequence[Calibration]) -> tuple[Floats, Ints]:
    """Return corrected values and the id of the calibration that made each (NONE where the raw value stands).

    `calibrations` are those that concern the channel.
    """
    corrected, made_by = value.copy(), np.zeros(len(value), dtype=np.int64)
    for calibration in in_order(calibrations):
        rows = np.flatnonzero(calibration.covers(site_id, start_s))
        corrected[rows] = calibration.apply(value[rows])
        made_by[rows] = calibration.calibration_id
    return corrected, made_by


def in_order(calibrations: Iterable[Calibration]) -> list[Calibration]:
    """Return calibrations so that a later one in the list wins."""
    return sorted(calibrations, key=lambda c: (c.target.site_id is None, c.calibration_id))
