"""The writer's side of the store on SQLite: `FrameStore` with SQLAlchemy Core.

One connection, one writer. The hot path is executemany of tuples; a step costs one fsync, whatever its size.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, exc

from device_manager.adapters.store_engine import open_single_writer, translated
from device_manager.adapters.store_schema import KINDS
from device_manager.database import Database
from device_manager.ports import EventRow, LogRow, Node, RecordRow, Refusal, RejectRow, RowRefused

if TYPE_CHECKING:
    from device_manager.adapters.store_archive import Shelf, SqlArchive

NEWEST = 1000  # records whose receipt tells how late it was at last
_AMONG, _REFUSALS = 400, 180  # rows at once: SQLite takes 999 parameters at most in old builds
# SQLite looks one pair of an IN list up, and for two it reads the whole table; a cross join is taken in this order.
_STORED = """
WITH wanted (log_id, seq) AS (VALUES {}) SELECT frame.log_id, frame.seq, kind, payload
FROM wanted CROSS JOIN frame ON frame.log_id = wanted.log_id AND frame.seq = wanted.seq
"""
_REJECTED = """
WITH wanted (place, node, log, seq, payload) AS (VALUES {})
SELECT wanted.place, max(reject.payload = wanted.payload) FROM wanted
CROSS JOIN reject ON reject.log = wanted.log AND reject.seq = wanted.seq AND reject.node = wanted.node
GROUP BY wanted.place
"""
_NEWEST_EVENT = """
{} SELECT wanted.node_id, wanted.kind, (SELECT payload FROM event
    WHERE event.node_id = wanted.node_id AND event.kind = wanted.kind ORDER BY event.id DESC LIMIT 1) FROM wanted
