"""Bytes on disk an observation in PostgreSQL: what `store_bytes` measures in SQLite, copied by `citynode store copy`.

All tables, indices, TOAST and maps, without the server's own log (a fixed size) and catalogue. Frames of
10 records, and of 30 beside. From it: three years of 200 nodes x 15 channels x 1 minute.

Short form: 20 nodes, 10 days instead of 60, 15.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import psycopg

from device_manager.adapters.store_copy import copy_store
from device_manager.adapters.store_rebuild import rebuild
from tests.benchmarks.city_store import make_store
from tests.benchmarks.row import Row, at_most
from tests.fakes import postgres

THREE_YEARS = 3 * 365 * 1440 * 15 * 200
_SIZE = """
SELECT nspname, sum(pg_total_relation_size(pg_class.oid))::bigint FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind = 'r' AND nspname IN ('public', 'series', 'operations') GROUP BY nspname
"""


def run(short: bool) -> list[Row]:
    """Return a row for an observation and one for three years."""
    nodes, days = (20, 10) if short else (60, 15)
    form = f"{nodes} nodes, {days} days"
    with postgres.server({"fsync": "off"}) as server:
        ten, thirty = (_bytes(server, nodes, days, records) for records in (10, 30))
    total, derived = ten
    beside = f"of these derived {derived:.2f}; frames of 30 records {thirty[0]:.2f}"
    return [
        at_most("store_bytes_pg", total, "byte/observation", 2.5, beside, form),
        at_most("store_bytes_pg, three years of 200 nodes", total * THREE_YEARS / 1e9, "GB", 12.0, beside, form),
    ]


def _bytes(server: postgres.Postgres, nodes: int, days: int, records: int) -> tuple[float, float]:
    """Return (all, derived) bytes an observation."""
    database = server.database(f"bytes{records}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "citynode.db"
        observations = make_store(path, nodes, days, records)
        rebuild(path, processes=1)
        copy_store(path, database)
    with psycopg.connect(database.url) as raw:
        sizes = {str(schema): int(size) for schema, size in raw.execute(_SIZE)}
    return sum(sizes.values()) / observations, sizes["series"] / observations
