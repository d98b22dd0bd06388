"""What is offered to which node, in the operations database; see `releases.offering`."""

from collections.abc import Callable, Mapping

from sqlalchemy import BigInteger, Column, Integer, String, Table, delete, insert, select, update

from device_manager.adapters.store_operations import Operations, metadata
from device_manager.releases.offering import NodeOffer, Traffic

node_offer = Table(
    "node_offer",
    metadata,
    Column("node", String(32), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("sent_bytes", BigInteger, nullable=False),
    Column("whole_bytes", BigInteger, nullable=False),
)


class SqlOffers:
    """The `Offers` port. `require(number)` raises UsageError for a release that may not be offered now."""

    def __init__(self, operations: Operations, require: Callable[[int], None]) -> None:
        self._operations = operations
        self._require = require
        operations.ensure(node_offer)

    def offer(self, wanted: NodeOffer) -> None:
        """See `Offers.offer`."""
        self._require(wanted.number)
        row = {**wanted._asdict(), "sent_bytes": 0, "whole_bytes": 0}
        with self._operations.begin() as connection:
            standing = connection.execute(select(node_offer).where(node_offer.c.node == wanted.node)).first()
            if standing and standing[:3] == tuple(wanted):
                return
            connection.execute(delete(node_offer).where(node_offer.c.node == wanted.node))
            connection.execute(insert(node_offer).values(**row))

    def withdraw(self, node: str) -> None:
        """See `Offers.withdraw`."""
        with self._operations.begin() as connection:
            connection.execute(delete(node_offer).where(node_offer.c.node == node))

    def standing(self) -> list[NodeOffer]:
        """See `Offers.standing`."""
        columns = (node_offer.c.node, node_offer.c.number, node_offer.c.attempt)
        with self._operations.reading() as connection:
            return [NodeOffer(*row) for row in connection.execute(select(*columns).order_by(node_offer.c.node))]

    def traffic(self) -> dict[str, Traffic]:
        """See `Offers.traffic`."""
        columns = (node_offer.c.node, node_offer.c.sent_bytes, node_offer.c.whole_bytes)
        with self._operations.reading() as connection:
            return {row[0]: Traffic(*row[1:]) for row in connection.execute(select(*columns))}

    def add_traffic(self, sent: Mapping[str, Traffic]) -> None:
        """See `Offers.add_traffic`."""
        with self._operations.begin() as connection:
            for node, more in sent.items():
                total = node_offer.c.sent_bytes + more.sent_bytes
                found = update(node_offer).where(node_offer.c.node == node)
                connection.execute(found.values(sent_bytes=total, whole_bytes=more.whole_bytes))
