"""One step of the Keeper in the making: numbers are given, blocks and chunks written."""

import numpy as np
import numpy.typing as npt

from device_manager.series import numbering
from device_manager.series.chunks import Chunk, ChunkKey
from device_manager.series.decisions import State
from device_manager.series.numbering import Block
from device_manager.series.rolling import Rolled, changes, keys_within
from device_manager.series.store import Progress, SeriesStep

Ints = npt.NDArray[np.int64]
EVER_S = 1 << 40


class Work:
    """One step in the making: numbers that are given, and nodes whose roll-ups are to be made from when on."""

    def __init__(self, step: SeriesStep, progress: Progress, state: State, touched: dict[int, tuple[int, int]]) -> None:
        self.step = step
        self.progress = progress
        self.state = state
        self.touched = touched

    def touch(self, node_id: int, since_s: int, until_s: int = EVER_S) -> None:
        """Have a node's roll-ups made anew from `since_s` on; `until_s` is the end of what came."""
        before = self.touched.get(node_id, (since_s, until_s))
        self.touched[node_id] = min(since_s, before[0]), max(until_s, before[1])

    def put(self, block: Block) -> None:
        """Add a block of new numbers."""
        self.step.put_block(block)
        self.progress = self.progress._replace(observation=block.first + block.size - 1)

    def put_frames(self, number: Ints, records: Ints, columns: Ints, mask: Ints, cause: str) -> None:
        """Number frames: behind the last block, or in it when it is of the same kind and has room."""
        table = np.stack((number, records, columns, mask))
        first, last = self.progress.observation + 1, self.step.last_block()
        if last and last.form == numbering.FRAMES and (last.cause, last.decision) == (cause, self.state.last):
            held = numbering.table_of(numbering.members(last))
            if held.shape[1] + len(number) <= numbering.BLOCK_FRAMES and held[0, -1] < number[0]:
                table = np.concatenate((held, table), axis=1)
                first = last.first
        self.put(numbering.frames_block(first, table, cause, self.state.last))


def put_rolled(work: Work, made: Rolled, cause: str) -> None:
    """Write the chunks that differ from what is stored, with new numbers for the cells that differ."""
    keys: list[ChunkKey] = []
    counts: list[int] = []
    replaces: list[Ints] = []
    first = work.progress.observation + 1
    for key in keys_within(made):
        found = changes(made, key, work.step.chunk(key))
        if found is None:
            continue
        chunk, differ = found
        replaces.append(renumber(chunk, differ, first + sum(counts)))
        keys.append(key)
        counts.append(len(replaces[-1]))
        work.step.put_chunk(key, chunk)
    if keys:
        work.put(numbering.rollups_block(first, keys, counts, np.concatenate(replaces), cause))
    work.step.put_newest(made.node_id, made.newest_s)


def renumber(chunk: Chunk, differ: npt.NDArray[np.bool_], first: int) -> Ints:
    """Give numbers from `first` on to the cells that differ, interval by interval; return what they replace."""
    at = np.flatnonzero(differ.T.reshape(-1))
    column, row = np.divmod(at, len(chunk.channels))
    before = chunk.number[row, column]
    chunk.number[row, column] = first + np.arange(len(at))
    return before
