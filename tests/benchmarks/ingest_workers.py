"""One ingest worker and two, fed from files, with a PostgreSQL of their own; then the brain numbers everything.

"two workers": frames kept durable a second, two to one, medians of runs in turn, each of its files TIMES over, in a log
whose files are there already, as after the first hour of any server: making one writes it twice. "by cores": two on two
cores to one that has one core together with all of the server, as on a machine of half the size. "processor time": of
workers, server and brain together a frame, two workers to one. No broker, so that nothing else is on the cores. The
brain's own rate, which all workers share, stands beside. "in memory": the same with the server's files in a tmpfs: what
the cores can do where the disk is not what limits.

Short form: 20,000 frames a worker, 3 runs, instead of 60,000 and 7.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psycopg

from device_manager.adapters.clock import SystemClock
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_arrivals import ArrivalsBroker
from device_manager.adapters.store_engine import open_store
from device_manager.database import ServerDatabase
from device_manager.ingest.commit import Committer
from device_manager.ingest.gathering import pack
from device_manager.ingest.service import IngestService
from device_manager.ports import Incoming
from device_manager.shadow import JsonFold
from tests.benchmarks.ingest_postgres import prepared
from tests.benchmarks.ingest_sqlite import _messages
from tests.benchmarks.row import Row, at_least, at_most
from tests.conftest import ROOT
from tests.fakes import postgres
from tests.fakes.broker import FakeBroker
from tests.fakes.speaker import NOW_MS

NODES = 100
TIMES = 10
ONE, TWO, ONE_ON_ONE = (1, 2), (2, 2), (1, 1)  # (workers, cores)
MEMORY = Path("/dev/shm")  # a disk that makes nobody wait, so that the cores are what limits
PATIENCE_S = 300.0


class Figures(NamedTuple):
    """Of one run: frames kept a second, cores in use meanwhile, processor time a frame (all), numbered a second."""

    rate: float
    cores: float
    cpu_us: float
    brain_rate: float


def run(short: bool) -> list[Row]:
    """Return rows for the speed on this disk, by cores and in memory, and one for the processor time."""
    frames, runs = (20_000, 3) if short else (60_000, 7)
    form = f"{frames} frames a worker, {runs} runs" + (" instead of 60000, 7" if short else "")
    with tempfile.TemporaryDirectory() as folder:
        files = _files(Path(folder), frames)
        one, two, alone = _medians(files, frames, runs, ONE, TWO, ONE_ON_ONE)
        rows = [_speed("two workers", one, two, form)]
        cores = f"one on one core {alone.rate:.0f}/s with {alone.cores:.2f} in use"
        rows.append(Row("ingest_workers, by cores", two.rate / alone.rate, "x one", beside=cores, form=form))
        cpu = f"one {one.cpu_us:.0f} us, two {two.cpu_us:.0f} us a frame, workers, server and brain"
        rows.append(at_most("ingest_workers, processor time", two.cpu_us / one.cpu_us, "x one", 1.15, cpu, form))
        if MEMORY.is_dir():
            one, two = _medians(files, frames, runs, ONE, TWO, under=MEMORY)
            rows.append(_speed("two workers, the store in memory", one, two, form))
    return rows


def _speed(what: str, one: Figures, two: Figures, form: str) -> Row:
    rates = f"one {one.rate:.0f}/s, two {two.rate:.0f}/s, the brain {two.brain_rate:.0f}/s"
    beside = f"{rates}; cores in use: one {one.cores:.2f}, two {two.cores:.2f}"
    return at_least(f"ingest_workers, {what}", two.rate / one.rate, "x one", 1.7, beside, form)


def _medians(
    files: list[Path], frames: int, runs: int, *kinds: tuple[int, int], under: Path | None = None
) -> list[Figures]:
    """Return the median figures of each kind (workers, cores), run in turn on a server of their own."""
    found: dict[tuple[int, int], list[Figures]] = {kind: [] for kind in kinds}
    with postgres.server(form=postgres.STOCK, under=under) as server:
        for at in range(runs):
            for (workers, cores), kept in found.items():
                database = prepared(server, f"workers{workers}_{cores}_{at}", NODES)
                kept.append(_run(server, database, files[:workers], frames * workers, cores))
    return [Figures(*map(median, zip(*kept, strict=True))) for kept in found.values()]


def _files(folder: Path, frames: int) -> list[Path]:
    """Write the frames of two workers."""
    made = [Incoming(*message, NOW_MS + 10**10, False, None) for message in _messages(NODES, 2 * frames)]
    files = []
    for worker in (0, 1):
        files.append(folder / f"{worker}.cbor")
        files[-1].write_bytes(pack(made[worker::2], Cbor2Codec()))
    return files


def _run(server: postgres.Postgres, database: ServerDatabase, files: list[Path], frames: int, cores: int) -> Figures:
    """Keep the files once and number them, for what a frame costs; then keep them TIMES over, for the rate.

    Before that the log is as after an hour: its files are there and are written again.
    """
    server_s = server.cpu_s()
    _, feeds_s, _ = _fed(server, database, files, 1, cores)
    brain_s, brain_cpu_s = _number(database, frames)
    cpu_s = feeds_s + brain_cpu_s + server.cpu_s() - server_s
    with psycopg.connect(database.url, autocommit=True) as raw:
        raw.execute("CHECKPOINT")
    kept_s, feeds_s, server_s = _fed(server, database, files, TIMES, cores)
    return Figures(TIMES * frames / kept_s, (feeds_s + server_s) / kept_s, 1e6 * cpu_s / frames, frames / brain_s)


def _fed(
    server: postgres.Postgres, database: ServerDatabase, files: list[Path], times: int, cores: int
) -> tuple[float, float, float]:
    """Let a worker for each file keep it `times` over; return seconds that passed, of workers and of the server."""
    command = [sys.executable, "-m", "tests.benchmarks.feed", database.url]
    feeds = [
        subprocess.Popen(
            [*command, str(file), str(times)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for file in files
    ]
    for feed in feeds:
        assert feed.stdout is not None
        assert feed.stdout.readline() == "ready\n"
    if cores == 1:
        server.confine({0})
        for feed in feeds:
            os.sched_setaffinity(feed.pid, {0})
    ready_s, done = server.cpu_s(), []
    for feed in feeds:
        assert feed.stdin is not None
        feed.stdin.write("go\n")
        feed.stdin.flush()
    for feed in feeds:
        done.append(json.loads(feed.communicate()[0]))
    used_s = server.cpu_s() - ready_s
    server.confine(set(range(os.cpu_count() or 1)))
    return max(d["ended"] for d in done) - min(d["began"] for d in done), sum(d["cpu_s"] for d in done), used_s


def _number(database: ServerDatabase, frames: int) -> tuple[float, float]:
    """Number everything and return (wall, processor) seconds."""
    began, used = time.perf_counter(), time.process_time()
    store, codec = open_store(database), Cbor2Codec()
    arrivals = ArrivalsBroker(database, FakeBroker(), codec)
    service = IngestService(arrivals, Committer(store, codec, JsonFold()), SystemClock())
    service.start()
    while service.totals.stored < frames and time.perf_counter() - began < PATIENCE_S:
        time.sleep(0.01)
    taken = time.perf_counter() - began, time.process_time() - used
    service.stop()
    store.close()
    assert service.totals.stored == frames, service.totals
    return taken
