"""Which frames lie in the archive: its files and the log numbers in each, in the operations database.

A file is named here only after it was read back; frames leave `citynode.db` only after it is named here. So a cut in
between leaves frames in both places, which readers see once (by number) and the next run finishes.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, delete, insert, select, update

from device_manager.adapters.archive_parquet import between, by_number, of_node
from device_manager.adapters.store_operations import Operations, is_there, metadata
from device_manager.database import Database
from device_manager.ports import StoredRecord

archive_file = Table(
    "archive_file",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("month", String(7), nullable=False, unique=True),
    Column("address", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("low_number", BigInteger, nullable=False),
    Column("high_number", BigInteger, nullable=False),
    Column("low_s", BigInteger, nullable=False),  # begins
    Column("high_s", BigInteger, nullable=False),
    Column("blanked", Text, nullable=False),  # quantities taken out, separated by blanks
)
archive_log = Table(
    "archive_log",
    metadata,
    Column("file_id", Integer, primary_key=True),
    Column("log_id", Integer, primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("last", BigInteger, nullable=False),
    Index("archive_log_range", "log_id", "first"),
)


EVER = 1 << 62
_WINDOW = 50_000  # numbers read at once


class ArchiveFile(NamedTuple):
    """One archived month; `blanked` are the quantities that were taken out of it."""

    month: str
    address: str
    rows: int
    size_bytes: int
    sha256: str
    low_number: int
    high_number: int
    low_s: int
    high_s: int
    blanked: frozenset[str] = frozenset()


class SqlArchive:
    """Knows the files, and reads frames from them. Without a single archived month it costs one query."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        operations.ensure(archive_file, archive_log)

    def close(self) -> None:
        """Close all connections."""
        self._operations.close()

    def files(self) -> list[ArchiveFile]:
        """Return all files by month."""
        columns = [archive_file.c[name] for name in ArchiveFile._fields]
        with self._operations.reading() as connection:
            rows = connection.execute(select(*columns).order_by(archive_file.c.month)).all()
        return [_file(row) for row in rows]

    def holds(self, log_id: int, seq: int) -> bool:
        """True when that record of a log lies in the archive."""
        c = archive_log.c
        wanted = select(c.last).where(c.log_id == log_id, c.first <= seq, c.last >= seq).limit(1)
        with self._operations.reading() as connection:
            return connection.execute(wanted).first() is not None

    def put(self, file: ArchiveFile, frames: Sequence[StoredRecord]) -> None:
        """Name a file and what it holds, in one step; a month that is there already is replaced."""
        values = {**file._asdict(), "blanked": " ".join(sorted(file.blanked))}
        with self._operations.begin() as connection:
            old = connection.execute(select(archive_file.c.id).where(archive_file.c.month == file.month)).scalar()
            if old is not None:
                connection.execute(update(archive_file).where(archive_file.c.id == old).values(**values))
                connection.execute(delete(archive_log).where(archive_log.c.file_id == old))
            else:
                made = insert(archive_file).values(**values).returning(archive_file.c.id)
                old = connection.execute(made).scalar_one()
            rows = [{"file_id": old, "log_id": log, "first": a, "last": b} for log, a, b in _ranges(frames)]
            connection.execute(insert(archive_log), rows)

    def frames(self, node_id: int, low_s: int, high_s: int) -> list[tuple[object, ...]]:
        """Return (number, node_id, log_id, start_s, payload, 0) of a node's frames that begin in low_s..high_s."""
        files = [file for file in self.files() if file.high_s > low_s and file.low_s < high_s]
        return [row for file in files for row in of_node(file.address, node_id, low_s, high_s)]

    def by_number(self, numbers: Iterable[int]) -> list[StoredRecord]:
        """Return those frames of these commit numbers that lie in the archive."""
        wanted = sorted(numbers)
        if not wanted:
            return []
        files = [f for f in self.files() if f.high_number >= wanted[0] and f.low_number <= wanted[-1]]
        return [record for file in files for record in by_number(file.address, wanted)]

    def records(self, after: int, node_id: int | None, low_s: int | None, high_s: int | None) -> Iterator[StoredRecord]:
        """Yield archived frames above a number, by number: of one node or all, that begin in low_s..high_s or ever."""
        low, high = -EVER if low_s is None else low_s, EVER if high_s is None else high_s
        files = [f for f in self.files() if f.high_number > after and f.high_s > low and f.low_s < high]
        at, top = after, max((file.high_number for file in files), default=0)
        while at < top:
            at = max(at, min(file.low_number for file in files if file.high_number > at) - 1)
            found = [r for f in files for r in between(f.address, at, at + _WINDOW) if low < (r.start_s or 0) < high]
            yield from sorted((r for r in found if node_id in (None, r.node_id)), key=lambda record: record.number)
            at += _WINDOW

    def between(self, after: int, until: int) -> list[StoredRecord]:
        """Return the archived frames with numbers above `after` up to `until`, by number."""
        files = [file for file in self.files() if file.high_number > after and file.low_number <= until]
        found = [record for file in files for record in between(file.address, after, until)]
        return sorted(found, key=lambda record: record.number)


def merged(here: Sequence[StoredRecord], archived: Sequence[StoredRecord]) -> list[StoredRecord]:
    """Return both by number, each record once."""
    if not archived:
        return list(here)
    return [found for _, found in sorted({r.number: r for r in (*archived, *here)}.items())]


class Shelf:
    """The archive beside a database, looked up when it is asked for: it may come to be while a reader lives."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._archive: SqlArchive | None = None

    @property
    def archive(self) -> SqlArchive | None:
        """The archive; None while nothing was archived."""
        if self._archive is None and is_there(self._database):
            self._archive = SqlArchive(Operations(self._database))
        return self._archive if self._archive and self._archive.files() else None

    def close(self) -> None:
        """Close all connections."""
        if self._archive:
            self._archive.close()


def _file(row: Any) -> ArchiveFile:
    fields = row._asdict()
    return ArchiveFile(**{**fields, "blanked": frozenset(fields["blanked"].split())})


def _ranges(frames: Sequence[StoredRecord]) -> Iterator[tuple[int, int, int]]:
    """Yield (log_id, first, last) of the runs of numbers in each log."""
    keys = sorted((frame.log_id, frame.seq) for frame in frames)
    begin = 0
    for at in range(1, len(keys) + 1):
        if at == len(keys) or keys[at] != (keys[at - 1][0], keys[at - 1][1] + 1):
            yield keys[begin][0], keys[begin][1], keys[at - 1][1]
            begin = at
