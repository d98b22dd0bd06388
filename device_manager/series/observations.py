"""Frames -> observations: one row a value, as columns, with one running sum over thousands of frames.

A frame's values are differences in one flat list (see `firmware.wire.frame`). The lists of all frames are put end to
end, summed up once, and each frame's share of the sum before it is taken off again: exact in 64-bit integers.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from device_manager.ports import StoredRecord
from device_manager.series.deployments import Deployments
from device_manager.series.epochs import Channel, Epochs

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Observations:
    """Columns of equal length; row i is one reading over [start_s, end_s) (Unix s).

    `number` is the commit number of its frame, `channel` an index into `channels`, `site_id` -1 where the node hung
    nowhere, `value` NaN where it is missing, `flags` as in `firmware.wire.quality`. What could not become rows is
    counted in frames: `undated` (no clock), `unnamed` (its channels record has not come), `unreadable`.
    """

    channels: tuple[Channel, ...]
    number: Ints
    node_id: Ints
    site_id: Ints
    channel: Ints
    start_s: Ints
    end_s: Ints
    value: npt.NDArray[np.float64]
    flags: Ints
    undated: int = 0
    unnamed: int = 0
    unreadable: int = 0

    def __len__(self) -> int:
        return len(self.value)

    def where(self, rows: npt.NDArray[Any]) -> "Observations":
        """Return the rows that a mask or an index array selects; the counts stay."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _COLUMNS})


_COLUMNS = ("number", "node_id", "site_id", "channel", "start_s", "end_s", "value", "flags")


class _Frame(NamedTuple):
    """A frame that can become rows; `table` is where its channels begin in the list of all columns."""

    number: int
    node_id: int
    t0: int
    interval_s: int
    records: int
    size: int
    table: int


class _Gathered:
    """What the pass over the records collects, before everything becomes columns."""

    def __init__(self) -> None:
        self.frames: list[_Frame] = []
        self.differences: list[int] = []
        self.missing: list[int] = []
        self.runs: list[tuple[int, int, int]] = []  # (first row, rows, flags)
        self.undated = self.unnamed = self.unreadable = 0
        self.channels: dict[Channel, int] = {}
        self.table: list[int] = []
        self._tables: dict[tuple[int, int], int] = {}

    def add(self, record: StoredRecord, items: list[Any], epochs: Epochs) -> None:
        """Take one decoded frame."""
        _, _, _, epoch, t0, interval_s, count, values = items[:8]
        if t0 is None:
            self.undated += 1
            return
        table = self._table(record.log_id, epoch, epochs)
        if table is None:
            self.unnamed += 1
            return
        first, width = table
        if width * count != len(values):
            self.unreadable += 1
            return
        self._take_extras(items, count)
        self._take_values(values)
        self.frames.append(_Frame(record.number, record.node_id, t0, interval_s, count, len(values), first))

    def _table(self, log_id: int, seq: int, epochs: Epochs) -> tuple[int, int] | None:
        epoch = epochs.get(log_id, seq)
        if epoch is None:
            return None
        first = self._tables.get((log_id, seq))
        if first is None:
            first = self._tables[log_id, seq] = len(self.table)
            self.table += [self.channels.setdefault(channel, len(self.channels)) for channel in epoch.channels]
        return first, len(epoch.channels)

    def _take_extras(self, items: list[Any], count: int) -> None:
        if len(items) > 8:
            at = len(self.differences)
            runs = items[8].get(1, ())
            self.runs += [(at + channel * count + first, rows, flags) for channel, first, rows, flags in runs]

    def _take_values(self, values: list[int | None]) -> None:
        """A missing value is a difference of 0 to the sum, and no value."""
        if None in values:
            at = len(self.differences)
            self.missing += [at + i for i, value in enumerate(values) if value is None]
            self.differences += [value or 0 for value in values]
        else:
            self.differences += values  # type: ignore[arg-type]  # there is no None


def observations(
    records: Iterable[StoredRecord], epochs: Epochs, deployments: Deployments, loads: Callable[[bytes], object]
) -> Observations:
    """Return the observations of all frames among `records`, in their order, column after column within a frame."""
    gathered = _Gathered()
    for record in records:
        if record.kind != "frame":
            continue
        items = loads(record.payload)
        if isinstance(items, list) and len(items) in (8, 9):
            gathered.add(record, items, epochs)
        else:
            gathered.unreadable += 1
    return _columns(gathered, deployments)


def _columns(gathered: _Gathered, deployments: Deployments) -> Observations:
    number, node_id, t0, interval_s, count, size, table = _transposed(gathered.frames)
    first = np.cumsum(size) - size
    row = np.arange(size.sum(), dtype=np.int64) - np.repeat(first, size)
    column, record = np.divmod(row, np.repeat(count, size))
    channel = np.array(gathered.table, dtype=np.int64)[np.repeat(table, size) + column]
    step = np.repeat(interval_s, size)
    start_s = np.repeat(t0, size) + record * step
    nodes = np.repeat(node_id, size)
    return Observations(
        channels=tuple(gathered.channels),
        number=np.repeat(number, size),
        node_id=nodes,
        site_id=deployments.sites(nodes, start_s),
        channel=channel,
        start_s=start_s,
        end_s=start_s + step,
        value=_values(gathered, first, size, channel),
        flags=_flags(gathered, len(row)),
        undated=gathered.undated,
        unnamed=gathered.unnamed,
        unreadable=gathered.unreadable,
    )


def _transposed(frames: Sequence[_Frame]) -> Ints:
    return np.array(frames, dtype=np.int64).reshape(len(frames), len(_Frame._fields)).T


def _values(gathered: _Gathered, first: Ints, size: Ints, channel: Ints) -> npt.NDArray[np.float64]:
    total = np.cumsum(np.array(gathered.differences, dtype=np.int64))
    before = np.concatenate((np.zeros(1, dtype=np.int64), total))[first]
    denominators = np.array([c.denominator for c in gathered.channels], dtype=np.float64)
    values = (total - np.repeat(before, size)) / denominators[channel]
    values[gathered.missing] = np.nan
    return values


def _flags(gathered: _Gathered, rows: int) -> Ints:
    flags = np.zeros(rows, dtype=np.int64)
    for first, length, bits in gathered.runs:
        flags[first : first + length] |= bits
    return flags
