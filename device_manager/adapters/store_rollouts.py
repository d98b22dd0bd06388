"""Rollouts and their updates in the operations database; see `rollouts.service.RolloutStore`."""

from collections import defaultdict
from dataclasses import replace

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, delete, insert, select, update

from device_manager.adapters.store_operations import Operations, metadata
from device_manager.rollouts import states
from device_manager.rollouts.documents import from_document, to_document
from device_manager.rollouts.model import Rollout, Update

rollout_table = Table(
    "rollout",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("state", String(32), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("document", Text, nullable=False),  # JSON, see rollouts.documents
)
update_table = Table(
    "rollout_update",
    metadata,
    Column("rollout", Integer, primary_key=True),
    Column("node", String(32), primary_key=True),
    Column("stage", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("offered_ms", BigInteger, nullable=False),
    Column("began_ms", BigInteger, nullable=False),
    Column("crashes", Integer, nullable=False),
    Index("rollout_update_state", "state"),
)
_COLUMNS = [update_table.c[name] for name in Update._fields]


class SqlRollouts:
    """The `RolloutStore` port."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        operations.ensure(rollout_table, update_table)

    def add(self, rollout: Rollout) -> Rollout:
        """See `RolloutStore.add`."""
        with self._operations.begin() as connection:
            row = {"number": rollout.number, "state": rollout.state, "revision": 0, "document": "{}"}
            added = connection.execute(insert(rollout_table).values(**row).returning(rollout_table.c.id)).scalar_one()
            made = replace(rollout, id=int(added))
            changed = update(rollout_table).where(rollout_table.c.id == made.id)
            connection.execute(changed.values(document=to_document(made)))
        return made

    def save(self, rollout: Rollout, before: Rollout, revision: int) -> bool:
        """See `RolloutStore.save`."""
        with self._operations.begin() as connection:
            wanted = update(rollout_table).where(rollout_table.c.id == rollout.id, rollout_table.c.revision == revision)
            row = {"state": rollout.state, "revision": revision + 1, "document": to_document(rollout)}
            if connection.execute(wanted.values(**row)).rowcount != 1:
                return False
            changed = [one for name, one in rollout.updates.items() if before.updates.get(name) != one]
            for first in range(0, len(changed), 500):
                part = changed[first : first + 500]
                names = [one.node for one in part]
                old = delete(update_table).where(update_table.c.rollout == rollout.id, update_table.c.node.in_(names))
                connection.execute(old)
                connection.execute(insert(update_table), [{"rollout": rollout.id, **one._asdict()} for one in part])
        return True

    def load(self, number: int) -> tuple[Rollout, int] | None:
        """See `RolloutStore.load`."""
        with self._operations.reading() as connection:
            row = connection.execute(select(rollout_table).where(rollout_table.c.id == number)).first()
            if row is None:
                return None
            wanted = select(*_COLUMNS).where(update_table.c.rollout == number).order_by(update_table.c.node)
            updates = {found[0]: Update(*found) for found in connection.execute(wanted)}
        return from_document(row.document, updates), row.revision

    def ids(self, *of_states: str) -> list[int]:
        """See `RolloutStore.ids`."""
        wanted = select(rollout_table.c.id).order_by(rollout_table.c.id)
        if of_states:
            wanted = wanted.where(rollout_table.c.state.in_(of_states))
        with self._operations.reading() as connection:
            return [int(row[0]) for row in connection.execute(wanted)]

    def failed(self, besides: int) -> dict[str, frozenset[int]]:
        """See `RolloutStore.failed`."""
        joined = update_table.join(rollout_table, update_table.c.rollout == rollout_table.c.id)
        wanted = select(update_table.c.node, rollout_table.c.number).select_from(joined)
        wanted = wanted.where(update_table.c.state.in_(states.BAD), rollout_table.c.id != besides)
        found: dict[str, set[int]] = defaultdict(set)
        with self._operations.reading() as connection:
            for node, number in connection.execute(wanted):
                found[node].add(number)
        return {node: frozenset(numbers) for node, numbers in found.items()}
