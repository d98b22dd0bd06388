"""Decisions of people about readings in the SQL store: append-only, each one durable when the call returns."""

from device_manager.adapters.store_engine import open_writer, translated
from device_manager.database import Database
from device_manager.series.decisions import Decision


class SqlDecisions:
    """The `DecisionStore` port."""

    def __init__(self, path: Database) -> None:
        """Open the database at `path` for changes; StoreError when it cannot be used."""
        self._path = path
        self._engine = open_writer(path)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def add(self, made_ms: int, actor: str, kind: str, document: str) -> int:
        """See `DecisionStore.add`."""
        sql = "INSERT INTO decision (made_ms, actor, kind, document) VALUES (?, ?, ?, ?) RETURNING id"
        with translated(self._path), self._engine.begin() as connection:
            number: int = connection.exec_driver_sql(sql, (made_ms, actor, kind, document)).scalar_one()
            return number

    def all(self) -> list[Decision]:
        """See `DecisionStore.all`."""
        sql = "SELECT id, made_ms, actor, kind, document FROM decision ORDER BY id"
        with translated(self._path), self._engine.begin() as connection:
            return [Decision(*row) for row in connection.exec_driver_sql(sql)]
