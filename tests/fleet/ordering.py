"""Orders to a real fleet: wait for their outcome, and for nodes that report."""

from __future__ import annotations

from device_manager.orders.spool import WAITING, Order, Spool
from tests.fleet.fleet import Fleet, change_json, read_json
from tests.waiting import PATIENCE_S, wait_for

GATE = {"name": "gate", "driver": "pulse_counter", "in_pin": 4, "out_pin": 5}


def make_cheap(fleet: Fleet) -> None:
    """Give every node one cheap sensor, before it starts: what is measured does not matter."""
    for node in fleet.nodes:
        change_json(node.directory / "node.json", sensors=[GATE], buses=[])
        change_json(node.directory / "virtual.json", **dict.fromkeys(read_json(node.directory / "virtual.json")))


def order_of(fleet: Fleet, order: Order) -> Order:
    """Return an order as it is now."""
    return next(o for o in Spool(fleet.settings.orders).orders(order.node) if o.counter == order.counter)


def settled(fleet: Fleet, order: Order, timeout_s: float = PATIENCE_S) -> Order:
    """Wait until an order is answered or has expired, and return it."""

    def done() -> bool:
        fleet.tend()
        return order_of(fleet, order).state != WAITING

    wait_for(done, timeout_s)
    return order_of(fleet, order)


def reports(fleet: Fleet, node: str, timeout_s: float = PATIENCE_S) -> None:
    """Wait until something new of `node` is committed."""
    before = fleet.committed()[node]

    def more() -> bool:
        fleet.tend()
        return fleet.committed()[node] > before + 1

    wait_for(more, timeout_s)
