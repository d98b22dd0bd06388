"""The derived tables, in `series.db` beside the database: observation numbers, dates found afterwards, roll-ups.

A database of its own, because its writer must not make ingest wait, nor look as if somebody had changed its tables.
Everything in it can be made again from the frames, except for one promise: a number that was given names the same
observation for ever. So the blocks stay when the rest is rebuilt, and belong into a backup. A missing file is made.

Blocks, frames and chunks are columns packed into a few bytes (`series.packing`); no row stands for one observation.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from device_manager.adapters import store_series_tables as tables
from device_manager.adapters.store_engine import new_engines, translated
from device_manager.database import Database, ServerDatabase
from device_manager.errors import StoreError
from device_manager.series import chunks
from device_manager.series.chunks import Chunk, ChunkKey
from device_manager.series.dating import BootTime
from device_manager.series.epochs import Channel
from device_manager.series.numbering import PERIODS, Block
from device_manager.series.store import Progress, Waiting

_IN = 500
_BLOCK = "first, count, form, what, cause, decision, node_id, low, high, old_low, old_high, body"
_CHUNK = (
    "SELECT node_id, site_id, period, first_s, layout.document, base, body FROM chunk JOIN layout"
    " ON layout.id = layout_id WHERE "
)


class SqlSeries:
    """The `SeriesStore` port. One process writes at a time; any number read."""

    def __init__(self, database: Database) -> None:
        """Open or make the derived tables beside `database`; StoreError when they are of another version."""
        self._path = database if isinstance(database, ServerDatabase) else tables.path_beside(database)
        with translated(self._path):
            if isinstance(self._path, Path) and not self._path.exists():
                tables.create(self._path)
            self._engine, self._writer = new_engines(self._path, tables.SCHEMA, binary=True)
            if isinstance(self._path, ServerDatabase):
                tables.create_on_server(self._writer)
            with self._connect() as connection:
                found = connection.exec_driver_sql("SELECT version FROM schema_version").scalar()
        if found != tables.VERSION:
            todo = "use the citynode that wrote it, or newer"
            raise StoreError(expected=f"version {tables.VERSION} of {self._path}", got=f"version {found}", todo=todo)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()
        self._writer.dispose()

    @contextmanager
    def begin(self) -> Iterator["SqlSeriesStep"]:
        """See `SeriesStore.begin`."""
        with translated(self._path), self._writer.begin() as connection:
            yield SqlSeriesStep(connection)

    @contextmanager
    def reading(self) -> Iterator["SqlSeriesStep"]:
        """Open one view for many reads."""
        with self._connect() as connection:
            yield SqlSeriesStep(connection)

    def progress(self) -> Progress:
        """See `SeriesReader.progress`."""
        with self._connect() as connection:
            return SqlSeriesStep(connection).progress()

    def blocks(self, node_id: int, low: int, high: int) -> list[Block]:
        """See `SeriesReader.blocks`."""
        with self._connect() as connection:
            return SqlSeriesStep(connection).blocks(node_id, low, high)

    def blocks_after(self, number: int, limit: int) -> list[Block]:
        """See `SeriesReader.blocks_after`."""
        with self._connect() as connection:
            return SqlSeriesStep(connection).blocks_after(number, limit)

    def replacing(self, low: int, high: int) -> list[Block]:
        """See `SeriesReader.replacing`."""
        with self._connect() as connection:
            return SqlSeriesStep(connection).replacing(low, high)

    def renaming(self, low: int, high: int) -> list[Block]:
        """See `SeriesReader.renaming`."""
        with self._connect() as connection:
            return SqlSeriesStep(connection).renaming(low, high)

    def chunks(self, site_id: int, period: str, since_s: int, until_s: int) -> list[tuple[ChunkKey, Chunk]]:
        """See `SeriesReader.chunks`."""
        with self._connect() as connection:
            return SqlSeriesStep(connection).chunks(site_id, period, since_s, until_s)

    def chunk_begins(self, site_id: int, period: str) -> list[int]:
        """See `SeriesReader.chunk_begins`."""
        with self._connect() as connection:
            return SqlSeriesStep(connection).chunk_begins(site_id, period)

    def layouts(self) -> list[tuple[int, int, tuple[Channel, ...]]]:
        """See `SeriesReader.layouts`."""
        with self._connect() as connection:
            return SqlSeriesStep(connection).layouts()

    def chunk(self, key: ChunkKey) -> Chunk | None:
        """See `SeriesReader.chunk`."""
        with self._connect() as connection:
            return SqlSeriesStep(connection).chunk(key)

    def dated(self, node_id: int, after_s: int, until_s: int) -> list[tuple[int, int, int]]:
        """Return (commit number, begin, unsure_s) of a node's frames that were dated afterwards."""
        sql = "SELECT number, start_s, unsure_s FROM dated WHERE node_id = ? AND start_s > ? AND start_s < ?"
        with self._connect() as connection:
            return [(row[0], row[1], row[2]) for row in connection.exec_driver_sql(sql, (node_id, after_s, until_s))]

    def dated_among(self, numbers: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Return (begin, unsure_s) by commit number of those frames that were dated afterwards."""
        if not numbers:
            return {}
        sql = "SELECT number, start_s, unsure_s FROM dated WHERE number BETWEEN ? AND ?"
        with self._connect() as connection:
            rows = connection.exec_driver_sql(sql, (min(numbers), max(numbers)))
            return {row[0]: (row[1], row[2]) for row in rows}

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with translated(self._path), self._engine.connect() as connection:
            yield connection


class SqlSeriesStep:
    """The `SeriesStep` port on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._run = connection.exec_driver_sql

    def progress(self) -> Progress:
        """See `SeriesReader.progress`."""
        return Progress(*self._run("SELECT record, decision, observation FROM progress").one())

    def blocks(self, node_id: int, low: int, high: int) -> list[Block]:
        """See `SeriesReader.blocks`."""
        sql = f"SELECT {_BLOCK} FROM block WHERE node_id IN (0, ?) AND high >= ? AND low <= ? ORDER BY first"
        return [Block(*row) for row in self._run(sql, (node_id, low, high)) if row[2] != "rollups"]

    def blocks_after(self, number: int, limit: int) -> list[Block]:
        """See `SeriesReader.blocks_after`."""
        sql = (
            f"SELECT {_BLOCK} FROM block WHERE first >= coalesce((SELECT max(first) FROM block WHERE first <= ?), 0)"
            " AND first + count > ? ORDER BY first LIMIT ?"
        )
        return [Block(*row) for row in self._run(sql, (number + 1, number + 1, limit))]

    def replacing(self, low: int, high: int) -> list[Block]:
        """See `SeriesReader.replacing`."""
        sql = f"SELECT {_BLOCK} FROM block WHERE old_high > 0 AND old_high >= ? AND old_low <= ? ORDER BY first"
        return [Block(*row) for row in self._run(sql, (low, high))]

    def renaming(self, low: int, high: int) -> list[Block]:
        """See `SeriesReader.renaming`."""
        sql = f"SELECT {_BLOCK} FROM block WHERE old_high > 0 AND first + count > ? AND first <= ? ORDER BY first"
        return [Block(*row) for row in self._run(sql, (low, high))]

    def chunks(self, site_id: int, period: str, since_s: int, until_s: int) -> list[tuple[ChunkKey, Chunk]]:
        """See `SeriesReader.chunks`."""
        sql = _CHUNK + "site_id = ? AND period = ? AND first_s > ? AND first_s < ? ORDER BY first_s, node_id"
        arguments = (site_id, PERIODS.index(period), since_s - chunks.SPANS_S[period], until_s)
        return [_chunk(row) for row in self._run(sql, arguments)]

    def chunk_begins(self, site_id: int, period: str) -> list[int]:
        """See `SeriesReader.chunk_begins`."""
        sql = "SELECT DISTINCT first_s FROM chunk WHERE site_id = ? AND period = ? ORDER BY first_s"
        return [row[0] for row in self._run(sql, (site_id, PERIODS.index(period)))]

    def layouts(self) -> list[tuple[int, int, tuple[Channel, ...]]]:
        """See `SeriesReader.layouts`; those of days and hours, which are few, say it for all but the last hour."""
        sql = "SELECT DISTINCT site_id, node_id, layout_id FROM chunk WHERE period > 0"
        named = "SELECT id, document FROM layout"
        documents = {row[0]: tuple(Channel(*fields) for fields in json.loads(row[1])) for row in self._run(named)}
        return [(row[0], row[1], documents[row[2]]) for row in self._run(sql)]

    def chunk(self, key: ChunkKey) -> Chunk | None:
        """See `SeriesReader.chunk`."""
        sql = _CHUNK + "site_id = ? AND period = ? AND first_s = ? AND node_id = ?"
        arguments = (key.site_id, PERIODS.index(key.period), key.first_s, key.node_id)
        row = self._run(sql, arguments).one_or_none()
        return _chunk(row)[1] if row else None

    def chunk_keys(self, node_id: int) -> list[ChunkKey]:
        """Return the keys of all chunks of a node."""
        rows = self._run("SELECT site_id, period, first_s FROM chunk WHERE node_id = ?", (node_id,))
        return [ChunkKey(node_id, site_id, PERIODS[period], first_s) for site_id, period, first_s in rows]

    def newest_s(self, node_id: int) -> int | None:
        """See `SeriesStep.newest_s`."""
        found: int | None = self._run("SELECT end_s FROM newest WHERE node_id = ?", (node_id,)).scalar()
        return found

    def waiting(self) -> list[Waiting]:
        """See `SeriesStep.waiting`."""
        return [Waiting(*row) for row in self._run("SELECT * FROM waiting ORDER BY number")]

    def last_block(self) -> Block | None:
        """See `SeriesStep.last_block`."""
        row = self._run(f"SELECT {_BLOCK} FROM block ORDER BY first DESC LIMIT 1").one_or_none()
        return Block(*row) if row else None

    def put_block(self, block: Block) -> None:
        """See `SeriesStep.put_block`."""
        self._run(_upsert("block", _BLOCK), tuple(block))

    def put_chunk(self, key: ChunkKey, chunk: Chunk) -> None:
        """See `SeriesStep.put_chunk`."""
        self.put_encoded([(key, chunk.channels, 0, chunks.encode(chunk))])

    def put_encoded(self, rows: Sequence[tuple[ChunkKey, Sequence[Channel], int, bytes]]) -> None:
        """Write chunks encoded elsewhere, as (key, channels, base, body); see `chunks.decode` for the base."""
        documents = [json.dumps(channels, separators=(",", ":")) for _, channels, _, _ in rows]
        named = [(document,) for document in sorted(set(documents))]
        self._many("INSERT INTO layout (document) VALUES (?) ON CONFLICT (document) DO NOTHING", named)
        sql = (
            "INSERT INTO chunk (site_id, period, first_s, node_id, layout_id, base, body)"
            " VALUES (?, ?, ?, ?, (SELECT id FROM layout WHERE document = ?), ?, ?)"
            " ON CONFLICT (site_id, period, first_s, node_id)"
            " DO UPDATE SET layout_id = excluded.layout_id, base = excluded.base, body = excluded.body"
        )
        found = [
            (key.site_id, PERIODS.index(key.period), key.first_s, key.node_id, document, base, body)
            for (key, _, base, body), document in zip(rows, documents, strict=True)
        ]
        self._many(sql, found)

    def put_newest(self, node_id: int, end_s: int) -> None:
        """See `SeriesStep.put_newest`."""
        self._run(_upsert("newest", "node_id, end_s"), (node_id, end_s))

    def wait(self, rows: Iterable[Waiting]) -> None:
        """See `SeriesStep.wait`."""
        self._many(_upsert("waiting", ", ".join(Waiting._fields)), rows)

    def date(self, node_id: int, boot: BootTime, rows: Iterable[Waiting]) -> None:
        """See `SeriesStep.date`."""
        found = [(row.number, node_id, boot.start_s + row.uptime_s, boot.unsure_s) for row in rows]
        self._many(_upsert("dated", "number, node_id, start_s, unsure_s"), found)

    def release(self, numbers: Iterable[int]) -> None:
        """See `SeriesStep.release`."""
        self._many("DELETE FROM waiting WHERE number = ?", [(number,) for number in numbers])

    def put_progress(self, progress: Progress) -> None:
        """See `SeriesStep.put_progress`."""
        self._run("UPDATE progress SET record = ?, decision = ?, observation = ?", tuple(progress))

    def _many(self, sql: str, rows: Iterable[Any]) -> None:
        found = [tuple(row) for row in rows]
        if found:
            self._run(sql, found)


def _upsert(table: str, columns: str) -> str:
    """Return the statement that writes a row by its first column, the key."""
    key, *others = columns.split(", ")
    marks = ", ".join("?" * (1 + len(others)))
    news = ", ".join(f"{name} = excluded.{name}" for name in others)
    return f"INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT ({key}) DO UPDATE SET {news}"


def _chunk(row: Any) -> tuple[ChunkKey, Chunk]:
    node_id, site_id, period, first_s, document, base, body = row
    channels = tuple(Channel(*fields) for fields in json.loads(document))
    return ChunkKey(node_id, site_id, PERIODS[period], first_s), chunks.decode(body, channels, base)
