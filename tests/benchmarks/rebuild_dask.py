"""Rebuilding a city's roll-ups on a Dask cluster of two worker processes, beside one process; and is it the same?

Store: 200 nodes x 15 channels x 1 minute x 30 days; short form: 60 nodes, 15 days.
Each run begins without derived tables. Numbering the frames is one process's work in both. PAIRS times, one after the
other, the median counts.
"""

from __future__ import annotations

import shutil
import sqlite3
import statistics
import tempfile
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from device_manager.adapters.store_rebuild import rebuild
from tests.benchmarks.city_store import make_store
from tests.benchmarks.row import Row, at_least, at_most

PAIRS = 3
NAME = "citynode.db"


def run(short: bool) -> list[Row]:
    """Return the speed-up, and how many derived rows differ."""
    from distributed import LocalCluster

    nodes, days = (60, 15) if short else (200, 30)
    form = f"{nodes} nodes, {days} days" if short else "full"
    with tempfile.TemporaryDirectory() as folder:
        frames, warm = Path(folder, "frames"), Path(folder, "warm")
        for path in (frames, warm):
            path.mkdir()
        observations = make_store(frames / NAME, nodes, days)
        make_store(warm / NAME, 4, 1)
        with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
            rebuild(warm / NAME, scheduler=cluster.scheduler_address)  # workers have loaded what they need
            pairs = [_pair(frames, cluster.scheduler_address) for _ in range(PAIRS)]
    ratios = [pair.alone_s / pair.shared_s for pair in pairs]
    alone_s, shared_s = (statistics.median(column) for column in zip(*(pair[:2] for pair in pairs), strict=True))
    beside = (
        f"{observations:.3g} observations: {alone_s:.1f} s with one, {shared_s:.1f} s with two workers;"
        f" of {PAIRS} pairs {min(ratios):.2f} to {max(ratios):.2f}"
    )
    return [
        at_least("rebuild_dask", statistics.median(ratios), "x one process", 1.6, beside, form),
        at_most("rebuild_dask, rows that differ", sum(pair.differ for pair in pairs), "rows", 0, form=form),
    ]


class _Pair(NamedTuple):
    alone_s: float
    shared_s: float
    differ: int


def _pair(frames: Path, scheduler: str) -> _Pair:
    """Rebuild two copies of a store, one with one process and one on the cluster, and compare them."""
    one, two = (shutil.copytree(frames, frames.with_name(name)) / NAME for name in ("one", "two"))
    alone, shared = rebuild(one, processes=1), rebuild(two, scheduler=scheduler)
    differ = len(_derived(one) ^ _derived(two))
    for path in (one, two):
        shutil.rmtree(path.parent)
    return _Pair(alone.seconds, shared.seconds, differ)


def _derived(path: Path) -> set[tuple[object, ...]]:
    """Everything derived, bit for bit."""
    with closing(sqlite3.connect(path.with_name("series.db"))) as raw:
        chunks = raw.execute("SELECT site_id, period, first_s, node_id, base, body FROM chunk").fetchall()
        return {*chunks, *raw.execute("SELECT * FROM block"), *raw.execute("SELECT * FROM newest")}
