"""The readers' side of the store: `FleetReader` and what lists and pages show. Any process, any time, any thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from heapq import merge
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row

from device_manager.adapters.store_engine import open_reader, translated
from device_manager.adapters.store_keys import BEGIN, RANGE, keys_of
from device_manager.adapters.store_numbers import next_page
from device_manager.adapters.store_operations import is_there
from device_manager.adapters.store_schema import KINDS
from device_manager.database import Database, ServerDatabase
from device_manager.ports import Deployment, NodeView, RejectRow, Site, StoredRecord

if TYPE_CHECKING:
    from device_manager.adapters.store_archive import Shelf, SqlArchive
    from device_manager.adapters.store_series import SqlSeries

_PAGE = 2000
_LOOK_BACK_S = 86_400  # no frame covers more, see ingest.admit
_COLUMNS = "number, node_id, log_id, seq, kind, received_ms, start_s, payload"
_SITE_COLUMNS = (
    *("id", "name", "title", "latitude", "longitude", "height_m", "district", "zone"),
    *("heading_deg", "fixture", "gml_id", "tags"),
)
_NODES = f"""
SELECT node.id, node.name, node.admission, node.added_ms, shadow.document, node.tags,
       {", ".join("site." + name for name in _SITE_COLUMNS)}
FROM node
LEFT JOIN deployment ON deployment.id = (
    SELECT id FROM deployment WHERE node_id = node.id AND until_s IS NULL ORDER BY since_s DESC LIMIT 1)
LEFT JOIN site ON site.id = deployment.site_id
LEFT JOIN shadow ON shadow.node_id = node.id
"""
_LATEST = f"""
SELECT {_COLUMNS} FROM frame WHERE number IN (
    SELECT (SELECT number FROM frame WHERE node_id = node.id AND start_s IS NOT NULL
            ORDER BY start_s DESC, number DESC LIMIT 1) FROM node)
ORDER BY node_id
"""
_LATEST_ON_SERVER = f"""
SELECT {_COLUMNS} FROM node CROSS JOIN LATERAL (
    SELECT * FROM frame WHERE {BEGIN} >= node.id * {RANGE} AND {BEGIN} < (node.id + 1) * {RANGE}
    AND start_s IS NOT NULL ORDER BY {BEGIN} DESC, number DESC LIMIT 1) newest
