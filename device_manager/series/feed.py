"""Following observations by number: everything above a number, each under its last number, a page a block.

A page holds readings (raw and corrected) of one block, or roll-ups of one chunk. A number that was replaced in the
meantime does not come: its observation comes later, under the number that replaced it, and names the old one in
`replaces`. So a reader that keeps `last` of the page it took, and asks for what is above, misses nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from device_manager.series.chunks import Chunk, ChunkKey
from device_manager.series.decisions import State, fold
from device_manager.series.deployments import Deployments
from device_manager.series.epochs import Channel, Epoch, Epochs
from device_manager.series.lineup import Reading, line_up
from device_manager.series.numbering import (
    CORRECTED,
    FRAMES,
    RAW,
    ROLLUPS,
    Block,
    frames_of,
    members,
    numbers,
    replaced_in,
    replaces,
    rollups,
)
from device_manager.series.rows import FrameRows
from device_manager.series.store import FrameSource, SeriesReader

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_BLOCKS = 16
_EVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Page:
    """Observations by number; row i has the `number`, names the number that it `replaces` (0: none), and is of
    `channels[channel]`. `period` is "" for readings; `calibration` is the id behind a corrected value, 0 for a raw one
    (and for one that no calibration corrects any more: its value is missing). `epoch` is what made a reading, as an
    index into `epochs`, -1 for roll-ups. `last` is the number to go on from."""

    cause: str
    period: str
    last: int
    channels: tuple[Channel, ...]
    number: Ints
    replaces: Ints
    node_id: Ints
    site_id: Ints
    channel: Ints
    start_s: Ints
    end_s: Ints
    value: Floats
    flags: Ints
    corrected: npt.NDArray[np.bool_]
    calibration: Ints
    epoch: Ints
    epochs: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.number)


_COLUMNS = ("number", "replaces", "node_id", "site_id", "channel", "start_s", "end_s", "value", "flags", "corrected",
            "calibration", "epoch")  # fmt: skip


class Feed:
    """Reads pages; remembers epochs. Not for two threads at once."""

    def __init__(self, source: FrameSource, store: SeriesReader, loads: Callable[[bytes], object]) -> None:
        self._source = source
        self._store = store
        self._loads = loads
        self._epochs = Epochs(source.record, loads)

    def pages(self, after: int) -> Iterator[Page]:
        """Yield pages of all observations above number `after`, by number, until there are no more."""
        return self.between(after + 1, _EVER)

    def between(self, low: int, high: int) -> Iterator[Page]:
        """Yield pages of the observations with the numbers low..high, by number; only their frames are read."""
        while low <= high and (blocks := self._store.blocks_after(low - 1, _BLOCKS)):
            state = fold(self._source.decisions())
            deployments = Deployments(self._source.deployments())
            for block in blocks:
                first, last = max(block.first, low), min(block.first + block.size - 1, high)
                if first > high:
                    return
                replaced = replaced_in(self._store.replacing(first, last), first, last)
                for page in self._pages(block, state, deployments, first, last):
                    yield _cleaned(page, first, last, replaced)
            low = blocks[-1].first + blocks[-1].size

    def lineage(self, page: Page) -> list[Epoch | None]:
        """Return what made a page's readings, by its `epoch`."""
        return [self._epochs.get(*name) for name in page.epochs]

    def _pages(self, block: Block, state: State, deployments: Deployments, first: int, last: int) -> Iterator[Page]:
        if block.form == ROLLUPS:
            yield from self._rolled(block, first, last)
            return
        rows = self._source.numbered_frames(frames_of(block, first, last))
        readings = [
            reading
            for node_id, some in _by_node(rows)
            for reading in line_up(node_id, some, self._epochs, self._loads, deployments, state).values()
        ]
        corrected = block.form == FRAMES and members(block).mask.any()
        kinds = (RAW, CORRECTED) if corrected else (block.what,)
        found = [(r, what, numbers(r.line, [block], what)) for r in readings for what in kinds]
        yield _joined(block, [piece for piece in found if piece[2].any()])

    def _rolled(self, block: Block, low: int, high: int) -> Iterator[Page]:
        keys, counts, old = rollups(block)
        first = block.first
        for key, count in zip(keys, counts, strict=True):
            if first + count > low and first <= high:
                chunk = self._store.chunk(key)
                if chunk is not None:
                    yield _of_chunk(block, key, chunk, old, first, count)
            first += count


