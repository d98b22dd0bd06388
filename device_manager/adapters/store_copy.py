"""Copy a fleet's tables from SQLite to an empty PostgreSQL database, then read both and compare them row by row.

    citynode.db -> schema public, series.db -> series, operations.db -> operations

One transaction: a copy that fails anywhere leaves the server's database as it was. Ids and numbers stay.
"""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import quote

import psycopg
from psycopg import sql
from sqlalchemy import BigInteger, Connection, Integer, MetaData, create_engine
from sqlalchemy.pool import NullPool

from device_manager.adapters import store_operations, store_series_tables
from device_manager.adapters.store_engine import create_database, open_reader, translated
from device_manager.adapters.store_partitions import ensure_month, month_of
from device_manager.adapters.store_postgres import ensure_schema, new_engine
from device_manager.adapters.store_schema import metadata
from device_manager.adapters.store_series import SqlSeries
from device_manager.database import ServerDatabase
from device_manager.errors import StoreError

_PAGE = 5000


class Copied(NamedTuple):
    """What was copied: rows by table, `SCHEMA.TABLE`."""

    rows: dict[str, int]


def copy_store(source: Path, target: ServerDatabase) -> Copied:
    """Copy everything; nobody may write to `source` meanwhile. StoreError when `target` has tables or differs."""
    open_reader(source).dispose()  # an older one is brought to today's tables first
    create_database(target)
    SqlSeries(target).close()
    engine = new_engine(target, "public", NullPool)
    rows: dict[str, int] = {}
    with translated(target), engine.begin() as connection:
        for schema, file in _files(source):
            _make_tables(connection, schema, file)
            with closing(_opened(file)) as old:
                for table in _tables(old, schema):
                    rows[f"{schema}.{table}"] = _copy_table(connection, old, schema, table)
    engine.dispose()
    return Copied(rows)


def _files(source: Path) -> list[tuple[str, Path]]:
    found = [("public", source), ("series", store_series_tables.path_beside(source))]
    found.append(("operations", store_operations.path_beside(source)))
    return [(schema, file) for schema, file in found if file.exists()]


def _opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True)


def _tables(old: sqlite3.Connection, schema: str) -> list[str]:
    """Return the tables of a file, those that others point at first."""
    if schema == "public":
        return [table.name for table in metadata.sorted_tables if table.name != "schema_version"]
    found = [row[0] for row in old.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")]
    return [name for name in found if not name.startswith("sqlite_") and name != "schema_version"]


def _make_tables(connection: Connection, schema: str, file: Path) -> None:
    """Make the tables of the operations as they are in the file; those of the others are there."""
    if schema != "operations":
        return
    ensure_schema(connection, schema)
    tables = MetaData(schema=None)
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    tables.reflect(engine)
    engine.dispose()
    for table in tables.tables.values():
        for column in table.columns:
            generic = column.type.as_generic(allow_nulltype=False)
            column.type = BigInteger() if isinstance(generic, Integer) else generic
    connection.exec_driver_sql(f"SET LOCAL search_path TO {schema}")
    tables.create_all(connection, checkfirst=False)
    connection.exec_driver_sql("SET LOCAL search_path TO public")


def _copy_table(connection: Connection, old: sqlite3.Connection, schema: str, table: str) -> int:
    """Copy one table and compare; return its rows."""
    names = [row[1] for row in old.execute(f"PRAGMA table_info({table})")]
    raw = cast(psycopg.Connection[Any], connection.connection.driver_connection)
    target = sql.Identifier(schema, table)
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    if (schema, table) == ("public", "frame"):
        for (received_ms,) in old.execute("SELECT DISTINCT received_ms / 86400000 * 86400000 FROM frame"):
            ensure_month(raw, month_of(received_ms))
    raw.execute(sql.SQL("DELETE FROM {}").format(target))  # the first row of `progress`
    select = f"SELECT {', '.join(names)} FROM {table} ORDER BY {', '.join(names[:2])}"
    with raw.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(target, columns)) as copy:
        for row in old.execute(select):
            copy.write_row(row)
    _let_ids_go_on(raw, schema, table, names[0])
    if (schema, table) == ("public", "frame"):
        raw.execute("UPDATE numbered SET head = (SELECT coalesce(max(number), 0) FROM frame)")
    texts = _text_columns(raw, schema, table)
    keys = sql.SQL(", ").join(_as_sqlite_orders(name, texts) for name in names[:2])
    with raw.cursor(name="compare") as cursor:
        cursor.itersize = _PAGE
        found = cursor.execute(sql.SQL("SELECT {} FROM {} ORDER BY {}").format(columns, target, keys))
        ours, theirs = _digest(old.execute(select)), _digest(found)
    if ours != theirs:
        expected, got = f"{ours[0]} rows of {schema}.{table} as they are in SQLite", f"{theirs[0]}, or other ones"
        raise StoreError(expected=expected, got=got, todo="end whatever writes to either database, then copy again")
    return ours[0]


def _text_columns(raw: psycopg.Connection[Any], schema: str, table: str) -> set[str]:
    asked = "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
    found = raw.execute(asked + " AND data_type IN ('text', 'character varying')", (schema, table))
    return {row[0] for row in found}


def _as_sqlite_orders(name: str, texts: set[str]) -> sql.Composed:
    """Order texts by their bytes."""
    return sql.SQL('{} COLLATE "C"' if name in texts else "{}").format(sql.Identifier(name))


def _let_ids_go_on(raw: psycopg.Connection[Any], schema: str, table: str, key: str) -> None:
    """Have the server give ids above those that were copied."""
    row = raw.execute("SELECT pg_get_serial_sequence(%s, %s)", (f"{schema}.{table}", key)).fetchone()
    if row and row[0]:
        highest = sql.SQL("SELECT setval(%s, max({})) FROM {} HAVING max({}) IS NOT NULL").format(
            sql.Identifier(key), sql.Identifier(schema, table), sql.Identifier(key)
        )
        raw.execute(highest, (row[0],))


def _digest(rows: Any) -> tuple[int, str]:
    count, digest = 0, hashlib.sha256()
    for row in rows:
        count += 1
        digest.update(repr([int(value) if isinstance(value, bool) else value for value in row]).encode())
    return count, digest.hexdigest()
