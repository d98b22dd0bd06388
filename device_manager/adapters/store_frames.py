"""Frames for series: the `FrameSource` port on the SQL store. Any process, any time, any thread.

Frames that were dated afterwards have their dates in the derived tables, see `store_series`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from device_manager.adapters.store_archive import EVER, Shelf, merged
from device_manager.adapters.store_engine import fetch, open_reader, translated
from device_manager.adapters.store_keys import RANGE, Where, keys_of
from device_manager.adapters.store_numbers import next_page, ranges
from device_manager.adapters.store_schema import KINDS
from device_manager.adapters.store_series import SqlSeries
from device_manager.database import Database
from device_manager.ports import Deployment, StoredRecord
from device_manager.series.decisions import Decision
from device_manager.series.rows import FrameRows

_LOOK_BACK_S = 86_400  # no frame covers more, see ingest.admit
_RECORD = "number, node_id, log_id, seq, kind, received_ms, start_s, payload"
_ROW = "SELECT number, node_id, log_id, start_s, payload, 0 FROM frame WHERE"
_DATED = "SELECT start_s FROM frame WHERE start_s IS NOT NULL AND"


class SqlFrames:
    """The `FrameSource` port; `series` are the derived tables beside the database."""

    def __init__(self, path: Database, series: SqlSeries) -> None:
        """Open the database at `path`; StoreError when it is missing, foreign, or newer than this citynode."""
        self._path = path
        self._series = series
        self._keys = keys_of(path)
        self._engine = open_reader(path)
        self._shelf = Shelf(path)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()
        self._shelf.close()

    def frames(self, node_id: int, since_s: int, until_s: int) -> FrameRows:
        """See `FrameSource.frames`."""
        window = since_s - _LOOK_BACK_S, until_s
        with self._connect() as connection:
            where = self._keys.begins(node_id, *window)
            rows = fetch(connection, f"{_ROW} {where.sql} ORDER BY {where.order}", where.arguments)
        dated = self._series.dated(node_id, *window)
        archive = self._shelf.archive
        archived = archive.frames(node_id, *window) if archive else []
        if dated or archived:
            there = {row[0] for row in rows} if archived else set()
            old = [row for row in archived if row[0] not in there]  # a run that was cut off left some in both places
            rows = sorted([*old, *rows, *self._dated(dated)], key=lambda row: row[3])
        return _columns(rows)

    def numbered_frames(self, numbers: Sequence[int]) -> FrameRows:
        """See `FrameSource.numbered_frames`."""
        dated = self._series.dated_among(numbers)
        found = {row[0]: row for row in self._by_number(numbers)}
        gone = [number for number in numbers if number not in found]
        archive = self._shelf.archive if gone else None
        if archive:
            old = archive.by_number(gone)
            found |= {r.number: (r.number, r.node_id, r.log_id, r.start_s, r.payload, 0) for r in old}
        rows = []
        for number in numbers:
            row = found[number]
            if row[3] is None and number in dated:
                start_s, unsure_s = dated[number]
                row = (*row[:3], start_s, row[4], unsure_s)
            rows.append(row)
        return _columns(rows)

    def page(self, after: int, limit: int) -> list[StoredRecord]:
        """See `FrameSource.page`."""
        with self._connect() as connection:
            rows = next_page(connection, f"SELECT {_RECORD} FROM frame WHERE", (), after, limit)
        found = [StoredRecord(r[0], r[1], r[2], r[3], KINDS[r[4]], r[5], r[6], r[7]) for r in rows]
        until = found[-1].number if len(found) == limit else EVER
        archive = self._shelf.archive
        old = archive.between(after, until) if archive else []
        return merged(found, old)[:limit]

    def frame_span(self, node_id: int, since_s: int, until_s: int) -> tuple[int, int] | None:
        """See `FrameSource.frame_span`."""
        where = self._keys.begins(node_id, since_s - 1, until_s)
        found = [self._first(where, way) for way in ("ASC", "DESC")]
        begins = [start_s for start_s in found if start_s is not None]
        begins += [start_s for _, start_s, _ in self._series.dated(node_id, since_s - 1, until_s)]
        archive = self._shelf.archive
        months = (
            [file for file in archive.files() if file.high_s >= since_s and file.low_s < until_s] if archive else []
        )
        begins += [max(file.low_s, since_s) for file in months]
        return (min(begins), max(begins)) if begins else None

    def record(self, log_id: int, seq: int) -> StoredRecord | None:
        """See `FrameSource.record`."""
        where = self._keys.place(log_id, seq)
        rows = self._all(f"SELECT {_RECORD} FROM frame WHERE {where.sql}", where.arguments)
        return next((StoredRecord(r[0], r[1], r[2], r[3], KINDS[r[4]], r[5], r[6], r[7]) for r in rows), None)

    def neighbours(self, log_id: int, seq: int) -> tuple[int | None, int | None]:
        """See `FrameSource.neighbours`."""
        before = self._first(self._keys.places(log_id, -1, seq), "DESC")
        return before, self._first(self._keys.places(log_id, seq, RANGE), "ASC")

    def events(self, node_id: int, kind: str) -> list[bytes]:
        """See `FrameSource.events`."""
        sql = "SELECT payload FROM event WHERE node_id = ? AND kind = ? ORDER BY id"
        return [row[0] for row in self._all(sql, (node_id, kind))]

    def node_ids(self) -> list[int]:
        """See `FrameSource.node_ids`."""
        return [row[0] for row in self._all("SELECT id FROM node ORDER BY id", ())]

    def zones(self) -> dict[int, str]:
        """See `FrameSource.zones`."""
        return {row[0]: row[1] for row in self._all("SELECT id, zone FROM site", ())}

    def decisions(self, after: int = 0) -> list[Decision]:
        """See `FrameSource.decisions`."""
        sql = "SELECT id, made_ms, actor, kind, document FROM decision WHERE id > ? ORDER BY id"
        return [Decision(*row) for row in self._all(sql, (after,))]

    def deployments(self) -> list[Deployment]:
        """See `FrameSource.deployments`."""
        sql = "SELECT node_id, site_id, since_s, until_s FROM deployment ORDER BY node_id, since_s"
        return [Deployment(*row) for row in self._all(sql, ())]

    def _dated(self, dated: list[tuple[int, int, int]]) -> Iterator[tuple[Any, ...]]:
        when = {number: (start_s, unsure_s) for number, start_s, unsure_s in dated}
        for row in self._by_number(list(when)):
            start_s, unsure_s = when[row[0]]
            yield (*row[:3], start_s, row[4], unsure_s)

    def _by_number(self, numbers: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        """Yield rows of `frames` by commit number: ranges, and those that were asked for among them."""
        wanted = set(numbers)
        for low, high in ranges(wanted):
            rows = self._all(f"{_ROW} number BETWEEN ? AND ?", (low, high))
            yield from (tuple(row) for row in rows if row[0] in wanted)

    def _first(self, where: Where, way: str) -> int | None:
        """Return the begin of the first dated frame that fits, in one direction."""
        rows = self._all(f"{_DATED} {where.sql} ORDER BY {where.order} {way} LIMIT 1", where.arguments)
        return rows[0][0] if rows else None

    def _all(self, sql: str, arguments: tuple[object, ...]) -> Sequence[Any]:
        with self._connect() as connection:
            return connection.exec_driver_sql(sql, arguments).fetchall()

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with translated(self._path), self._engine.connect() as connection:
            yield connection


def _columns(rows: Sequence[Any]) -> FrameRows:
    return FrameRows(*zip(*rows, strict=True)) if rows else FrameRows((), (), (), (), (), ())
