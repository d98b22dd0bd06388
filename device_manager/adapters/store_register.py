"""The register's side of the store: sites, nodes, deployments. Small, rare writes by any process, each one durable."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update

from device_manager.adapters.store_engine import open_writer, translated
from device_manager.adapters.store_reader import SqlReader
from device_manager.adapters.store_schema import deployment, node, site
from device_manager.database import Database
from device_manager.ports import Deployment, NodeView, Site
from device_manager.registry.changes import AddNode, AddSite, Change, ChangeNode, ChangeSite, Hang, TakeDown


class SqlRegister:
    """The `RegisterStore` port; reads go through the reader that shares the database."""

    def __init__(self, path: Database, reader: SqlReader) -> None:
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

    def deployments(self) -> list[Deployment]:
        """See `RegisterStore.deployments`."""
        return self._reader.deployments()

    def write(self, changes: Sequence[Change]) -> None:
        """See `RegisterStore.write`."""
        with translated(self._path), self._engine.begin() as connection:
            for change in changes:
                _write(connection, change)


def _write(connection: Connection, change: Change) -> None:
    if isinstance(change, AddSite):
        connection.execute(insert(site).values(**_columns(change.site)))
    elif isinstance(change, ChangeSite):
        connection.execute(update(site).where(site.c.name == change.site.name).values(**_columns(change.site)))
    elif isinstance(change, AddNode):
        connection.execute(insert(node).values(**{**change._asdict(), "tags": " ".join(change.tags)}))
    elif isinstance(change, ChangeNode):
        values = {"admission": change.admission, "tags": " ".join(change.tags)}
        connection.execute(update(node).where(node.c.name == change.name).values(**values))
    else:
        _deploy(connection, change)


def _deploy(connection: Connection, change: Hang | TakeDown) -> None:
    node_id = connection.execute(select(node.c.id).where(node.c.name == change.node)).scalar_one()
    ends_s = change.since_s if isinstance(change, Hang) else change.until_s
    now = (deployment.c.node_id == node_id) & deployment.c.until_s.is_(None)
    connection.execute(delete(deployment).where(now & (deployment.c.since_s == ends_s)))  # it lasted no second
    connection.execute(update(deployment).where(now).values(until_s=ends_s))
    if isinstance(change, Hang):
        site_id = connection.execute(select(site.c.id).where(site.c.name == change.site)).scalar_one()
        row = {"node_id": node_id, "site_id": site_id, "since_s": change.since_s, "until_s": change.until_s}
        connection.execute(insert(deployment).values(**row))


def _columns(row: Site) -> dict[str, object]:
    values = row._asdict()
    del values["site_id"]
    return {**values, "tags": " ".join(row.tags)}
