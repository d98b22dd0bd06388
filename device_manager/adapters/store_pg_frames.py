"""The writer's side of the store on PostgreSQL: `FrameStore` with COPY, one round trip for each kind of row.

One writer at a time, whatever runs where: the session that writes holds an advisory lock, and every step runs in that
very session, so that who has lost the lock cannot write any more. A second one is refused and told so. The numbers of
frames are therefore given in commit order without gaps, as on SQLite; `numbered` holds the highest, because the index
of numbers, which takes no room, cannot name it.

A frame lies in the partition of the month in which it came (UTC), made when its first frame comes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import Connection, CursorResult
from sqlalchemy.pool import NullPool

from device_manager.adapters.store_keys import PLACE, RANGE
from device_manager.adapters.store_partitions import ensure_month, month_of, table_of
from device_manager.adapters.store_pg_arrays import Int4s, Int8s, Texts, register
from device_manager.adapters.store_pg_sending import Driver, Sending, copy, driver_of
from device_manager.adapters.store_postgres import check_schema, new_engine, translated
from device_manager.adapters.store_schema import KINDS
from device_manager.adapters.store_sql import (
    _ADDED,
    _COUNTED,
    _KIND_NUMBERS,
    _NEWEST_EVENT,
    _REJECT,
    NEWEST,
    SqlStore,
    SqlTransaction,
    _json,
    _ranges,
)
from device_manager.database import ServerDatabase
from device_manager.errors import StoreError
from device_manager.ports import EventRow, LogRow, Node, RecordRow, Refusal, RejectRow, RowRefused

if TYPE_CHECKING:
    from device_manager.adapters.store_archive import SqlArchive

LEADER_LOCK = 0x636E_0002  # advisory: who numbers
_COLUMNS = "number, received_ms, start_s, seq, node_id, log_id, kind, payload"
# Rows that came by other ways than ours (a restore by hand) may lie above: no number is given twice.
_HEAD = "SELECT greatest(head, (SELECT max(number) FROM frame WHERE number > head)) FROM numbered"
_REJECT_TYPES = ("text", "text", "int8", "text", "text", "bytea", "int8", "int8", "int8")
_TYPES = ("int8", "int8", "int8", "int8", "int4", "int4", "int2", "bytea")


class PgStore(SqlStore):
    """The `FrameStore` port on a server. Not for two threads at once; a lost connection is made anew by `begin`."""

    def __init__(self, server: ServerDatabase) -> None:
        """Connect and take the lead; StoreError when that cannot be, or when another process has it."""
        self._server = self._path = server
        self._shelf = None
        self._engine = new_engine(server, "public", NullPool, growing=True)
        check_schema(self._engine, server)
        self._connection: Connection | None = None
        self._version: int | None = None
        self._head = 0
        self._months: set[str] = set()
        self._lead()

    def close(self) -> None:
        """Give up the lead and close the connection; the next one may lead at once."""
        if self._connection is not None:
            with suppress(StoreError), translated(self._server), self._connection.begin():
                # the server notices that a connection has gone a moment later
                self._connection.exec_driver_sql("SELECT pg_advisory_unlock(?)", (LEADER_LOCK,))
        self._drop()
        self._engine.dispose()

    @contextmanager
    def begin(self) -> Iterator["PgTransaction"]:
        """See `FrameStore.begin`."""
        try:
            with translated(self._server):
                connection = self._connection or self._lead()
                with connection.begin():
                    version = connection.exec_driver_sql("SELECT version FROM change").scalar_one()
                    changed = version != self._version
                    step = PgTransaction(
                        connection, self._open_archive, self._head, self._months, changed_elsewhere=changed
                    )
                    with step.whole():
                        yield step
            self._version, self._head = version, step.head
            self._months |= step.made
        except Exception as error:
            self._version = None  # whatever was remembered of this step may not have happened
            refusal = _refusal(error)
            if isinstance(error, StoreError) and not refusal:
                self._drop()  # the state of the session is unknown; its lock goes with it
            if refusal:
                raise refusal from error
            raise

    def _lead(self) -> Connection:
        """Connect, and take the lock; it is held as long as the connection."""
        with translated(self._server):
            connection = self._engine.connect()
            try:
                register(driver_of(connection))
                with connection.begin():
                    if not connection.exec_driver_sql("SELECT pg_try_advisory_lock(?)", (LEADER_LOCK,)).scalar():
                        raise _other_leader(connection, self._server)
                    head = connection.exec_driver_sql(_HEAD).scalar_one()
            except BaseException:
                connection.close()
                raise
        self._connection, self._head, self._version = connection, int(head), None
        self._months.clear()
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
        self._connection = None


def _refusal(error: Exception) -> RowRefused | None:
    """Return a RowRefused when a row does not fit: SQLSTATE classes 22 (data) and 23 (integrity)."""
    cause = getattr(error.__cause__, "orig", None) or error.__cause__ or error
    state = getattr(cause, "sqlstate", None) or ""
    unwritable = isinstance(cause, OverflowError | UnicodeEncodeError)
    return RowRefused(str(cause)) if state[:2] in ("22", "23") or unwritable else None


def _other_leader(connection: Connection, server: ServerDatabase) -> StoreError:
    sql = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = ? AND granted LIMIT 1"
    pid = connection.exec_driver_sql(sql, (LEADER_LOCK,)).scalar()
    todo = "end that one; it hands over when it ends or loses its connection"
    return StoreError(
        expected=f"to be the only one that numbers in {server}", got=f"another (backend {pid})", todo=todo
    )


class PgTransaction(SqlTransaction):
    """The `Transaction` port on one connection; `head` is the highest number given, `made` the months that it made.

    Records, logs and shadows are sent, and the server takes them in while the caller goes on, see `store_pg_sending`.
    Whatever asks the server waits for that, and so does `whole`, which belongs into the transaction.
    """

    def __init__(
        self,
        connection: Connection,
        archive: Callable[[], "SqlArchive | None"],
        head: int,
        months: set[str],
        *,
        changed_elsewhere: bool,
    ) -> None:
        super().__init__(connection, archive, changed_elsewhere=changed_elsewhere)
        self.head = head
        self.made: set[str] = set()
        self._months = months
        self._driver = driver_of(connection)
        self._sending = Sending(self._driver)
        self._kept_head = head
        self._run = self._waited(self._run)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Wait at the end for what was sent; when something failed, that is what is raised, and not what followed."""
        try:
            yield
            self._wait()
        except BaseException:
            with suppress(psycopg.Error):
                self._sending.end()
            raise

    def _wait(self) -> None:
        """Wait until all that was sent is taken in; raises what kept it from there."""
        self._sending.end()
        if self._kept_head != self.head:
            self._driver.execute("UPDATE numbered SET head = %s", (self.head,))
            self._kept_head = self.head

    @property
    def _raw(self) -> Driver:
        self._wait()
        return self._driver

    def _waited(self, run: Callable[..., CursorResult[Any]]) -> Callable[..., CursorResult[Any]]:
        def waited(*arguments: Any) -> CursorResult[Any]:
            self._wait()
            return run(*arguments)

        return waited

    def nodes(self, names: Sequence[str]) -> list[Node]:
        """See `Transaction.nodes`."""
        sql = "SELECT id, name, admission FROM node WHERE name = ANY(%s)"
        return [Node(*row) for row in self._raw.execute(sql, (list(names),))]

    def logs(self, logs: Sequence[int]) -> list[LogRow]:
        """See `Transaction.logs`."""
        sql = "SELECT id, node_id, log, next, ahead FROM log WHERE log = ANY(%s::bigint[])"
        rows = self._raw.execute(sql, (list(logs),))
        return [LogRow(row[0], row[1], row[2], row[3], _ranges(row[4])) for row in rows]

    def latest_ms(self) -> int:
        """See `Transaction.latest_ms`; by a range of numbers, because nothing gives them in order."""
        sql = "SELECT coalesce(max(received_ms), 0) FROM frame WHERE number > ?"
        return int(self._run(sql, (self.head - NEWEST,)).scalar_one())

    def records(self, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[str, bytes]]:
        """See `Transaction.records`."""
        sql = f"SELECT log_id, seq, kind, payload FROM frame WHERE {PLACE} = ANY(%s::bigint[])"
        rows = self._raw.execute(sql, ([log_id * RANGE + seq for log_id, seq in keys],), binary=True)
        return {(row[0], row[1]): (KINDS[row[2]], row[3]) for row in rows}

    def record(self, log_id: int, seq: int) -> tuple[str, bytes] | None:
        """See `Transaction.record`."""
        return self.records([(log_id, seq)]).get((log_id, seq))

    def rejected(self, refusals: Sequence[Refusal]) -> list[bool | None]:
        """See `Transaction.rejected`."""
        sql = (
            "SELECT wanted.place, bool_or(reject.payload = wanted.payload)"
            " FROM unnest(%b::text[], %b::bigint[], %b::bigint[], %b::bytea[]) WITH ORDINALITY"
            " wanted (node, log, seq, payload, place) JOIN reject USING (log, seq, node) GROUP BY wanted.place"
        )
        columns = [list(column) for column in zip(*refusals, strict=True)]
        found = dict(self._raw.execute(sql, columns)) if refusals else {}
        return [found.get(place) for place in range(1, len(refusals) + 1)]

    def last_events(self, keys: Sequence[tuple[int, str]]) -> dict[tuple[int, str], bytes | None]:
        """See `Transaction.last_events`."""
        wanted = "WITH wanted (node_id, kind) AS (SELECT * FROM unnest(%b::int[], %b::text[]))"
        rows = self._raw.execute(_NEWEST_EVENT.format(wanted), [list(column) for column in zip(*keys, strict=True)])
        return {(row[0], row[1]): row[2] for row in rows}

    def shadows(self, node_ids: Sequence[int]) -> dict[int, str]:
        """See `Transaction.shadows`."""
        rows = self._raw.execute("SELECT node_id, document FROM shadow WHERE node_id = ANY(%s)", (list(node_ids),))
        return {row[0]: row[1] for row in rows}

    def append(self, rows: Sequence[RecordRow]) -> None:
        """See `Transaction.append`; the numbers go on from the highest, and a row of another month begins a COPY."""
        for month, some in groupby(rows, lambda row: month_of(row.received_ms)):
            write = self._sending.rows_into(f"{self._partition(month)} ({_COLUMNS})", _TYPES)
            for r in some:
                self.head += 1
                head = (self.head, r.received_ms, r.start_s, r.seq, r.node_id, r.log_id, _KIND_NUMBERS[r.kind])
                write((*head, r.payload))

    def save_logs(self, rows: Sequence[LogRow]) -> None:
        """See `Transaction.save_logs`."""
        if rows:
            sql = (
                "UPDATE log SET next = new.next, ahead = new.ahead"
                " FROM unnest(%b::int[], %b::bigint[], %b::text[]) new (id, next, ahead) WHERE log.id = new.id"
            )
            ids, nexts, ahead = zip(*((r.log_id, r.next, _json(r.ahead)) for r in rows), strict=True)
            self._sending.run(sql, Int4s(ids), Int8s(nexts), Texts(ahead))

    def save_shadows(self, rows: Sequence[tuple[int, str]]) -> None:
        """See `Transaction.save_shadows`."""
        if rows:
            sql = (
                "INSERT INTO shadow (node_id, document) SELECT * FROM unnest(%b::int[], %b::text[])"
                " ON CONFLICT (node_id) DO UPDATE SET document = excluded.document"
            )
            ids, documents = zip(*rows, strict=True)
            self._sending.run(sql, Int4s(ids), Texts(documents))

    def _keep_rejects(self, rows: Sequence[RejectRow]) -> None:
        if rows:
            copy(self._raw, f"reject ({_REJECT})", _REJECT_TYPES, [_printable(row) for row in rows])

    def _count_rejects(self, rows: Sequence[tuple[str, str, int, int]]) -> None:
        if rows:
            new = "unnest(%b::text[], %b::text[], %b::bigint[], %b::bigint[])"
            columns = [list(column) for column in zip(*rows, strict=True)]
            self._raw.execute(f"INSERT INTO reject_count {_COUNTED} SELECT * FROM {new} {_ADDED}", columns)

    def add_events(self, rows: Sequence[EventRow]) -> None:
        """See `Transaction.add_events`."""
        if rows:
            copy(self._raw, "event (node_id, kind, received_ms, payload)", ("int4", "varchar", "int8", "bytea"), rows)

    def _partition(self, month: tuple[int, int]) -> str:
        """Return the table of a month, made if need be."""
        name = table_of(month)
        if name not in self._months and name not in self.made:
            ensure_month(self._raw, month)
            self.made.add(name)
        return name


def _printable(row: RejectRow) -> RejectRow:
    return row._replace(**{name: getattr(row, name).replace("\0", "\ufffd") for name in ("node", "topic", "detail")})
