"""What is offered to which node, in the operations database; see `releases.offering`."""

from collections.abc import Callable, Collection, Mapping

from sqlalchemy import BigInteger, Column, Integer, String, Table, delete, func, insert, select, update

from device_manager.adapters.store_operations import Operations, metadata
from device_manager.releases.offering import NodeOffer, Traffic

node_offer = Table(
    "node_offer",
    metadata,
    Column("node", String(32), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("sent_bytes", BigInteger, nullable=False),  # this one and the next are 0: of before `offer_traffic`, and
    Column("whole_bytes", BigInteger, nullable=False),  # tables of these databases are made once
)
offer_traffic = Table(
    "offer_traffic",
    metadata,
    Column("node", String(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("sent_bytes", BigInteger, nullable=False),
    Column("whole_bytes", BigInteger, nullable=False),
)


class SqlOffers:
    """The `Offers` port. `require(number)` raises UsageError for a release that may not be offered now."""

    def __init__(self, operations: Operations, require: Callable[[int], None]) -> None:
        self._operations = operations
        self._require = require
        operations.ensure(node_offer, offer_traffic)

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

    def traffic(self, numbers: Collection[int]) -> dict[str, Traffic]:
        """See `Offers.traffic`."""
        table = offer_traffic.c
        asked = select(table.node, func.sum(table.sent_bytes), func.sum(table.whole_bytes))
        asked = asked.where(table.number.in_(numbers)).group_by(table.node)
        with self._operations.reading() as connection:
            return {node: Traffic(int(sent), int(whole)) for node, sent, whole in connection.execute(asked)}

    def add_traffic(self, sent: Mapping[tuple[str, int], Traffic]) -> None:
        """See `Offers.add_traffic`."""
        table = offer_traffic.c
        with self._operations.begin() as connection:
            for (node, number), more in sent.items():
                known = {"whole_bytes": more.whole_bytes} if more.whole_bytes else {}
                row = update(offer_traffic).where(table.node == node, table.number == number)
                if not connection.execute(row.values(sent_bytes=table.sent_bytes + more.sent_bytes, **known)).rowcount:
                    connection.execute(insert(offer_traffic).values(node=node, number=number, **more._asdict()))
