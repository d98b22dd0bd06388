"""Opening a PostgreSQL database: one place for engines, for what its errors mean, and for making the tables.

The tables of `citynode.db`, `series.db` and `operations.db` lie in the schemas `public`, `series` and `operations` of
one database. Statements are the same as for SQLite: written by hand with `?`, which becomes the driver's `%s` here.

Frames are partitioned by the month of their receipt, so that a month can leave as one table; see `store_pg_frames`.
They have no foreign keys: looking up and locking node and log for each frame cost the server more than storing it, and
no node or log is ever deleted. `citynode store check` looks.
Readers look at one snapshot for each transaction (REPEATABLE READ), as SQLite's readers do. Only PostgreSQL's
own SQL is asked for, no extension.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from select import POLLIN, poll
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, exc, insert, inspect, select
from sqlalchemy.pool import Pool

from device_manager.adapters.store_keys import BEGIN, PLACE
from device_manager.adapters.store_migrations import migrate
from device_manager.adapters.store_schema import frame, metadata, schema_version
from device_manager.adapters.store_version import SCHEMA_VERSION
from device_manager.database import ServerDatabase
from device_manager.errors import StoreError

CONNECT_S = 5
# A firewall between forgets a silent connection after minutes, and a host that lost its power says nothing: both are
# noticed within two minutes, whether the connection was idle or waited for an answer.
_KEEPALIVES = {"keepalives_idle": 60, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 90_000}
_MIGRATION_LOCK = 0x636E_0001  # advisory: one process upgrades, the others wait
_FRAME = f"""
CREATE TABLE frame (number BIGINT NOT NULL, received_ms BIGINT NOT NULL, start_s BIGINT, seq BIGINT NOT NULL,
    node_id INTEGER NOT NULL, log_id INTEGER NOT NULL, kind SMALLINT NOT NULL, payload BYTEA NOT NULL)
    PARTITION BY RANGE (received_ms);
CREATE INDEX frame_number ON frame USING brin (number) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX frame_place ON frame (({PLACE})) WITH (fillfactor = 100);
CREATE INDEX frame_begin ON frame (({BEGIN})) WITH (fillfactor = 100) WHERE start_s IS NOT NULL;
CREATE TABLE numbered (head BIGINT NOT NULL);
INSERT INTO numbered VALUES (0)
"""
_CHANGES = """
CREATE TABLE change (version BIGINT NOT NULL);
INSERT INTO change VALUES (0);
CREATE TABLE arrival (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, messages INTEGER NOT NULL,
    body BYTEA NOT NULL);
ALTER TABLE arrival ALTER body SET STORAGE EXTERNAL;
CREATE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN UPDATE public.change SET version = version + 1; RETURN NULL; END';
CREATE TRIGGER node_changed AFTER INSERT OR UPDATE OR DELETE ON node EXECUTE FUNCTION count_change();
ALTER TABLE log SET (fillfactor = 60);
ALTER TABLE shadow SET (fillfactor = 60)
"""


class _BinaryCursor(psycopg.Cursor[Any]):
    """Takes results as they lie on the server: frames and roll-ups as text would be twice as long."""

    def __init__(self, connection: "psycopg.Connection[Any]", *, row_factory: Any = None) -> None:
        super().__init__(connection, row_factory=row_factory or connection.row_factory)
        self.format = psycopg.pq.Format.BINARY


def new_engine(
    server: ServerDatabase,
    schema: str,
    pool: type[Pool],
    *,
    snapshot: bool = False,
    binary: bool = False,
    growing: bool = False,
) -> Engine:
    """Return an engine whose names are those of `schema`.

    `snapshot`: for readers of one view, who change nothing; `binary`: for much of it (SQLAlchemy cannot look at tables
    through it); `growing`: for who fills tables, because a plan that the server keeps from when a table was empty reads
    all of it for each row.
    """
    options = f"-c search_path={schema} -c timezone=UTC"
    if snapshot:  # what readers ask for is there before another process of the server has begun to help
        options += " -c default_transaction_read_only=on -c max_parallel_workers_per_gather=0"
    if growing:
        options += " -c plan_cache_mode=force_custom_plan"
    arguments: dict[str, Any] = {"options": options, "connect_timeout": CONNECT_S, "application_name": "citynode"}
    arguments |= _KEEPALIVES
    if binary:
        arguments["cursor_factory"] = _BinaryCursor
    engine = create_engine(
        server.url.replace("postgresql://", "postgresql+psycopg://", 1),
        poolclass=pool,
        isolation_level="REPEATABLE READ" if snapshot else "READ COMMITTED",
        connect_args=arguments,
    )
    event.listen(engine, "before_cursor_execute", _marked, retval=True)
    event.listen(engine, "checkout", partial(_look_alive, engine))
    return engine


def _look_alive(engine: Engine, raw: Any, _: object, __: object) -> None:
    """Refuse a connection that has ended, so that the pool makes new ones.

    One that is well has nothing to say between two statements, and asking it each time would cost as much as what is
    asked. One whose peer went without a word has an error to say, found by keepalives.
    """
    said = poll()
    try:
        said.register(raw.fileno(), POLLIN)
        if said.poll(0):
            engine.dialect.do_ping(raw)
    except psycopg.Error as error:
        raise exc.InvalidatePoolError from error


def _marked(_: object, __: object, statement: str, parameters: Any, context: Any, ___: object) -> tuple[str, Any]:
    return (statement if context.compiled else placeholders(statement)), parameters


@lru_cache(maxsize=4096)
def placeholders(statement: str) -> str:
    """Return a statement with the driver's `%s` in place of each `?`; ours hold no question mark otherwise."""
    return statement.replace("%", "%%").replace("?", "%s")


