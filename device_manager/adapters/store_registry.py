"""Groups, visits and maintenance in the operations database.

Names, not numbers, tie them to the register, because that is another database.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, delete, insert, select, update

from device_manager.adapters.store_operations import Operations, metadata
from device_manager.registry.groups import Group
from device_manager.registry.visits import Maintenance, Visit

_NUMBER = BigInteger().with_variant(Integer, "sqlite")

node_group = Table(
    "node_group",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("title", Text, nullable=False),
    Column("query", Text),  # null: a static group
    Column("nodes", Text, nullable=False),  # ids with spaces between
)

visit = Table(
    "visit",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("site", String(64), nullable=False),
    Column("node", String(32)),
    Column("note", Text, nullable=False),
    Index("visit_site", "site", "number"),
)

maintenance = Table(
    "maintenance",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("node", String(32), nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),  # exclusive
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("maintenance_node", "node", "number"),
)


class SqlGroups:
    """The `GroupStore` port."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        operations.ensure(node_group)

    def groups(self) -> list[Group]:
        """See `GroupStore.groups`."""
        with self._operations.reading() as connection:
            rows = connection.execute(select(node_group)).all()
        return [Group(row.name, row.title, row.query, tuple(row.nodes.split())) for row in rows]

    def write(self, changed: list[Group], removed: list[str]) -> None:
        """See `GroupStore.write`."""
        with self._operations.begin() as connection:
            for name in [*removed, *(group.name for group in changed)]:
                connection.execute(delete(node_group).where(node_group.c.name == name))
            for group in changed:
                row = {**group._asdict(), "nodes": " ".join(group.nodes)}
                connection.execute(insert(node_group).values(**row))


class SqlVisits:
    """The `VisitStore` port."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        operations.ensure(visit, maintenance)

    def add_visit(self, made: Visit) -> int:
        """See `VisitStore.add_visit`."""
        return self._add(visit, made)

    def visits(self, *, site: str | None = None, node: str | None = None, limit: int = 100) -> list[Visit]:
        """See `VisitStore.visits`."""
        wanted = select(visit).order_by(visit.c.number.desc()).limit(limit)
        if site is not None:
            wanted = wanted.where(visit.c.site == site)
        if node is not None:
            wanted = wanted.where(visit.c.node == node)
        with self._operations.reading() as connection:
            return [Visit(*row) for row in connection.execute(wanted)]

    def add_maintenance(self, made: Maintenance) -> int:
        """See `VisitStore.add_maintenance`."""
        return self._add(maintenance, made)

    def end_maintenance(self, node: str, now_ms: int) -> int:
        """See `VisitStore.end_maintenance`."""
        later = (maintenance.c.node == node) & (maintenance.c.until_ms > now_ms)
        with self._operations.begin() as connection:
            return connection.execute(update(maintenance).where(later).values(until_ms=now_ms)).rowcount

    def maintenances(self, *, node: str | None = None, at_ms: int | None = None) -> list[Maintenance]:
        """See `VisitStore.maintenances`."""
        wanted = select(maintenance).order_by(maintenance.c.number.desc())
        if node is not None:
            wanted = wanted.where(maintenance.c.node == node)
        if at_ms is not None:
            wanted = wanted.where((maintenance.c.since_ms <= at_ms) & (maintenance.c.until_ms > at_ms))
        with self._operations.reading() as connection:
            return [Maintenance(*row) for row in connection.execute(wanted)]

    def _add(self, table: Table, row: Visit | Maintenance) -> int:
        values = {name: value for name, value in row._asdict().items() if name != "number"}
        with self._operations.begin() as connection:
            return int(connection.execute(insert(table).values(**values).returning(table.c.number)).scalar_one())
