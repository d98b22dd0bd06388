"""The register's side of the store: sites, nodes, deployments. Small, rare writes by any process, each one durable."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from device_manager.adapters.store_engine import open_writer, translated
from device_manager.adapters.store_reader import SqlReader
from device_manager.ports import Node, NodeView, Site


class SqlRegister:
    """The `RegisterStore` port; reads go through the reader that shares the database."""

    def __init__(self, path: Path, reader: SqlReader) -> None:
        """Open the database at `path` for changes; StoreError as for the reader."""
        self._path = path
        self._reader = reader
        self._engine = open_writer(path)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def sites(self) -> list[Site]:
        """See `RegisterStore.sites`."""
        return self._reader.sites()

    def nodes(self) -> list[NodeView]:
        """See `RegisterStore.nodes`."""
        return self._reader.nodes()

    def add_site(
        self, name: str, title: str, latitude: float, longitude: float, height_m: float, district: str
    ) -> Site:
        """See `RegisterStore.add_site`."""
        sql = (
            "INSERT INTO site (name, title, latitude, longitude, height_m, district)"
            " VALUES (?, ?, ?, ?, ?, ?) RETURNING id"
        )
        row = (name, title, latitude, longitude, height_m, district)
        with self._begin() as connection:
            return Site(connection.exec_driver_sql(sql, row).scalar_one(), *row)

    def add_node(self, name: str, admission: str, added_ms: int) -> Node:
        """See `RegisterStore.add_node`."""
        sql = "INSERT INTO node (name, admission, added_ms) VALUES (?, ?, ?) RETURNING id"
        with self._begin() as connection:
            return Node(connection.exec_driver_sql(sql, (name, admission, added_ms)).scalar_one(), name, admission)

    def set_admission(self, name: str, admission: str) -> None:
        """See `RegisterStore.set_admission`."""
        with self._begin() as connection:
            connection.exec_driver_sql("UPDATE node SET admission = ? WHERE name = ?", (admission, name))

    def deploy(self, node_id: int, site_id: int, since_s: int) -> None:
        """See `RegisterStore.deploy`."""
        end = "UPDATE deployment SET until_s = ? WHERE node_id = ? AND until_s IS NULL"
        begin = "INSERT INTO deployment (node_id, site_id, since_s) VALUES (?, ?, ?)"
        with self._begin() as connection:
            connection.exec_driver_sql(end, (since_s, node_id))
            connection.exec_driver_sql(begin, (node_id, site_id, since_s))

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        with translated(self._path), self._engine.begin() as connection:
            yield connection
