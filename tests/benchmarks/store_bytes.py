"""Bytes on disk an observation, everything included: frames, indices, observation numbers and roll-ups of 3 periods.

Store: 200 nodes x 15 channels x 1 minute x 30 days in frames of 10 records; short form: 60 nodes, 15 days. Beside it
frames of 5 (the field's default) and of 30 records, and one row a value with an index by channel and time.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from device_manager.adapters.store_rebuild import rebuild
from tests.benchmarks.city_store import DAY_RECORDS, FIRST_S, city_store, day_values, make_store
from tests.benchmarks.row import Row, at_most

BESIDE_NODES, BESIDE_DAYS = 10, 10


def run(short: bool) -> list[Row]:
    """Return one row."""
    store = city_store(60, 15) if short else city_store(200, 30)
    frames, derived = (_size(store.path.with_name(name)) / store.observations for name in ("citynode.db", "series.db"))
    others = ", ".join(f"frames of {records} records {_other(records):.2f}" for records in (5, 30))
    beside = f"of these derived {derived:.2f}; {others}; one row a value {_rows():.1f}"
    return [at_most("store_bytes", frames + derived, "byte/observation", 2.5, beside, store.form)]


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.glob(path.name + "*"))


def _other(records: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "citynode.db"
        observations = make_store(path, BESIDE_NODES, BESIDE_DAYS, records)
        rebuild(path, processes=1)
        return (_size(path) + _size(path.with_name("series.db"))) / observations


def _rows() -> float:
    """Return what a table with one row a value takes, node by node for one day."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.db"
        with closing(sqlite3.connect(path)) as raw:
            raw.execute("CREATE TABLE value (channel INTEGER, time INTEGER, value REAL, quality INTEGER,"
                        " PRIMARY KEY (channel, time)) WITHOUT ROWID")  # fmt: skip
            for minute in range(DAY_RECORDS):
                for node in range(BESIDE_NODES):
                    values = _scaled(node)[minute]
                    rows = [(15 * node + i, FIRST_S + 60 * minute, value, 0) for i, value in enumerate(values)]
                    raw.executemany("INSERT INTO value VALUES (?, ?, ?, ?)", rows)
            raw.commit()
        return _size(path) / (BESIDE_NODES * DAY_RECORDS * 15)


_SCALED: dict[int, list[list[float]]] = {}


def _scaled(node: int) -> list[list[float]]:
    if node not in _SCALED:
        _SCALED[node] = (day_values(node, 0) / 10).tolist()
    return _SCALED[node]
