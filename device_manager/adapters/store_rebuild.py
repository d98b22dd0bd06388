"""Rebuild the derived tables from the frames, on several processors.

Numbers that were given stay. Every frame that has none gets one; then all roll-ups are made anew, node by node, each
node by one process, and what differs from what is stored is written with new numbers that name the old ones. When the
tables were right, nothing changes.

The processes are our own, or the workers of a Dask cluster, which must reach the database under the same path. They
begin while this one still numbers frames.
"""

import itertools
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from device_manager.adapters.allocator import keep_freed_memory
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_frames import SqlFrames
from device_manager.adapters.store_series import SqlSeries
from device_manager.database import Database, address, at
from device_manager.errors import SetupError
from device_manager.series import numbering
from device_manager.series.chunks import Chunk, ChunkKey, encode, merge
from device_manager.series.decisions import fold
from device_manager.series.epochs import Channel
from device_manager.series.keeping import Keeper
from device_manager.series.numbering import Block
from device_manager.series.rolling import Rolled, changes, keys_within, roll_node
from device_manager.series.working import EVER_S, renumber

_AHEAD = 16  # nodes in work for each process


class Rebuilt(NamedTuple):
    """What a rebuild did: readings (cells of frames) and nodes gone through, numbers given, chunks written."""

    nodes: int
    numbers: int
    chunks: int
    seconds: float


class _Written(NamedTuple):
    """A chunk that differs; its new numbers count from 1 and are kept negative."""

    key: ChunkKey
    channels: tuple[Channel, ...]
    body: bytes
    replaces: npt.NDArray[np.int64]


class _Node(NamedTuple):
    """What a node came to; `dates` are those of its frames that it was made with, see `SqlSeries.dated`."""

    node_id: int
    dates: list[tuple[int, int, int]]
    newest_s: int | None
    written: list[_Written]


def rebuild(
    database: Database,
    processes: int = 2,
    said: Callable[[str], None] = lambda line: None,
    scheduler: str | None = None,
) -> Rebuilt:
    """Rebuild everything derived beside `database`; no other Keeper may run meanwhile. `said` hears of progress.

    `scheduler` is the address of a Dask cluster; SetupError when it cannot be reached.
    """
    began = time.monotonic()
    series = SqlSeries(database)
    frames = SqlFrames(database, series)
    try:
        keeper = Keeper(frames, series, Cbor2Codec().loads)
        nodes = frames.node_ids()
        written = 0
        with _rolling(database, nodes, processes, scheduler) as rolled:
            said("numbering frames")
            numbers = keeper.advance(roll_up=False).numbers
            for done, node in enumerate(rolled(series), start=1):
                written += len(node.written)
                numbers += _put(series, node)
                said(f"rolled up node {done} of {len(nodes)}")
    finally:
        frames.close()
        series.close()
    return Rebuilt(len(nodes), numbers, written, time.monotonic() - began)


@contextmanager
def _rolling(
    database: Database, nodes: list[int], processes: int, scheduler: str | None
) -> Iterator[Callable[[SqlSeries], Iterator[_Node]]]:
    """Have the nodes rolled up and give what yields them in order, once all frames are numbered.

    Several processes begin while frames are numbered: only dates that numbering finds change what they come to, and
    who was rolled up without them is rolled up again. With one process no other is started.
    """
    run = uuid.uuid4().hex  # workers of a cluster outlive a rebuild, what they remember of the store must not
    path = address(database)
    if scheduler is None and (processes <= 1 or len(nodes) < 2):
        yield lambda series: (_roll(path, run, node_id) for node_id in nodes)
        _worker(path, run).close()
        _worker.cache_clear()
        return
    with _executor(processes, scheduler) as (executor, workers):

        def submit(node_id: int) -> Future[_Node]:
            return executor.submit(_roll, path, run, node_id)

        begun, rest = deque(map(submit, nodes[: _AHEAD * workers])), iter(nodes[_AHEAD * workers :])

        def results(series: SqlSeries) -> Iterator[_Node]:
            while begun:
                node = begun.popleft().result()
                begun.extend(map(submit, itertools.islice(rest, 1)))
                yield node if node.dates == _dates(series, node.node_id) else submit(node.node_id).result()

        yield results


def _dates(series: SqlSeries, node_id: int) -> list[tuple[int, int, int]]:
    return sorted(series.dated(node_id, -1, EVER_S))


@contextmanager
def _executor(processes: int, scheduler: str | None) -> Iterator[tuple[Executor, int]]:
    """Give an executor and how many processes it has."""
    if scheduler is None:
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            yield pool, processes
        return
    try:
        from distributed import Client  # a second of imports
    except ImportError as error:
        todo = "install citynode[cluster], or leave --scheduler out"
        raise SetupError(expected="the package distributed", got="none", todo=todo) from error
    try:
        client: Any = Client(scheduler, timeout="10s")  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        todo = "start `dask scheduler` and `dask worker` there, or leave --scheduler out"
        raise SetupError(expected=f"a Dask scheduler at {scheduler}", got=str(error), todo=todo) from error
    with client:
        yield client.get_executor(pure=False), max(1, len(client.scheduler_info()["workers"]))


class _Worker:
    """What one process keeps open."""

    def __init__(self, database: Database) -> None:
        self.series = SqlSeries(database)
        self.frames = SqlFrames(database, self.series)
        loads = Cbor2Codec().loads
        self.context = Keeper(self.frames, self.series, loads).context(fold(self.frames.decisions()))

    def close(self) -> None:
        """Close all connections."""
        self.frames.close()
        self.series.close()


@lru_cache(maxsize=1)
def _worker(path: str, run: str) -> _Worker:
    keep_freed_memory()
    return _Worker(at(path))


def _roll(path: str, run: str, node_id: int) -> _Node:
    worker = _worker(path, run)
    dates = _dates(worker.series, node_id)
    made = roll_node(worker.context, node_id, 0)
    with worker.series.reading() as stored:
        old_keys = stored.chunk_keys(node_id)
        written = []
        for key in sorted({*(keys_within(made) if made else ()), *old_keys}):
            found = _changed(made, key, stored.chunk(key) if key in old_keys else None)
            if found:
                chunk, differ = found
                replaces = renumber(chunk, differ, 1)
                chunk.number[differ] *= -1
                written.append(_Written(key, chunk.channels, encode(chunk), replaces))
    return _Node(node_id, dates, made.newest_s if made else None, written)


def _changed(made: Rolled | None, key: ChunkKey, old: Chunk | None) -> tuple[Chunk, npt.NDArray[np.bool_]] | None:
    """As `changes`; a chunk of a place where no reading belongs any more loses all its cells."""
    if made and (key.site_id, key.period) in made.windows:
        return changes(made, key, old)
    if old is None:
        return None
    merged, differ = merge(old, None, 0, 1 << 40)
    return (merged, differ) if differ.any() else None


def _put(series: SqlSeries, node: _Node) -> int:
    with series.begin() as step:
        progress = step.progress()
        keys, replaces = [c.key for c in node.written], [c.replaces for c in node.written]
        counts = [len(r) for r in replaces]
        *bases, given = itertools.accumulate(counts, initial=progress.observation)
        if node.written:
            step.put_encoded([(c.key, c.channels, base, c.body) for c, base in zip(node.written, bases, strict=True)])
            block: Block = numbering.rollups_block(
                progress.observation + 1, keys, counts, np.concatenate(replaces), "rebuilt"
            )
            step.put_block(block)
            step.put_progress(progress._replace(observation=given))
        if node.newest_s is not None:
            step.put_newest(node.node_id, node.newest_s)
    return given - progress.observation
