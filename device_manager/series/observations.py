"""Frames -> observations: one row a value, as columns, thousands of frames at a time (see `device_manager.frames`)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from device_manager import frames as wire
from device_manager.ports import StoredRecord
from device_manager.series import flags as bits
from device_manager.series.deployments import Deployments
from device_manager.series.epochs import Channel, Epoch, Epochs

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


def observations(
    records: Iterable[StoredRecord], epochs: Epochs, deployments: Deployments, loads: Callable[[bytes], object]
) -> Observations:
    """Return the observations of all frames among `records`, in their order, column after column within a frame.

    An undated frame whose record has a begin all the same was dated afterwards, see `dating`.
    """
    found = [record for record in records if record.kind == "frame"]
    decoded = wire.decode([record.payload for record in found], loads)
    table = _Table(found, decoded, epochs)
    ready = np.flatnonzero(table.first >= 0)
    size = decoded.size[ready]
    begin = np.full(len(found), -1, dtype=np.int64)
    begin[ready] = np.cumsum(size) - size
    raw, flags = _values(decoded, begin, int(size.sum())), _flags(decoded, begin, int(size.sum()))
    row = np.arange(len(raw), dtype=np.int64) - np.repeat(begin[ready], size)
    column, record = np.divmod(row, np.repeat(decoded.count[ready], size))
    channel = np.array(table.channels, dtype=np.int64)[np.repeat(table.first[ready], size) + column]
    step = np.repeat(decoded.interval_s[ready], size)
    start_s = np.repeat(table.start_s[ready], size) + record * step
    nodes = np.repeat(np.array([found[i].node_id for i in ready], dtype=np.int64), size)
    denominators = np.array([c.denominator for c in table.distinct] or [1], dtype=np.float64)
    return Observations(
        channels=tuple(table.distinct),
        number=np.repeat(np.array([found[i].number for i in ready], dtype=np.int64), size),
        node_id=nodes,
        site_id=deployments.sites(nodes, start_s),
        channel=channel,
        start_s=start_s,
        end_s=start_s + step,
        value=np.where(raw == wire.MISSING, np.nan, raw / denominators[channel]),
        flags=flags | np.repeat(np.where(decoded.t0[ready] == wire.NO_TIME, bits.DATED, 0), size),
        undated=table.undated,
        unnamed=table.unnamed,
        unreadable=table.unreadable,
    )


class _Table:
    """Which channels each frame's columns are: `first` is where they begin in `channels`, -1 for a frame that cannot
    become rows; `channels` are places in `distinct`."""

    def __init__(self, records: Sequence[StoredRecord], decoded: wire.Frames, epochs: Epochs) -> None:
        self.undated = self.unnamed = 0
        self.unreadable = int(decoded.unreadable.sum())
        self.distinct: dict[Channel, int] = {}
        self.channels: list[int] = []
        self._begins: dict[tuple[int, int], tuple[int, int] | None] = {}
        dates = np.array([-1 if r.start_s is None else r.start_s for r in records], dtype=np.int64)
        self.start_s = np.where(decoded.t0 == wire.NO_TIME, dates, decoded.t0)
        self.first = np.full(len(records), -1, dtype=np.int64)
        columns, epoch = decoded.columns.tolist(), decoded.epoch.tolist()
        readable = np.flatnonzero(~decoded.unreadable).tolist()
        for i in readable:
            self._place(i, records[i].log_id, epoch[i], columns[i], epochs)

    def _place(self, i: int, log_id: int, epoch: int, columns: int, epochs: Epochs) -> None:
        if self.start_s[i] < 0:
            self.undated += 1
            return
        name = log_id, epoch
        if name not in self._begins:
            self._begins[name] = self._begin(epochs.get(*name))
        found = self._begins[name]
        if found is None:
            self.unnamed += 1
        elif found[1] != columns:
            self.unreadable += 1
        else:
            self.first[i] = found[0]

    def _begin(self, epoch: Epoch | None) -> tuple[int, int] | None:
        if epoch is None:
            return None
        first = len(self.channels)
        self.channels += [self.distinct.setdefault(channel, len(self.distinct)) for channel in epoch.channels]
        return first, len(epoch.channels)


def _values(decoded: wire.Frames, begin: Ints, rows: int) -> npt.NDArray[np.int32]:
    values = np.zeros(rows, dtype=np.int32)
    for group in decoded.groups:
        at = begin[group.rows]
        size = group.columns * group.count
        values[(at[at >= 0, None] + np.arange(size)).reshape(-1)] = group.values.T[at >= 0].reshape(-1)
    return values


def _flags(decoded: wire.Frames, begin: Ints, rows: int) -> Ints:
    flags = np.zeros(rows, dtype=np.int64)
    for frame, column, first, length, bit in decoded.runs.tolist():
        if begin[frame] >= 0:
            at = begin[frame] + column * decoded.count[frame] + first
            flags[at : at + length] |= bit
    return flags
