"""`operations.db`: what running a fleet leaves behind, rollouts, alerts, people, the audit log, beside `citynode.db`.

A database of its own, because ingest must be the only frequent writer of `citynode.db`: whenever somebody else writes
there, ingest forgets what it remembers. Writes here are small and rare, by any process, each one durable.

Each room keeps its tables in its own `store_<room>.py`, on this module's `metadata`, in SQLAlchemy Core that any
database understands:

    operations = Operations(settings.database)
    operations.ensure(audit_entry)              # makes the table where it is missing
    with operations.begin() as connection: ...
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, MetaData, Table, inspect

from device_manager.adapters.store_engine import new_engines, translated
from device_manager.database import Database, ServerDatabase

SCHEMA = "operations"  # of a PostgreSQL database
metadata = MetaData()


def path_beside(database: Path) -> Path:
    """Return where the operations tables of a database lie."""
    return database.with_name("operations.db")


def is_there(database: Database) -> bool:
    """True when operations tables may lie beside a database."""
    return isinstance(database, ServerDatabase) or path_beside(database).exists()


class Operations:
    """Opens `operations.db`; a missing file is made (0600). Any number of processes and threads may hold one."""

    def __init__(self, database: Database) -> None:
        """Open or make the file beside `database`, or its schema on a server; StoreError when it cannot be used."""
        self._path = database if isinstance(database, ServerDatabase) else path_beside(database)
        with translated(self._path):
            if isinstance(self._path, Path) and not self._path.exists():
                self._path.touch(mode=0o600)
            self._reader, self._writer = new_engines(self._path, SCHEMA)

    def ensure(self, *tables: Table) -> None:
        """Make those of the tables that are not there yet."""
        with self.reading() as connection:  # a server that is read-only now may have them all
            known = set(inspect(connection).get_table_names())
        if known.issuperset(table.name for table in tables):
            return
        with self.begin() as connection:
            if isinstance(self._path, ServerDatabase):
                from device_manager.adapters.store_postgres import ensure_schema

                ensure_schema(connection, SCHEMA)
            metadata.create_all(connection, tables=tables, checkfirst=True)

    def close(self) -> None:
        """Close all connections."""
        self._reader.dispose()
        self._writer.dispose()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a step of changes: durable after the block, undone when it raises."""
        with translated(self._path), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open one view for many reads."""
        with translated(self._path), self._reader.connect() as connection:
            yield connection
