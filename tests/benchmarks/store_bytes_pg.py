"""Bytes on disk an observation in PostgreSQL and in the archive's Parquet, roll-ups and numbers included.

What `store_bytes` measures in SQLite, copied by `citynode store copy` and packed by `citynode store pack`, which runs
once a day: all tables, indices, TOAST and maps, without the server's own log (a fixed size) and catalogue. Beside it as
it had grown, never packed. The same frames as Parquet files of the archive, with the derived
tables, which stay in the database. Frames of 10 records, and of 30 beside. "three years": 200 nodes x 15 channels x 1
minute, of which the last 400 days lie in PostgreSQL and the rest in Parquet, the default of `retention.toml`.

Short form: 20 nodes, 10 days instead of 60, 15.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import psycopg

from device_manager.adapters import archive_parquet
from device_manager.adapters.store_copy import copy_store
from device_manager.adapters.store_packing import pack
from device_manager.adapters.store_reader import SqlReader
from device_manager.adapters.store_rebuild import rebuild
from device_manager.database import ServerDatabase
from device_manager.ports import StoredRecord
from tests.benchmarks.city_store import make_store
from tests.benchmarks.row import Row, at_most
from tests.fakes import postgres

FEW = range(1, 6)
THREE_YEARS_DAYS, WINDOW_DAYS = 3 * 365, 400
THREE_YEARS = THREE_YEARS_DAYS * 1440 * 15 * 200
_SIZE = """
SELECT nspname, sum(pg_total_relation_size(pg_class.oid))::bigint FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind = 'r' AND nspname IN ('public', 'series', 'operations') GROUP BY nspname
"""
_FRAMES = """
SELECT sum(pg_relation_size(inhrelid)), sum(pg_indexes_size(inhrelid)) FROM pg_inherits
WHERE inhparent = 'public.frame'::regclass
"""


class Bytes(NamedTuple):
    """Of a database: all, what is derived, the rows of frames, and their indices."""

    total: int
    series: int
    heap: int
    indices: int


class Sizes(NamedTuple):
    """Bytes an observation: all in PostgreSQL packed and before, of these derived, and frames in Parquet."""

    postgres: float
    grown: float
    derived: float
    heap: float
    indices: float
    parquet: float


def run(short: bool) -> list[Row]:
    """Return a row for an observation in each place and one for three years."""
    nodes, days = (20, 10) if short else (60, 15)
    form = f"{nodes} nodes, {days} days"
    with postgres.server({"fsync": "off"}, postgres.STOCK) as server:
        ten, thirty = (_sizes(server, nodes, days, records) for records in (10, 30))
    archived = ten.parquet + ten.derived
    window = WINDOW_DAYS / THREE_YEARS_DAYS
    mixed = window * ten.postgres + (1 - window) * archived
    beside = (
        f"of these derived {ten.derived:.2f}, frames {ten.heap:.2f}, their indices {ten.indices:.2f};"
        f" never packed {ten.grown:.2f}; frames of 30 records {thirty.postgres:.2f}"
    )
    gigabytes = THREE_YEARS / 1e9
    three = f"{mixed:.2f} byte/observation; all in PostgreSQL {ten.postgres * gigabytes:.1f} GB"
    unit = "byte/observation"
    return [
        at_most("store_bytes_pg, PostgreSQL", ten.postgres, unit, 2.5, beside, form),
        at_most("store_bytes_pg, Parquet", archived, unit, 2.5, f"frames alone {ten.parquet:.2f}", form),
        at_most("store_bytes_pg, three years of 200 nodes", mixed * gigabytes, "GB", 12.0, three, form),
    ]


def _sizes(server: postgres.Postgres, nodes: int, days: int, records: int) -> Sizes:
    database = server.database(f"bytes{records}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "citynode.db"
        observations = make_store(path, nodes, days, records)
        rebuild(path, processes=1)
        copy_store(path, database)
        with closing(SqlReader(path)) as reader:
            frames = [record for record in reader.records() if record.kind == "frame"]
        parquet = _parquet(frames, Path(folder), records)
    grown = _measured(database)
    assert list(pack(database))
    packed = _measured(database)
    return Sizes(
        *(part / observations for part in (packed.total, grown.total, packed.series, packed.heap, packed.indices)),
        parquet,
    )


def _measured(database: ServerDatabase) -> Bytes:
    with psycopg.connect(database.url) as raw:
        schemas = {str(schema): int(size) for schema, size in raw.execute(_SIZE)}
        heap, indices = raw.execute(_FRAMES).fetchone() or (0, 0)
    return Bytes(sum(schemas.values()), schemas["series"], int(heap), int(indices))


def _parquet(frames: list[StoredRecord], folder: Path, records: int) -> float:
    """Return bytes an observation of files that hold one day of one node: the days of this store repeat, and one file
    of several would be as small as no real one."""
    size_bytes, each = 0, 1440 // records
    for node in FEW:
        day = [frame for frame in frames if frame.node_id == node][:each]
        size_bytes += archive_parquet.write(str(folder / f"{node}.parquet"), day).size_bytes
    return size_bytes / (len(FEW) * 1440 * 15)
