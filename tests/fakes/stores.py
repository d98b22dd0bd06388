"""A fresh database with registered nodes, for tests of what reads and writes it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_engine import create_database, open_store, open_writer
from device_manager.adapters.store_reader import SqlReader
from device_manager.database import ServerDatabase
from device_manager.ingest.commit import Committer
from device_manager.shadow import JsonFold, Shadow, from_document


class Bench:
    """A store, a committer and a reader on one database in `directory`."""

    def __init__(
        self, directory: Path, nodes: Iterable[str] = ("kempten-01",), server: ServerDatabase | None = None
    ) -> None:
        self.path: Any = server or directory / "citynode.db"
        if server or not self.path.exists():
            create_database(self.path)
            for name in nodes:
                self.register(name)
        self._open()

    def reopened(self, server: ServerDatabase | None = None) -> "Bench":
        """Return a bench of another process on the same database, or on that of `server`."""
        other = object.__new__(Bench)
        other.path = server or self.path
        other._open()
        return other

    def _open(self) -> None:
        self.store = open_store(self.path)
        self.committer = Committer(self.store, Cbor2Codec(), JsonFold())
        self.reader = SqlReader(self.path)

    def register(self, name: str, admission: str = "accepted") -> None:
        """Add a node as another process would."""
        self.write("INSERT INTO node (name, admission, added_ms) VALUES (?, ?, 0)", (name, admission))

    def write(self, sql: str, arguments: tuple[object, ...] = ()) -> None:
        """Change the database through a connection of its own."""
        engine = open_writer(self.path)
        with engine.begin() as connection:
            connection.exec_driver_sql(sql, arguments)
        engine.dispose()

    def shadow(self, name: str = "kempten-01") -> Shadow:
        """The node's shadow as another process reads it."""
        view = self.reader.node(name)
        assert view is not None
        assert view.shadow is not None
        return from_document(view.shadow)

    def content(self) -> list[tuple[int, int, str, bytes]]:
        """What is stored, whatever the order in which it came."""
        return sorted((r.log_id, r.seq, r.kind, r.payload) for r in self.reader.records())

    def events(self) -> list[tuple[str, bytes]]:
        """The kept state, health and reply messages, in order."""
        engine = open_writer(self.path)
        with engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql("SELECT kind, payload FROM event ORDER BY id")]

    def close(self) -> None:
        """Close everything."""
        self.store.close()
        self.reader.close()
