"""Packing the indices of frames in PostgreSQL, beside a running manager.

Nodes send in turn, so their entries come into the middle of an index, whose pages are then half full. What lies behind
is never changed again, so an index that is built anew stays packed but for what came since.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from device_manager.adapters.store_postgres import translated
from device_manager.database import ServerDatabase

_ENTRY_BYTES = 24  # packed it is 20 and its part of the upper levels
_SLACK_BYTES = 64 << 10
_MONTHS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'public.frame'::regclass ORDER BY 1"
_INDICES = """
SELECT i.relname, pg_relation_size(i.oid), t.reltuples::bigint, indisvalid FROM pg_index
JOIN pg_class i ON i.oid = indexrelid JOIN pg_class t ON t.oid = indrelid JOIN pg_am ON pg_am.oid = i.relam
WHERE indrelid = %s::regclass AND amname = 'btree' ORDER BY 1
"""


class Packed(NamedTuple):
    """One index that was built anew, and its bytes."""

    name: str
    before: int
    after: int


def pack(server: ServerDatabase) -> Iterator[Packed]:
    """Build anew the indices that have room in them, month by month; readers and the writer go on meanwhile."""
    with translated(server), psycopg.connect(server.url, autocommit=True, options="-c search_path=public") as raw:
        for (month,) in raw.execute(_MONTHS).fetchall():
            raw.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(month)))
            for name, size, rows, valid in raw.execute(_INDICES, (month,)).fetchall():
                index = sql.Identifier(name)
                if not valid:  # left by a run that was cut off
                    raw.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(index))
                elif size > rows * _ENTRY_BYTES + _SLACK_BYTES:
                    raw.execute(sql.SQL("REINDEX INDEX CONCURRENTLY {}").format(index))
                    yield Packed(name, size, _size(raw, name))


def _size(raw: "psycopg.Connection[Any]", name: str) -> int:
    row = raw.execute("SELECT pg_relation_size(%s::regclass)", (name,)).fetchone()
    assert row is not None
    return int(row[0])
