"""All tables of a PostgreSQL database as files, one moment of it, and back into an empty one: its part of a backup.

    tables.json            schema version, months of frames, and how each table is made that the store does not make
    SCHEMA.TABLE.copy      rows in PostgreSQL's binary COPY format

No pg_dump is asked for: a client of the server's own version is not on every machine. What the tables are is this
product's knowledge anyway, so only rows are copied.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import psycopg
from psycopg import sql
from sqlalchemy import Connection, MetaData, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from device_manager.adapters.store_copy import _let_ids_go_on
from device_manager.adapters.store_engine import create_database
from device_manager.adapters.store_partitions import ensure_month
from device_manager.adapters.store_postgres import check_schema, ensure_schema, new_engine, translated
from device_manager.adapters.store_series import SqlSeries
from device_manager.adapters.store_version import SCHEMA_VERSION
from device_manager.database import ServerDatabase
from device_manager.errors import StoreError

FOLDER = "postgres"  # in a backup
TABLES = "tables.json"
_SCHEMAS = ("public", "series", "operations")
_PIECE_BYTES = 1 << 20
_OUT = sql.SQL("COPY (SELECT {names} FROM {table}) TO STDOUT (FORMAT BINARY)")  # a partitioned one has no own rows
_IN = sql.SQL("COPY {table} ({names}) FROM STDIN (FORMAT BINARY)")
_MONTHS = "SELECT relname FROM pg_class JOIN pg_inherits ON oid = inhrelid WHERE inhparent = 'public.frame'::regclass"


def dump(server: ServerDatabase, folder: Path) -> None:
    """Write all rows into `folder`, which is made; everybody may write to the database meanwhile."""
    folder.mkdir(mode=0o700)
    engine = new_engine(server, "public", NullPool, snapshot=True)
    check_schema(engine, server)
    with translated(server), engine.begin() as connection:
        raw = _raw(connection)
        months = sorted(row[0] for row in raw.execute(_MONTHS))
        made: list[str] = []
        names: list[tuple[str, str, list[str]]] = []
        for schema, table in _tables(connection, set(months)):
            names.append((schema, table.name, [column.name for column in table.columns]))
            if schema == "operations":
                made += _statements(table)
            statement = _statement(_OUT, *names[-1])
            with (folder / f"{schema}.{table.name}.copy").open("wb") as file, raw.cursor().copy(statement) as rows:
                for piece in rows:
                    file.write(piece)
    engine.dispose()
    document = {"version": SCHEMA_VERSION, "months": months, "tables": names, "operations": made}
    (folder / TABLES).write_text(json.dumps(document, indent=1))


def load(folder: Path, server: ServerDatabase) -> None:
    """Make the tables in an empty database and fill them, as one step; StoreError when it is not empty."""
    document = json.loads((folder / TABLES).read_text())
    if document["version"] != SCHEMA_VERSION:
        todo = "restore it with the citynode that wrote it, then use this one"
        got = f"version {document['version']}"
        raise StoreError(expected=f"a backup of tables of version {SCHEMA_VERSION}", got=got, todo=todo)
    create_database(server)
    SqlSeries(server).close()
    engine = new_engine(server, "public", NullPool)
    with translated(server), engine.begin() as connection:
        raw = _raw(connection)
        _make_operations(connection, document["operations"])
        for month in document["months"]:
            ensure_month(raw, (int(month[-7:-3]), int(month[-2:])))
        for schema, table, columns in document["tables"]:
            _fill(raw, schema, table, columns, folder / f"{schema}.{table}.copy")
    engine.dispose()


def _raw(connection: Connection) -> "psycopg.Connection[Any]":
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


def _tables(connection: Connection, months: set[str]) -> Iterator[tuple[str, Table]]:
    """Yield the tables whose rows are kept, those that others point at first."""
    for schema in _SCHEMAS:
        found = MetaData()
        connection.exec_driver_sql(f"SET LOCAL search_path TO {schema}")
        found.reflect(connection)
        yield from ((schema, t) for t in found.sorted_tables if t.name not in months and t.name != "schema_version")
    connection.exec_driver_sql("SET LOCAL search_path TO public")


def _statements(table: Table) -> list[str]:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy left it out
    made: list[ExecutableDDLElement] = [CreateTable(table), *map(CreateIndex, table.indexes)]
    return [str(statement.compile(dialect=dialect)) for statement in made]


def _make_operations(connection: Connection, statements: list[str]) -> None:
    ensure_schema(connection, "operations")
    connection.exec_driver_sql("SET LOCAL search_path TO operations")
    for statement in statements:
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql("SET LOCAL search_path TO public")


def _fill(raw: "psycopg.Connection[Any]", schema: str, table: str, columns: list[str], file: Path) -> None:
    raw.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(schema, table)))  # the first rows of new tables
    with file.open("rb") as rows, raw.cursor().copy(_statement(_IN, schema, table, columns)) as copy:
        while piece := rows.read(_PIECE_BYTES):
            copy.write(piece)
    _let_ids_go_on(raw, schema, table, columns[0])


def _statement(way: sql.SQL, schema: str, table: str, columns: list[str]) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return way.format(table=sql.Identifier(schema, table), names=names)
