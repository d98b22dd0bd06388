"""Opening the database: one way for the writer, one for readers, one to make it. A path is SQLite, handled here; a
`ServerDatabase` is PostgreSQL, see `store_postgres`, which is loaded only then.

WAL lets readers of any process go on while the writer writes; synchronous=FULL makes every commit wait for the disk.
Transactions begin by our own word (IMMEDIATE for writers, so that a second writer waits at the door instead of failing
in the middle).
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, exc, insert, select
from sqlalchemy.pool import NullPool, Pool, QueuePool, StaticPool

from device_manager.adapters.store_migrations import migrate
from device_manager.adapters.store_schema import metadata, schema_version
from device_manager.adapters.store_version import SCHEMA_VERSION
from device_manager.database import Database, ServerDatabase
from device_manager.errors import StoreError

if TYPE_CHECKING:
    from device_manager.adapters.store_sql import SqlStore

BUSY_S = 5.0
_WAL_LIMIT_BYTES = 64 << 20


def create_database(path: Database) -> None:
    """Make the database with all tables; StoreError when a database with tables is there already."""
    if isinstance(path, ServerDatabase):
        from device_manager.adapters import store_postgres

        return store_postgres.create_database(path)
    with translated(path):
        engine = new_engine(path, "rwc", "BEGIN IMMEDIATE", NullPool)
        with engine.begin() as connection:
            if connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema").scalar():
                raise StoreError(expected=f"no database at {path}", got="one with tables", todo="use it as it is")
            metadata.create_all(connection)
            connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))
    path.chmod(0o600)


def open_store(path: Database) -> "SqlStore":
    """Open the store for the one writer of frames."""
    if isinstance(path, ServerDatabase):
        from device_manager.adapters.store_pg_frames import PgStore

        return PgStore(path)
    from device_manager.adapters.store_sql import SqlStore

    return SqlStore(path)


def open_writer(path: Database) -> Engine:
    """Open for changes; every transaction is durable when it has ended. StoreError when it cannot be used."""
    if isinstance(path, ServerDatabase):
        return _open_server(path, NullPool, snapshot=False)
    return _open(path, "BEGIN IMMEDIATE", NullPool)


def new_engines(path: Database, schema: str, *, binary: bool = False) -> tuple[Engine, Engine]:
    """Return (reader, writer) of the tables beside the frames: `schema` on a server, else the file itself. `binary`:
    see `store_postgres.new_engine`."""
    if isinstance(path, ServerDatabase):
        from device_manager.adapters import store_postgres

        return (
            store_postgres.new_engine(path, schema, QueuePool, snapshot=True, binary=binary),
            store_postgres.new_engine(path, schema, QueuePool),
        )
    return new_engine(path, "rw", "BEGIN", QueuePool), new_engine(path, "rw", "BEGIN IMMEDIATE", QueuePool)


def _open_server(server: ServerDatabase, pool: type[Pool], *, snapshot: bool) -> Engine:
    from device_manager.adapters import store_postgres

    engine = store_postgres.new_engine(server, "public", pool, snapshot=snapshot, binary=snapshot)
    store_postgres.check_schema(engine, server)
    return engine


def fetch(connection: Connection, sql: str, arguments: tuple[object, ...]) -> Sequence[tuple[Any, ...]]:
    """Return rows as plain tuples: thousands of SQLAlchemy's rows take as long as the query."""
    if connection.dialect.name == "postgresql":
        from device_manager.adapters.store_postgres import placeholders

        sql = placeholders(sql)
    cursor = connection.connection.cursor()
    cursor.execute(sql, arguments)
    return cursor.fetchall()


def open_single_writer(path: Path) -> Engine:
    """As `open_writer`, with one connection kept for ever: it notices by itself when another one wrote."""
    return _open(path, "BEGIN IMMEDIATE", StaticPool)


def open_reader(path: Database) -> Engine:
    """Open for reading beside a writer; nothing can be changed through it."""
    if isinstance(path, ServerDatabase):
        return _open_server(path, QueuePool, snapshot=True)
    engine = _open(path, "BEGIN", QueuePool)
    event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA query_only=ON").close())
    engine.dispose()
    return engine


@contextmanager
def translated(path: object) -> Iterator[None]:
    """Turn what the database says about the medium into a StoreError with something to do."""
    if isinstance(path, ServerDatabase):
        from device_manager.adapters import store_postgres

        with store_postgres.translated(path):
            yield
        return
    try:
        yield
    except (exc.DBAPIError, sqlite3.Error, OSError) as error:
        words = str(getattr(error, "orig", None) or error)
        raise StoreError(expected=f"a working database {path}", got=words, todo=_remedy(words)) from error


def _remedy(words: str) -> str:
    for sign, todo in (
        ("full", "free some space on that disk; nothing that was acknowledged is lost"),
        ("locked", "end the other program that holds it"),
        ("readonly", "make disk, directory and file writable for this user; nothing that was acknowledged is lost"),
        ("unable to open", "make disk, directory and file writable for this user, or run `citynode init`"),
        ("malformed", "restore a backup"),
        ("not a database", "restore a backup"),
    ):
        if sign in words:
            return todo
    return "check the disk"


def _open(path: Path, begin: str, pool: type) -> Engine:
    with translated(path):
        engine = new_engine(path, "rw", begin, pool)
        with engine.connect() as connection:
            older = _check_version(connection, path)
        if older:
            _upgrade(path)
    return engine


def _upgrade(path: Path) -> None:
    engine = new_engine(path, "rw", "BEGIN IMMEDIATE", NullPool)
    with engine.begin() as connection:
        older = _check_version(connection, path)  # another process may have been faster
        if older:
            migrate(connection, older, SCHEMA_VERSION)


def new_engine(path: Path, mode: str, begin: str, pool: type) -> Engine:
    """Return an engine on the file `path`: `mode` rw or rwc (make it), `begin` the statement of its transactions."""
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"

    def connect() -> sqlite3.Connection:
        raw = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"journal_size_limit={_WAL_LIMIT_BYTES}"):
            raw.execute("PRAGMA " + pragma).close()
        raw.execute("PRAGMA foreign_keys=ON").close()
        return raw

    engine = create_engine("sqlite://", creator=connect, poolclass=pool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _check_version(connection: Connection, path: Path) -> int:
    """Return the version of an older database, 0 for one of today; StoreError for any other."""
    try:
        found = connection.execute(select(schema_version.c.version)).scalar() or 0
    except exc.OperationalError as error:
        if "no such table" not in str(error.orig):
            raise
        raise StoreError(expected=f"a citynode database at {path}", got="another one", todo="check the path") from None
    if 0 < found <= SCHEMA_VERSION:
        return found if found < SCHEMA_VERSION else 0
    raise StoreError(
        expected=f"schema version {SCHEMA_VERSION} in {path}",
        got=f"version {found}",
        todo="use the citynode that wrote it, or newer" if found else "restore a backup",
    )
