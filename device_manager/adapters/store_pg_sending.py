"""Sending to PostgreSQL without waiting: the server takes in what came while the caller makes what comes next.

Rows go by a COPY that stays open, statements in libpq's pipeline mode. Neither needs a thread, which would have to wait
for the interpreter at every answer of the server.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import psycopg
from sqlalchemy import Connection

from device_manager.adapters.store_pg_arrays import Int4s, Int8s, Texts

Driver = psycopg.Connection[Any]
WriteRow = Callable[[Sequence[object]], None]


def driver_of(connection: Connection) -> Driver:
    """Return what lies under SQLAlchemy's connection."""
    return cast(Driver, connection.connection.driver_connection)


class Sending:
    """What one transaction has under way on a connection; `end` before anything else is asked of it."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._open = ExitStack()
        self._copies: dict[str, WriteRow] = {}  # one at most
        self._is_piping = False

    def rows_into(self, table: str, types: Sequence[str]) -> WriteRow:
        """Return what sends a row into `table`, which may name columns; whatever else is under way ends first."""
        if table not in self._copies:
            self.end()
            self._copies[table] = self._open.enter_context(_copying(self._driver, table, types))
        return self._copies[table]

    def run(self, statement: str, *columns: Int4s | Int8s | Texts) -> None:
        """Send a statement that gives nothing back; a COPY ends first."""
        if not self._is_piping:
            self.end()
            self._open.enter_context(self._driver.pipeline())
            self._is_piping = True
        self._driver.execute(statement, columns)

    def end(self) -> None:
        """Wait until all that was sent is taken in; raises what kept it from there."""
        sent, self._open = self._open, ExitStack()
        self._copies, self._is_piping = {}, False
        sent.close()


def copy(driver: Driver, table: str, types: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows by a COPY of their own."""
    with _copying(driver, table, types) as write:
        for row in rows:
            write(row)


@contextmanager
def _copying(driver: Driver, table: str, types: Sequence[str]) -> Iterator[WriteRow]:
    with driver.cursor().copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as opened:
        opened.set_types(types)
        yield opened.write_row