"""
_REJECT = ", ".join(RejectRow._fields)
_COUNTED = "(node, reason, count, kept_bytes)"
_ADDED = (
    "ON CONFLICT (node, reason) DO UPDATE SET count = reject_count.count + excluded.count,"
    " kept_bytes = reject_count.kept_bytes + excluded.kept_bytes"
)
_KIND_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}


class SqlStore:
    """The `FrameStore` port. Not for two threads at once; open a second one only after closing the first."""

    _path: Database
    _shelf: "Shelf | None"

    def __init__(self, path: Path) -> None:
        """Open the database at `path`; StoreError when it is missing, foreign, or of another schema version."""
        self._path = path
        self._engine = open_single_writer(path)
        self._data_version: int | None = None
        self._shelf = None

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()

    def _open_archive(self) -> "SqlArchive | None":
        """Only a record that comes long after it was committed asks; most processes never load the archive."""
        from device_manager.adapters.store_archive import Shelf

        self._shelf = self._shelf or Shelf(self._path)
        return self._shelf.archive

    @contextmanager
    def begin(self) -> Iterator["SqlTransaction"]:
        """Open the next step: durable after the block, undone when it raises."""
        try:
            with translated(self._path), self._engine.begin() as connection:
                version = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
                yield SqlTransaction(connection, self._open_archive, changed_elsewhere=version != self._data_version)
            self._data_version = version
        except Exception as error:
            self._data_version = None  # whatever was remembered of this step may not have happened
            refusal = _refusal(error)
            if refusal:
                raise refusal from error
            self._engine.dispose()  # SQLite keeps a file that it opened while its disk was read-only so for ever
            raise


def _refusal(error: Exception) -> RowRefused | None:
    """Return a RowRefused when the error is about what a row holds, not about the medium."""
    cause = error.__cause__ or error
    kinds = (exc.IntegrityError, exc.DataError, exc.InterfaceError, exc.ProgrammingError, OverflowError)
    return RowRefused(str(getattr(cause, "orig", None) or cause)) if isinstance(cause, kinds) else None


class SqlTransaction:
    """The `Transaction` port on one connection."""

    def __init__(
        self, connection: Connection, archive: Callable[[], "SqlArchive | None"], *, changed_elsewhere: bool
    ) -> None:
        self.changed_elsewhere = changed_elsewhere
        self._archive = archive
        self._run = connection.exec_driver_sql

    def latest_ms(self) -> int:
        """See `Transaction.latest_ms`."""
        newest = f"SELECT received_ms FROM frame ORDER BY number DESC LIMIT {NEWEST}"
        return self._run(f"SELECT max(received_ms) FROM ({newest}) newest").scalar() or 0

    def node(self, name: str) -> Node | None:
        """See `Transaction.node`."""
        row = self._run("SELECT id, name, admission FROM node WHERE name = ?", (name,)).one_or_none()
        return Node(*row) if row else None

    def nodes(self, names: Sequence[str]) -> list[Node]:
        """See `Transaction.nodes`."""
        return [Node(*row) for row in self._among("SELECT id, name, admission FROM node WHERE name", names)]

    def log(self, log: int) -> LogRow | None:
        """See `Transaction.log`."""
        return next(iter(self.logs((log,))), None)

    def logs(self, logs: Sequence[int]) -> list[LogRow]:
        """See `Transaction.logs`."""
        rows = self._among("SELECT id, node_id, log, next, ahead FROM log WHERE log", logs)
        return [LogRow(row[0], row[1], row[2], row[3], _ranges(row[4])) for row in rows]

    def add_log(self, node_id: int, log: int) -> LogRow:
        """See `Transaction.add_log`."""
        sql = "INSERT INTO log (node_id, log, next, ahead) VALUES (?, ?, 0, '[]') RETURNING id"
        return LogRow(self._run(sql, (node_id, log)).scalar_one(), node_id, log, 0, ())

    def record(self, log_id: int, seq: int) -> tuple[str, bytes] | None:
        """See `Transaction.record`."""
        row = self._run("SELECT kind, payload FROM frame WHERE log_id = ? AND seq = ?", (log_id, seq)).one_or_none()
        return (KINDS[row[0]], row[1]) if row else None

    def archived(self, log_id: int, seq: int) -> bool:
        """See `Transaction.archived`."""
        archive = self._archive()
        return archive is not None and archive.holds(log_id, seq)

    def records(self, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[str, bytes]]:
        """See `Transaction.records`."""
        found: dict[tuple[int, int], tuple[str, bytes]] = {}
        for at in range(0, len(keys), _AMONG):
            some = keys[at : at + _AMONG]
            sql = _STORED.format(",".join(["(?, ?)"] * len(some)))
            rows = self._run(sql, tuple(n for key in some for n in key))
            found |= {(row[0], row[1]): (KINDS[row[2]], row[3]) for row in rows}
        return found

    def rejected(self, refusals: Sequence[Refusal]) -> list[bool | None]:
        """See `Transaction.rejected`."""
        found: dict[int, bool] = {}
        for at in range(0, len(refusals), _REFUSALS):
            some = list(enumerate(refusals[at : at + _REFUSALS], start=at))
            sql = _REJECTED.format(",".join(["(?, ?, ?, ?, ?)"] * len(some)))
            found |= {row[0]: bool(row[1]) for row in self._run(sql, tuple(n for i, key in some for n in (i, *key)))}
        return [found.get(i) for i in range(len(refusals))]

    def reject_bytes(self, nodes: Sequence[str]) -> dict[str, int]:
        """See `Transaction.reject_bytes`."""
        kept: dict[str, int] = {}
        for node, size in self._among("SELECT node, kept_bytes FROM reject_count WHERE node", nodes):
            kept[node] = kept.get(node, 0) + int(size)
        return kept

    def last_events(self, keys: Sequence[tuple[int, str]]) -> dict[tuple[int, str], bytes | None]:
        """See `Transaction.last_events`."""
        found: dict[tuple[int, str], bytes | None] = {}
        for at in range(0, len(keys), _AMONG):
            some = keys[at : at + _AMONG]
            sql = _NEWEST_EVENT.format(f"WITH wanted (node_id, kind) AS (VALUES {','.join(['(?, ?)'] * len(some))})")
            rows = self._run(sql, tuple(part for key in some for part in key))
            found |= {(row[0], row[1]): row[2] for row in rows}
        return found

    def shadows(self, node_ids: Sequence[int]) -> dict[int, str]:
        """See `Transaction.shadows`."""
        rows = self._among("SELECT node_id, document FROM shadow WHERE node_id", node_ids)
        return {row[0]: row[1] for row in rows}

    def append(self, rows: Sequence[RecordRow]) -> None:
        """See `Transaction.append`; SQLite numbers them itself, one more than the highest each."""
        self._many(
            "INSERT INTO frame (node_id, log_id, seq, kind, received_ms, start_s, payload)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(r[0], r[1], r[2], _KIND_NUMBERS[r[3]], r[4], r[5], r[6]) for r in rows],
        )

    def save_logs(self, rows: Sequence[LogRow]) -> None:
        """See `Transaction.save_logs`."""
        self._many(
            "UPDATE log SET next = ?, ahead = ? WHERE id = ?",
            [(row.next, _json(row.ahead), row.log_id) for row in rows],
        )

    def save_shadows(self, rows: Sequence[tuple[int, str]]) -> None:
        """See `Transaction.save_shadows`."""
        sql = "INSERT INTO shadow (node_id, document) VALUES (?, ?)"
        self._many(sql + " ON CONFLICT (node_id) DO UPDATE SET document = excluded.document", rows)

    def add_rejects(self, kept: Sequence[RejectRow], only_counted: Sequence[RejectRow]) -> None:
        """See `Transaction.add_rejects`."""
        self._keep_rejects(kept)
        counts = Counter((row.node, row.reason) for row in (*kept, *only_counted))
        sizes: Counter[tuple[str, str]] = Counter()
        for row in kept:
            sizes[row.node, row.reason] += len(row.payload)
        self._count_rejects([(*key, count, sizes[key]) for key, count in sorted(counts.items())])

    def _keep_rejects(self, rows: Sequence[RejectRow]) -> None:
        marks = ", ".join("?" * len(RejectRow._fields))
        self._many(f"INSERT INTO reject ({_REJECT}) VALUES ({marks})", [tuple(row) for row in rows])

    def _count_rejects(self, rows: Sequence[tuple[str, str, int, int]]) -> None:
        """Add (node, reason, count, bytes kept), each node and reason once."""
        self._many(f"INSERT INTO reject_count {_COUNTED} VALUES (?, ?, ?, ?) {_ADDED}", rows)

    def add_events(self, rows: Sequence[EventRow]) -> None:
        """See `Transaction.add_events`."""
        sql = "INSERT INTO event (node_id, kind, received_ms, payload) VALUES (?, ?, ?, ?)"
        self._many(sql, [tuple(row) for row in rows])

    def _among(self, select: str, keys: Sequence[object]) -> Iterator[Any]:
        """Yield the rows whose key is one of `keys`, some hundred keys at a time."""
        for at in range(0, len(keys), _AMONG):
            some = tuple(keys[at : at + _AMONG])
            yield from self._run(f"{select} IN ({','.join('?' * len(some))})", some)

    def _many(self, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            self._run(sql, list(rows))


def _json(ahead: Sequence[tuple[int, int]]) -> str:
    return json.dumps(ahead, separators=(",", ":")) if ahead else "[]"


def _ranges(ahead: str) -> tuple[tuple[int, int], ...]:
    return tuple((first, last) for first, last in json.loads(ahead)) if ahead != "[]" else ()