ORDER BY node_id
"""


class SqlReader:
    """The `FleetReader` port, and the queries of `citynode node` and `citynode data`."""

    def __init__(self, path: Database) -> None:
        """Open the database at `path`; StoreError when it is missing, foreign, or of another schema version."""
        self._path = path
        self._keys = keys_of(path)
        self._engine = open_reader(path)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()
        for lazy in ("_series", "_shelf"):
            if lazy in self.__dict__:
                getattr(self, lazy).close()

    def records(
        self, *, after: int = 0, node_id: int | None = None, since_s: int | None = None, until_s: int | None = None
    ) -> Iterator[StoredRecord]:
        """Yield records above `after` in commit order, read in pages so that a slow reader holds nothing up.

        With `since_s` or `until_s` (Unix s) only dated frames that may touch the window come, wherever they start.
        """
        windowed = since_s is not None or until_s is not None
        found = self._pages(after, *self._selection(node_id, since_s, until_s), windowed=windowed)
        archive = self._archive()
        if archive:
            low, high = ((since_s or 0) - _LOOK_BACK_S, until_s) if windowed else (None, None)
            found = _once(merge(archive.records(after, node_id, low, high), found, key=attrgetter("number")))
        if not self._has_series():
            yield from found
        elif windowed:
            low, high = (since_s or 0) - _LOOK_BACK_S, until_s if until_s is not None else 1 << 62
            yield from merge(found, self._dated(after, node_id, low, high), key=attrgetter("number"))
        else:
            yield from map(self._with_date, found)

    def _has_series(self) -> bool:
        return isinstance(self._path, ServerDatabase) or self._path.with_name("series.db").exists()

    def _selection(self, node_id: int | None, since_s: int | None, until_s: int | None) -> tuple[str, tuple[int, ...]]:
        """Return the beginning of a statement, to go on with a condition on `number`, and its arguments."""
        select = f"SELECT {_COLUMNS} FROM"
        if since_s is None and until_s is None:
            return (
                (f"{select} frame WHERE", ())
                if node_id is None
                else (f"{select} frame WHERE node_id = ? AND", (node_id,))
            )
        window = (since_s or 0) - _LOOK_BACK_S, until_s if until_s is not None else 1 << 62
        where = self._keys.all_begins(*window) if node_id is None else self._keys.begins(node_id, *window)
        return f"{select} {where.source} WHERE {where.sql} AND", where.arguments

    def _pages(self, after: int, select: str, arguments: tuple[int, ...], *, windowed: bool) -> Iterator[StoredRecord]:
        """Yield records page by page. A window is looked up by begins: the plus keeps SQLite from walking the whole
        table by number instead, and nothing is gained by ranges of numbers."""
        while True:
            with self._connect() as connection:
                if windowed:
                    sql = f"{select} +number > ? ORDER BY number LIMIT ?"
                    page = connection.exec_driver_sql(sql, (*arguments, after, _PAGE)).fetchall()
                else:
                    page = next_page(connection, select, arguments, after, _PAGE)
            yield from map(_stored, page)
            if len(page) < _PAGE:
                return
            after = page[-1][0]

    def _archive(self) -> "SqlArchive | None":
        return self._shelf.archive if is_there(self._path) else None

    @cached_property
    def _shelf(self) -> "Shelf":
        from device_manager.adapters.store_archive import Shelf  # pyarrow: as below

        return Shelf(self._path)

    @cached_property
    def _series(self) -> "SqlSeries":
        from device_manager.adapters.store_series import SqlSeries  # numpy: who lists nodes need not load it

        return SqlSeries(self._path)

    def _with_date(self, record: StoredRecord) -> StoredRecord:
        """Return a frame that was dated afterwards with its begin, see `store_series`."""
        if record.start_s is not None or record.kind != "frame":
            return record
        found = self._series.dated_among([record.number]).get(record.number)
        return record._replace(start_s=found[0]) if found else record

    def _dated(self, after: int, node_id: int | None, low_s: int, high_s: int) -> Iterator[StoredRecord]:
        """Yield frames that were dated afterwards and begin in low_s..high_s, by number."""
        nodes = [node_id] if node_id is not None else list(self.names())
        dates = {number: start_s for node in nodes for number, start_s, _ in self._series.dated(node, low_s, high_s)}
        for number in sorted(number for number in dates if number > after):
            with self._connect() as connection:
                row = connection.exec_driver_sql(f"SELECT {_COLUMNS} FROM frame WHERE number = ?", (number,)).one()
            yield _stored(row)._replace(start_s=dates[number])

    def record(self, log_id: int, seq: int) -> StoredRecord | None:
        """Return the record `seq` of a log."""
        where = self._keys.place(log_id, seq)
        sql = f"SELECT {_COLUMNS} FROM frame WHERE {where.sql}"
        with self._connect() as connection:
            row = connection.exec_driver_sql(sql, where.arguments).one_or_none()
        return _stored(row) if row else None

    def owners(self) -> dict[int, int]:
        """Return the node of every log, by `log_id`."""
        with self._connect() as connection:
            return {row[0]: row[1] for row in connection.exec_driver_sql("SELECT id, node_id FROM log")}

    def latest_frames(self) -> list[StoredRecord]:
        """Return the dated frame with the latest start of every node that has one, by node."""
        latest = _LATEST_ON_SERVER if isinstance(self._path, ServerDatabase) else _LATEST
        with self._connect() as connection:
            return [_stored(row) for row in connection.exec_driver_sql(latest)]

    def head_number(self) -> int:
        """Return the highest number given, 0 in an empty store."""
        with self._connect() as connection:
            return int(connection.exec_driver_sql(self._keys.head).scalar_one())

    def deployments(self) -> list[Deployment]:
        """Return all deployments by node and begin."""
        sql = "SELECT node_id, site_id, since_s, until_s FROM deployment ORDER BY node_id, since_s"
        with self._connect() as connection:
            return [Deployment(*row) for row in connection.exec_driver_sql(sql)]

    def decisions(self) -> list[tuple[int, int, str, str, str]]:
        """Return all decisions of people about readings, in order."""
        sql = "SELECT id, made_ms, actor, kind, document FROM decision ORDER BY id"
        with self._connect() as connection:
            return [(row[0], row[1], row[2], row[3], row[4]) for row in connection.exec_driver_sql(sql)]

    def sites(self) -> list[Site]:
        """Return all sites by name."""
        sql = f"SELECT {', '.join(_SITE_COLUMNS)} FROM site ORDER BY name"
        with self._connect() as connection:
            return [_site(tuple(row)) for row in connection.exec_driver_sql(sql)]

    def names(self) -> dict[int, str]:
        """Return the names of all registered nodes by `node_id`."""
        with self._connect() as connection:
            return {row[0]: row[1] for row in connection.exec_driver_sql("SELECT id, name FROM node")}

    def nodes(self) -> list[NodeView]:
        """Return all registered nodes by name, with their present site and shadow."""
        with self._connect() as connection:
            return [_view(row) for row in connection.exec_driver_sql(_NODES + " ORDER BY node.name")]

    def node(self, name: str) -> NodeView | None:
        """Return one registered node."""
        with self._connect() as connection:
            row = connection.exec_driver_sql(_NODES + " WHERE node.name = ?", (name,)).one_or_none()
        return _view(row) if row else None

    def reject_counts(self, node: str) -> dict[str, int]:
        """Return how many messages of that name, registered or not, were not accepted, by reason."""
        sql = "SELECT reason, count FROM reject_count WHERE node = ? ORDER BY reason"
        with self._connect() as connection:
            return {reason: count for reason, count in connection.exec_driver_sql(sql, (node,))}

    def rejects(self, node: str, limit: int = 20) -> list[RejectRow]:
        """Return the newest kept rejects of that name."""
        sql = (
            "SELECT node, topic, received_ms, reason, detail, payload, payload_bytes, log, seq FROM reject"
            " WHERE node = ? ORDER BY id DESC LIMIT ?"
        )
        with self._connect() as connection:
            return [RejectRow(*row) for row in connection.exec_driver_sql(sql, (node, limit))]

    def replies(self, after: int) -> tuple[int, list[tuple[str, bytes]]]:
        """Return the newest number of a reply, and (node, payload) of those above number `after`."""
        sql = (
            "SELECT event.id, node.name, event.payload FROM event JOIN node ON node.id = event.node_id"
            " WHERE event.kind = 'reply' AND event.id > ? ORDER BY event.id"
        )
        with self._connect() as connection:
            rows = connection.exec_driver_sql(sql, (after,)).all()
        return max((row[0] for row in rows), default=after), [(row[1], row[2]) for row in rows]

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with translated(self._path), self._engine.connect() as connection:
            yield connection


def _once(records: Iterator[StoredRecord]) -> Iterator[StoredRecord]:
    """Yield records by number, each once."""
    last = 0
    for record in records:
        if record.number != last:
            yield record
        last = record.number


def _stored(row: Row[Any]) -> StoredRecord:
    number, node_id, log_id, seq, kind, received_ms, start_s, payload = tuple(row)
    return StoredRecord(number, node_id, log_id, seq, KINDS[kind], received_ms, start_s, payload)


def _view(row: Row[Any]) -> NodeView:
    node_id, name, admission, added_ms, document, tags, *site = tuple(row)
    hangs = _site(tuple(site)) if site[0] is not None else None
    return NodeView(node_id, name, admission, added_ms, hangs, document, tuple(tags.split()))


def _site(row: tuple[Any, ...]) -> Site:
    return Site._make((*row[:-1], tuple(row[-1].split())))