@contextmanager
def translated(server: ServerDatabase) -> Iterator[None]:
    """Turn what PostgreSQL says about itself into a StoreError with something to do."""
    try:
        yield
    except (exc.DBAPIError, exc.InvalidRequestError, psycopg.Error, OSError) as error:
        cause = getattr(error, "orig", None) or error
        words = str(cause).partition("\n")[0]
        raise StoreError(expected=f"a working database {server}", got=words, todo=_remedy(cause, str(cause))) from error


def _remedy(cause: object, words: str) -> str:
    state = getattr(cause, "sqlstate", None) or ""
    for sign, todo in (
        ("53100", "free some space on the server's disk; nothing that was acknowledged is lost"),
        ("could not extend file", "free some space on the server's disk; nothing that was acknowledged is lost"),
        ("No space left", "free some space on the server's disk; nothing that was acknowledged is lost"),
        ("Read-only file system", "make the server's disk writable; nothing that was acknowledged is lost"),
        ("25006", "connect to the primary server, or make the server writable: it is read-only now"),
        ("during recovery", "connect to the primary server, or make the server writable: it is read-only now"),
        ("28", "check user and password in [store] url"),
        ("3D000", "create the database on the server, or name another in [store] url"),
        ("42P01", "run `citynode init` with this URL first"),
        ("42501", "give the user of [store] url the rights of the database's owner"),
        ("57P", "wait until the server runs again: messages wait, and nothing that was acknowledged is lost"),
        ("53300", "raise max_connections of the server, or end other programs"),
    ):
        if state.startswith(sign) or sign in words:
            return todo
    return "check that the server runs and can be reached; nothing that was acknowledged is lost"


def create_database(server: ServerDatabase) -> None:
    """Make all tables of the store; StoreError when they are there already."""
    from sqlalchemy.pool import NullPool

    with translated(server):
        engine = new_engine(server, "public", NullPool)
        with engine.begin() as connection:
            _lock_schema(connection)
            if inspect(connection).has_table("schema_version"):
                raise StoreError(expected=f"no tables of citynode in {server}", got="some", todo="use them as they are")
            metadata.create_all(connection, tables=[table for table in metadata.sorted_tables if table is not frame])
            for statement in (_FRAME + ";" + _CHANGES).split(";\n"):
                connection.exec_driver_sql(statement)
            connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))


def check_schema(engine: Engine, server: ServerDatabase) -> None:
    """Bring older tables to today's, as one step; StoreError for newer ones, or none."""
    with translated(server), engine.connect() as connection:
        found = _version(connection, server)
    if found == SCHEMA_VERSION:
        return
    with translated(server), engine.begin() as connection:
        connection.exec_driver_sql("SET TRANSACTION READ WRITE")  # whoever opens it first, be it to read
        _lock_schema(connection)
        found = _version(connection, server)  # another process may have been faster
        if found < SCHEMA_VERSION:
            migrate(connection, found, SCHEMA_VERSION)


def ensure_schema(connection: Connection, schema: str) -> None:
    """Make a schema that is missing; whoever comes second waits for the first."""
    _lock_schema(connection)
    connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")


def _lock_schema(connection: Connection) -> None:
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(?)", (_MIGRATION_LOCK,))


def _version(connection: Connection, server: ServerDatabase) -> int:
    found: int = connection.execute(select(schema_version.c.version)).scalar_one()
    if 0 < found <= SCHEMA_VERSION:
        return found
    expected = f"schema version {SCHEMA_VERSION} in {server}"
    raise StoreError(expected=expected, got=f"version {found}", todo="use the citynode that wrote it, or newer")
