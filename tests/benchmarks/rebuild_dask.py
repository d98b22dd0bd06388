"""Rebuilding a city's roll-ups on a Dask cluster of two worker processes, beside one process; and is it the same?

Store: 200 nodes x 15 channels x 1 minute x 30 days; short form: 60 nodes, 15 days.
Each run begins without derived tables. Numbering the frames is one process's work in both.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from device_manager.adapters.store_rebuild import Rebuilt, rebuild
from tests.benchmarks.city_store import make_store
from tests.benchmarks.row import Row, at_least, at_most


def run(short: bool) -> list[Row]:
    """Return the speed-up, and how many derived rows differ."""
    from distributed import LocalCluster

    nodes, days = (60, 15) if short else (200, 30)
    form = f"{nodes} nodes, {days} days" if short else "full"
    with tempfile.TemporaryDirectory() as folder:
        one, two, warm = (Path(folder) / name / "citynode.db" for name in ("one", "two", "warm"))
        one.parent.mkdir()
        warm.parent.mkdir()
        observations = make_store(one, nodes, days)
        make_store(warm, 4, 1)
        shutil.copytree(one.parent, two.parent)
        with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
            rebuild(warm, scheduler=cluster.scheduler_address)  # workers have loaded what they need
            alone = _timed(one, processes=1)
            shared = _timed(two, scheduler=cluster.scheduler_address)
        differ = len(_derived(one) ^ _derived(two))
    beside = f"{observations:.3g} observations: {alone.seconds:.1f} s with one, {shared.seconds:.1f} s with two workers"
    return [
        at_least("rebuild_dask", alone.seconds / shared.seconds, "x one process", 1.6, beside, form),
        at_most("rebuild_dask, rows that differ", differ, "rows", 0, form=form),
    ]


def _timed(path: Path, processes: int = 2, scheduler: str | None = None) -> Rebuilt:
    return rebuild(path, processes=processes, scheduler=scheduler)


def _derived(path: Path) -> set[tuple[object, ...]]:
    """Everything derived, bit for bit."""
    with closing(sqlite3.connect(path.with_name("series.db"))) as raw:
        chunks = raw.execute("SELECT site_id, period, first_s, node_id, base, body FROM chunk").fetchall()
        return {*chunks, *raw.execute("SELECT * FROM block"), *raw.execute("SELECT * FROM newest")}