def _of_chunk(block: Block, key: ChunkKey, chunk: Chunk, old: Ints, first: int, count: int) -> Page:
    column, row = np.nonzero(((chunk.number >= first) & (chunk.number < first + count)).T)
    order = np.argsort(chunk.number[row, column])
    row, column = row[order], column[order]
    number, same = chunk.number[row, column], np.zeros(len(row), dtype=np.int64)
    return Page(
        cause=block.cause,
        period=key.period,
        last=first + count - 1,
        channels=chunk.channels,
        number=number,
        replaces=old[number - block.first],
        node_id=same + key.node_id,
        site_id=same + key.site_id,
        channel=row,
        start_s=chunk.start_s[column],
        end_s=chunk.end_s[column],
        value=chunk.value[row, column],
        flags=chunk.flags[row, column],
        corrected=same > 0,
        calibration=same,
        epoch=same - 1,
        epochs=(),
    )


def _by_node(rows: FrameRows) -> Iterator[tuple[int, FrameRows]]:
    node_id = np.array(rows.node_id, dtype=np.int64)
    for node in np.unique(node_id).tolist():
        at = np.flatnonzero(node_id == node).tolist()
        columns: list[Any] = [[column[i] for i in at] for column in rows]
        yield node, FrameRows(*columns)


def _joined(block: Block, found: list[tuple[Reading, str, Ints]]) -> Page:
    """Put lines together, by number; only readings that have a number of this block."""
    distinct: dict[Channel, int] = {}
    epochs: dict[tuple[int, int], int] = {}
    parts: list[tuple[npt.NDArray[Any], ...]] = [tuple(np.zeros(0, dtype=np.int64) for _ in _COLUMNS)]
    for reading, what, number in found:
        at, line = np.flatnonzero(number > 0), reading.line
        same = np.zeros(len(at), dtype=np.int64)
        channel, corrected = distinct.setdefault(line.channel, len(distinct)), what == CORRECTED
        made_by = reading.calibration[at] if corrected else same
        value = np.where(made_by > 0, reading.corrected[at], np.nan) if corrected else line.value[at]
        columns = (same + reading.node_id, reading.site_id[at], same + channel, line.start_s[at], line.end_s[at])
        epoch = np.array([epochs.setdefault(name, len(epochs)) for name in line.epochs], dtype=np.int64)[line.epoch[at]]
        parts.append((number[at], same, *columns, value, line.flags[at], same + corrected, made_by, epoch))
    joined = dict(zip(_COLUMNS, map(np.concatenate, zip(*parts, strict=True)), strict=True))
    joined["corrected"] = joined["corrected"] > 0
    order = np.argsort(joined["number"])
    joined["replaces"] = replaces(joined["number"], [block])
    return Page(block.cause, "", block.first + block.size - 1, tuple(distinct), epochs=tuple(epochs),
                **{name: column[order] for name, column in joined.items()})  # fmt: skip


def _cleaned(page: Page, low: int, high: int, replaced: Ints) -> Page:
    """Leave out what was not asked for, and what was replaced later."""
    page = replace(page, last=min(page.last, high))
    keep = (page.number >= low) & (page.number <= high)
    if len(replaced):
        keep &= ~np.isin(page.number, replaced)
    if keep.all():
        return page
    return replace(page, **{name: getattr(page, name)[keep] for name in _COLUMNS})
