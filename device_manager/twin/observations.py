"""Observations of Datastreams as columns: what every way of reading gives and every way of writing takes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Making(NamedTuple):
    """What made an observation: node, sensor, its firmware, configuration and sound calibration (None: not known, or
    of more than one), and the calibration that corrected it (0: none)."""

    node: str
    sensor: str
    firmware: str | None = None
    configuration: int | None = None
    sound_calibration: str | None = None
    calibration: int = 0


@dataclass(frozen=True, slots=True)
class Rows:
    """Row i is the observation `number` of Datastream `stream`, over [start_s, end_s) (Unix s); `value` is NaN where
    the result is missing, `replaces` the number before (0: none), `made` an index into `makings`."""

    number: Ints
    replaces: Ints
    stream: Ints
    start_s: Ints
    end_s: Ints
    value: Floats
    flags: Ints
    made: Ints
    makings: tuple[Making, ...] = ()

    def __len__(self) -> int:
        return len(self.number)

    def where(self, rows: npt.NDArray[Any] | slice) -> "Rows":
        """Return the rows that a mask, an index array or a slice selects."""
        return replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})


COLUMNS = ("number", "replaces", "stream", "start_s", "end_s", "value", "flags", "made")


def none() -> Rows:
    """Return no rows."""
    empty = np.zeros(0, dtype=np.int64)
    return Rows(empty, empty, empty, empty, empty, np.zeros(0), empty, empty)


def joined(parts: Sequence[Rows]) -> Rows:
    """Return the rows of all parts, one after the other."""
    parts = [part for part in parts if len(part)]
    if len(parts) < 2:
        return parts[0] if parts else none()
    places: dict[Making, int] = {}
    made = []
    for part in parts:
        place = np.array([places.setdefault(making, len(places)) for making in part.makings], dtype=np.int64)
        made.append(place[part.made])
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS[:-1]}
    return Rows(**columns, made=np.concatenate(made), makings=tuple(places))


def by_time(rows: Rows, *, descending: bool = False) -> Rows:
    """Return the rows by begin, end and number."""
    if len(rows) > 1:
        order = np.lexsort((rows.number, rows.end_s, rows.start_s))
        return rows.where(order[::-1] if descending else order)
    return rows


def distinct(key: Ints) -> tuple[Ints, Ints]:
    """Return the distinct columns of a matrix of small numbers, and where each column went."""
    low = key.min(axis=1, initial=0)
    spans = key.max(axis=1, initial=0) - low + 1
    packed = np.zeros(key.shape[1], dtype=np.int64)
    for row, least, span in zip(key, low, spans, strict=True):
        packed = packed * span + (row - least)
    _, first, at = np.unique(packed, return_index=True, return_inverse=True)
    return key[:, first], at
