"""Observation numbers: blocks of consecutive numbers, a row a block, never a row an observation.

Numbers count from 1 in the order in which observations become readable, and are given once. There are three forms:

    frames   readings of frames, in the order of the frames' commit numbers: for each frame first all its raw values
             (column after column, missing ones too), then the values of those columns that a calibration corrects
    runs     readings that changed: runs of records of one column, each with the number that its first one had before
             (0: had none). Raw and corrected ones never share a block
    rollups  cells of chunks; a chunk keeps the present number of each of its cells, the block what they replace

So the number of a reading is found by arithmetic: the block that holds its frame, its place in it, and the runs of its
node that came later. A number that was replaced names no observation any more; a reader that follows the numbers gets
each observation once, under its last number, however late it reads.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from device_manager.series import packing
from device_manager.series.channels import Line
from device_manager.series.chunks import ChunkKey

Ints = npt.NDArray[np.int64]
FRAMES, RUNS, ROLLUPS = "frames", "runs", "rollups"
RAW, CORRECTED, ROLLED = "raw", "corrected", "rolled up"
BLOCK_FRAMES = 4096
PERIODS = ("15min", "1h", "1d", "noise_day")  # kept by their place: add at the end only


class Block(NamedTuple):
    """Numbers first..first+count-1. `decision`: the last decision that was known; `low`..`high`: the frames' commit
    numbers in it (0 for roll-ups); `old_low`..`old_high`: the numbers that it replaces (0: none)."""

    first: int
    size: int
    form: str
    what: str
    cause: str
    decision: int
    node_id: int
    low: int
    high: int
    old_low: int
    old_high: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Members:
    """The frames of a block in order, as runs of `frames` frames of one shape whose commit numbers follow each other;
    `mask` has a bit for each corrected column, `first` is the number of each run's first value."""

    frame: Ints
    frames: Ints
    records: Ints
    columns: Ints
    mask: Ints
    first: Ints


@dataclass(frozen=True, slots=True)
class Runs:
    """Changed readings of one node: `records` from `cell` on of each frame; `first` and `replaces` are numbers."""

    frame: Ints
    cell: Ints
    records: Ints
    replaces: Ints
    first: Ints


def frames_block(first: int, table: Ints, cause: str, decision: int) -> Block:
    """Return a block for frames; `table` has the rows commit number (growing), records, columns, mask."""
    frame, records, columns, mask = table
    follows = (np.diff(frame) == 1) & (np.diff(table[1:], axis=1) == 0).all(axis=0)
    begin = np.flatnonzero(np.concatenate((np.ones(1, dtype=bool), ~follows)))
    frames = np.diff(np.append(begin, len(frame)))
    size = int((records * (columns + bits(mask))).sum())
    body = packing.pack([np.stack((frame[begin], frames, records[begin], columns[begin], mask[begin]))], 1)
    return Block(first, size, FRAMES, RAW, cause, decision, 0, int(frame[0]), int(frame[-1]), 0, 0, body)


@lru_cache(256)  # who reads page after page needs the same blocks again and again
def members(block: Block) -> Members:
    """Return the frames of a block."""
    frame, frames, records, columns, mask = packing.unpack(block.body, 1)[0]
    sizes = frames * records * (columns + bits(mask))
    return Members(frame, frames, records, columns, mask, block.first + np.cumsum(sizes) - sizes)


def table_of(held: Members) -> Ints:
    """Return what `frames_block` was given."""
    step = np.arange(int(held.frames.sum())) - np.repeat(np.cumsum(held.frames) - held.frames, held.frames)
    shape = (np.repeat(row, held.frames) for row in (held.records, held.columns, held.mask))
    return np.stack((np.repeat(held.frame, held.frames) + step, *shape))


def runs_block(first: int, what: str, line: Line, old: Ints, cause: str, decision: int, node_id: int) -> Block:
    """Return a block for the readings of a line, which had the numbers `old` before (0: none)."""
    frame, cell = line.frame, line.cell
    follows = (np.diff(frame) == 0) & (np.diff(cell) == 1) & (np.diff(old) == np.where(old[1:] > 0, 1, 0))
    begin = np.flatnonzero(np.concatenate((np.ones(1, dtype=bool), ~follows)))
    records = np.diff(np.append(begin, len(frame)))
    body = packing.pack([np.stack((frame[begin], cell[begin], records, old[begin]))], 1)
    known = old[old > 0]
    olds = (int(known.min()), int(known.max())) if len(known) else (0, 0)
    span = int(frame.min()), int(frame.max())
    return Block(first, len(frame), RUNS, what, cause, decision, node_id, *span, *olds, body)


def runs(block: Block) -> Runs:
    """Return what `runs_block` made."""
    frame, cell, records, replaces = packing.unpack(block.body, 1)[0]
    return Runs(frame, cell, records, replaces, block.first + np.cumsum(records) - records)


