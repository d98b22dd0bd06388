"""The series of channels: frames of one node -> per channel one line of readings in time order.

The same readings give the same line bit for bit, however they were cut into frames, in whatever order those came, and
however often: lines are ordered by what the readings say, never by how they arrived. Two readings of one interval (a
node may send the same records from two logs) become one: the present before the missing, then the lower (log, number).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from device_manager import frames as wire
from device_manager.series import flags as bits
from device_manager.series.epochs import Channel, Epochs
from device_manager.series.rows import FrameRows

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Key(NamedTuple):
    """Which channel of a node."""

    sensor: str
    quantity: str


@dataclass(frozen=True, slots=True)
class Line:
    """Readings of one channel by begin; row i covers [start_s, end_s) (Unix s), `value` NaN where it is missing.

    `frame` is the commit number of the frame that brought it, `cell` its place among that frame's values, `epoch` the
    (log_id, seq) of its channels record as an index into `epochs`.
    """

    channel: Channel
    start_s: Ints
    end_s: Ints
    value: Floats
    flags: Ints
    frame: Ints
    cell: Ints
    epoch: Ints
    epochs: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.value)

    def where(self, rows: npt.NDArray[Any] | slice) -> "Line":
        """Return the rows that a mask, an index array or a slice selects."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _COLUMNS})

    def between(self, since_s: int, until_s: int) -> "Line":
        """Return the readings that begin in [since_s, until_s)."""
        low, high = np.searchsorted(self.start_s, (since_s, until_s))
        return self.where(slice(int(low), int(high)))


_COLUMNS = ("start_s", "end_s", "value", "flags", "frame", "cell", "epoch")


def lines(
    rows: FrameRows, epochs: Epochs, loads: Callable[[bytes], object], only: Callable[[Key], bool] | None = None
) -> dict[Key, Line]:
    """Return the channels of one node's dated frames, in the order of their columns; `only` picks some."""
    if not rows.payload:
        return {}
    log_id = np.array(rows.log_id, dtype=np.int64)
    decoded = wire.decode(
        rows.payload, loads, (lambda epoch: _last_column(log_id, epoch, epochs, only)) if only else None
    )
    pieces: dict[Key, list[_Piece]] = {}
    names: dict[tuple[int, int], int] = {}
    for group in decoded.groups:
        for at, name in _by_epoch(decoded, group, log_id):
            epoch = epochs.get(*name)
            if epoch is None or len(epoch.channels) != group.columns:
                continue
            index = names.setdefault(name, len(names))
            for column, channel in enumerate(epoch.channels):
                key = Key(channel.sensor, channel.quantity)
                if only is None or only(key):
                    pieces.setdefault(key, []).append(_Piece(channel, group, at, column, index))
    axis = _Axis(rows, decoded)
    return {key: _line(axis, found, tuple(names)) for key, found in pieces.items()}


def _last_column(log_id: Ints, epoch: Ints, epochs: Epochs, only: Callable[[Key], bool]) -> int:
    """Return how many leading columns hold all channels that are asked for."""
    last = 0
    for name in wire.distinct(log_id << 32 | epoch):
        found = epochs.get(name >> 32, name & 0xFFFFFFFF)
        for column, channel in enumerate(found.channels if found else ()):
            if only(Key(channel.sensor, channel.quantity)):
                last = max(last, column + 1)
    return last


class _Piece(NamedTuple):
    """One column of the frames `at` (positions within a group) of one epoch."""

    channel: Channel
    group: wire.Group
    at: Ints
    column: int
    epoch: int

    def values(self) -> Floats:
        raw = self.group.column(self.column)
        raw = raw if len(self.at) == len(raw) else raw[self.at]
        value = raw.reshape(-1) / np.float64(self.channel.denominator)
        value[raw.reshape(-1) == wire.MISSING] = np.nan
        return value


class _Axis:
    """Begin, step and rank of every frame, and the quality runs by frame."""

    def __init__(self, rows: FrameRows, decoded: wire.Frames) -> None:
        start_s = np.array([0 if s is None else s for s in rows.start_s], dtype=np.int64)
        undated = decoded.t0 == wire.NO_TIME
        unsure = np.array(rows.unsure_s, dtype=np.int64) > 0
        self.start_s = np.where(undated, start_s, decoded.t0)
        self.flags = np.where(undated, bits.DATED, 0) | np.where(undated & unsure, bits.DATE_UNSURE, 0)
        self.step_s = decoded.interval_s
        self.number = np.array(rows.number, dtype=np.int64)
        self.rank = np.empty(len(self.number), dtype=np.int64)
        self.rank[np.lexsort((decoded.seq, decoded.log))] = np.arange(len(self.number))
        self.runs = decoded.runs


def _by_epoch(decoded: wire.Frames, group: wire.Group, log_id: Ints) -> list[tuple[Ints, tuple[int, int]]]:
    """Return the positions within a group for each (log_id, epoch)."""
    names = log_id[group.rows] << 32 | decoded.epoch[group.rows]
    found = wire.distinct(names)
    every = np.arange(len(names))
    return [(every if len(found) == 1 else np.flatnonzero(names == n), (n >> 32, n & 0xFFFFFFFF)) for n in found]


def _line(axis: _Axis, pieces: list[_Piece], epochs: tuple[tuple[int, int], ...]) -> Line:
    frame = np.concatenate([np.repeat(p.group.rows[p.at], p.group.count) for p in pieces])
    record = np.concatenate([np.tile(np.arange(p.group.count), len(p.at)) for p in pieces])
    cell = record + np.concatenate([np.full(len(p.at) * p.group.count, p.column * p.group.count) for p in pieces])
    epoch = np.concatenate([np.full(len(p.at) * p.group.count, p.epoch) for p in pieces])
    value = np.concatenate([p.values() for p in pieces])
    flags = axis.flags[frame]
    if len(axis.runs):
        _mark(flags, axis.runs, pieces)
    step_s = axis.step_s[frame]
    start_s = axis.start_s[frame] + record * step_s
    line = Line(pieces[-1].channel, start_s, start_s + step_s, value, flags, axis.number[frame], cell, epoch, epochs)
    return _ordered(line, axis.rank[frame])


def _mark(flags: Ints, runs: Ints, pieces: list[_Piece]) -> None:
    """Set the bits of the quality runs that belong to these columns."""
    at = 0
    for piece in pieces:
        rows = piece.group.rows[piece.at]
        place = {int(row): at + i * piece.group.count for i, row in enumerate(rows.tolist())}
        for row, column, first, records, flag in runs[np.isin(runs[:, 0], rows)].tolist():
            if column == piece.column:
                flags[place[row] + first : place[row] + first + records] |= flag
        at += len(rows) * piece.group.count


def _ordered(line: Line, rank: Ints) -> Line:
    """Sort by interval and leave one reading for each."""
    if (np.diff(line.start_s) > 0).all():
        return line
    order = np.lexsort((rank, np.isnan(line.value), line.end_s, line.start_s))
    line = line.where(order)
    again = (np.diff(line.start_s) == 0) & (np.diff(line.end_s) == 0)
    return line.where(np.concatenate((np.ones(1, dtype=bool), ~again))) if again.any() else line
