"""A disk that forgets: SQLite runs on files of which only what was synced survives a power cut.

apsw brings an SQLite whose file layer can be written in Python. `Disk` keeps two contents of each file, the present one
and the durable one, and calls `on_sync` before each fsync takes effect. `connect` gives a connection that SQLAlchemy's
pysqlite dialect can use like one of the standard library.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw

_VFS = "forgetful"


class Disk:
    """Contents by file name; a write is [offset, bytes], a truncation [size, None]."""

    def __init__(self, on_sync: Callable[[], None]) -> None:
        self.durable: dict[str, bytes] = {}
        self.pending: dict[str, list[tuple[int, bytes | None]]] = {}
        self.on_sync = on_sync

    def opened(self, path: str) -> None:
        """Take what is on the real disk as durable."""
        if path not in self.durable:
            self.durable[path] = Path(path).read_bytes() if Path(path).exists() else b""
            self.pending[path] = []

    def synced(self, path: str) -> None:
        """Make the file's writes durable, after the cut that might happen instead."""
        self.on_sync()
        self.durable[path] = _after(self.durable[path], self.pending[path])
        self.pending[path] = []

    def image(self, directory: Path, chance: random.Random | None) -> None:
        """Write what a power cut now leaves: nothing that is not synced, or with `chance` any part of it, torn."""
        for path, durable in self.durable.items():
            writes = [w for w in self.pending[path] if chance and chance.random() < 0.5]
            if writes and chance:
                writes[-1] = _torn(writes[-1], chance)
            (directory / Path(path).name).write_bytes(_after(durable, writes))


def _after(content: bytes, writes: Sequence[tuple[int, bytes | None]]) -> bytes:
    out = bytearray(content)
    for at, data in writes:
        if data is None:
            del out[at:]
            continue
        out.extend(bytes(max(0, at - len(out))))
        out[at : at + len(data)] = data
    return bytes(out)


def _torn(write: tuple[int, bytes | None], chance: random.Random) -> tuple[int, bytes | None]:
    at, data = write
    return (at, data[: chance.randrange(len(data) + 1)]) if data else write


def connect(path: Path, disk: Disk, checkpoint_pages: int) -> "Connection":
    """Open the database at `path` on `disk`; checkpoints come often, so that cuts fall into them too."""
    vfs = _Vfs(disk)
    raw = apsw.Connection(str(path), vfs=_VFS)
    # Without shared memory, which Python's file layer lacks, WAL needs the database for itself.
    for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", f"wal_autocheckpoint={checkpoint_pages}"):
        raw.execute("PRAGMA " + pragma).fetchall()
    return Connection(raw, vfs)


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__(_VFS, "")

    def xOpen(self, name: Any, flags: list[int]) -> "_File":
        return _File(name, flags, self._disk)


class _File(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int], disk: Disk) -> None:
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._disk = disk
        disk.opened(self._path)
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.pending[self._path].append((offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        self._disk.pending[self._path].append((size, None))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        self._disk.synced(self._path)
        super().xSync(flags)


class Connection:
    """As much of sqlite3.Connection as SQLAlchemy uses."""

    isolation_level = None

    def __init__(self, raw: apsw.Connection, vfs: apsw.VFS) -> None:
        self._raw = raw
        self._vfs = vfs  # must outlive the connection

    def cursor(self) -> "Cursor":
        return Cursor(self._raw)

    def execute(self, sql: str) -> "Cursor":
        return self.cursor().execute(sql)

    def create_function(self, *_: object, **__: object) -> None:
        """SQLAlchemy brings REGEXP; nothing here uses it."""

    def commit(self) -> None:
        if self._raw.in_transaction:
            self._raw.execute("COMMIT")

    def rollback(self) -> None:
        if self._raw.in_transaction:
            self._raw.execute("ROLLBACK")

    def close(self) -> None:
        self._raw.close()


class Cursor:
    """As much of sqlite3.Cursor as SQLAlchemy uses; fetches everything at once."""

    arraysize = 1
    lastrowid = None
    rowcount = -1

    def __init__(self, raw: apsw.Connection) -> None:
        self._raw = raw
        self.description: tuple[tuple[object, ...], ...] | None = None
        self._rows: Iterator[Any] = iter(())

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> "Cursor":
        cursor = self._raw.cursor()
        cursor.exec_trace = self._describe
        self._rows = iter(cursor.execute(sql, tuple(parameters)).fetchall())
        return self

    def executemany(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        self._raw.executemany(sql, rows)

    def _describe(self, cursor: apsw.Cursor, _: str, __: object) -> bool:
        columns = cursor.get_description()
        self.description = tuple((name, *[None] * 6) for name, *_ in columns) or None
        return True

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    def fetchmany(self, size: int = 1) -> list[Any]:
        return [row for _, row in zip(range(size), self._rows, strict=False)]

    def close(self) -> None:
        """Nothing is open."""