def rollups_block(first: int, keys: Sequence[ChunkKey], counts: Sequence[int], replaces: Ints, cause: str) -> Block:
    """Return a block for changed cells, chunk after chunk; `replaces` has a number or 0 for each cell."""
    rows = [(key.node_id, key.site_id, PERIODS.index(key.period), key.first_s, count)
            for key, count in zip(keys, counts, strict=True)]  # fmt: skip
    body = packing.pack([np.array(rows, dtype=np.int64).T, replaces.reshape(1, -1)], 1)
    known = replaces[replaces > 0]
    olds = (int(known.min()), int(known.max())) if len(known) else (0, 0)
    return Block(first, len(replaces), ROLLUPS, ROLLED, cause, 0, 0, 0, 0, *olds, body)


def rollups(block: Block) -> tuple[list[ChunkKey], list[int], Ints]:
    """Return the chunks of a roll-up block, how many numbers each has, and what each number replaces."""
    rows, replaces = packing.unpack(block.body, 1)
    keys = [ChunkKey(node, site, PERIODS[period], first_s) for node, site, period, first_s, _ in rows.T.tolist()]
    return keys, rows[4].tolist(), replaces[0]


def bits(mask: Ints) -> Ints:
    """Return how many bits are set in each number."""
    return np.bitwise_count(mask).astype(np.int64)


def numbers(line: Line, blocks: Iterable[Block], what: str) -> Ints:
    """Return the present number of each reading of one node's line, raw or corrected; 0: it has none.

    `blocks` are all that may hold its frames, by first number: those of form frames, and the node's runs.
    """
    found = np.zeros(len(line), dtype=np.int64)
    order = np.lexsort((line.cell, line.frame))
    key = (line.frame[order] << 16) | line.cell[order]
    frames = line.frame[order]
    for block in blocks:
        if block.form == FRAMES:
            low, high = np.searchsorted(frames, (block.low, block.high + 1)).tolist()
            if high > low:
                _from_members(found, line, order[low:high], members(block), what)
        elif block.what == what:
            _from_runs(found, order, key, runs(block))
    return found


def _from_members(found: Ints, line: Line, rows: Ints, held: Members, what: str) -> None:
    frame = line.frame[rows]
    at = np.maximum(np.searchsorted(held.frame, frame, side="right") - 1, 0)
    place = frame - held.frame[at]
    here = np.flatnonzero((place >= 0) & (place < held.frames[at]))
    at, rows, place = at[here], rows[here], place[here]
    records, columns, mask = held.records[at], held.columns[at], held.mask[at]
    first = held.first[at] + place * records * (columns + bits(mask))
    column, record = np.divmod(line.cell[rows], records)
    if what == RAW:
        found[rows] = first + line.cell[rows]
        return
    below = mask & ((np.int64(1) << column) - 1)
    number = first + records * (columns + bits(below)) + record
    found[rows] = np.where(mask >> column & 1, number, found[rows])


def _from_runs(found: Ints, order: Ints, key: Ints, changed: Runs) -> None:
    """Overwrite the numbers of readings that a run renumbered."""
    total = int(changed.records.sum())
    step = np.arange(total) - np.repeat(np.cumsum(changed.records) - changed.records, changed.records)
    keys = np.repeat((changed.frame << 16) | changed.cell, changed.records) + step
    number = np.repeat(changed.first, changed.records) + step
    at = np.minimum(np.searchsorted(key, keys), len(key) - 1)
    hit = key[at] == keys
    found[order[at[hit]]] = number[hit]


def frames_of(block: Block, low: int, high: int) -> list[int]:
    """Return the commit numbers of the frames that hold the block's numbers low..high, growing."""
    if block.form == RUNS:
        changed = runs(block)
        hit = (changed.first + changed.records > low) & (changed.first <= high)
        found: list[int] = np.unique(changed.frame[hit]).tolist()
        return found
    frame, records, columns, mask = table_of(members(block))
    sizes = records * (columns + bits(mask))
    begin = block.first + np.cumsum(sizes) - sizes
    found = frame[(begin + sizes > low) & (begin <= high)].tolist()
    return found


def replaces(number: Ints, blocks: Iterable[Block]) -> Ints:
    """Return what each number replaces, 0 for nothing; `blocks` are all that hold some of them and replace others."""
    found = np.zeros(len(number), dtype=np.int64)
    for block in blocks:
        if block.form == FRAMES:
            continue
        at = np.flatnonzero((number >= block.first) & (number < block.first + block.size))
        if block.form == ROLLUPS:
            found[at] = rollups(block)[2][number[at] - block.first]
            continue
        changed = runs(block)
        run = np.searchsorted(changed.first, number[at], side="right") - 1
        before = changed.replaces[run]
        found[at] = np.where(before > 0, before + number[at] - changed.first[run], 0)
    return found


def replaced_in(blocks: Iterable[Block], low: int, high: int) -> Ints:
    """Return all numbers in low..high that later `blocks` replace, sorted."""
    parts = [np.zeros(0, dtype=np.int64)]
    for block in blocks:
        if block.form == ROLLUPS:
            parts.append(rollups(block)[2])
            continue
        changed = runs(block)
        step = np.arange(block.size) - np.repeat(changed.first - block.first, changed.records)
        parts.append(np.where(np.repeat(changed.replaces, changed.records) > 0,
                              np.repeat(changed.replaces, changed.records) + step, 0))  # fmt: skip
    all_numbers = np.concatenate(parts)
    return np.unique(all_numbers[(all_numbers >= low) & (all_numbers <= high)])
