"""What the running manager does for trust by itself: carries orders, renews certificates and the list of revoked ones.

    every second   orders to nodes and their answers
    every hour     a roll-over of the CA, see `rolling_over`, then certificates of nodes past two thirds of their life
    every day      issuer, broker, manager, twin, accounts and the list of revoked certificates, handed to the broker
                   without a restart; and a warning of everything that ends within 30 days all the same

Composition, beside `app.py`: also what the commands of `citynode ca` and `citynode order` need.
"""

import datetime
import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from cryptography import x509

from device_manager.adapters.clock import SystemClock
from device_manager.adapters.mosquitto import Mosquitto
from device_manager.adapters.store_audit import SqlAudit
from device_manager.adapters.store_operations import Operations
from device_manager.adapters.store_reader import SqlReader
from device_manager.audit import Audit
from device_manager.fleet import open_fleet
from device_manager.identities import Authority
from device_manager.identities.anchors import end_s
from device_manager.identities.forecast import End, forecast
from device_manager.identities.order_keys import OrderKeys
from device_manager.orders.courier import Courier
from device_manager.orders.service import DECOMMISSION, Orders
from device_manager.orders.spool import DONE, Order, Spool
from device_manager.periodic import Periodic, Step
from device_manager.ports import Broker
from device_manager.registry import Scope
from device_manager.registry.service import ACCEPTED, DECOMMISSIONED
from device_manager.settings import Settings

STEP_S = 1.0
NODES_S = 3600.0
BROKER_S = 86_400.0
WARN_S = 30 * 86_400.0
BY_ITSELF = Scope("manager")
log = logging.getLogger("citynode.upkeep")


def open_orders(settings: Settings) -> Orders:
    """Return the service that makes orders."""
    keys = OrderKeys(settings.identities)
    audit = Audit(SqlAudit(Operations(settings.database)), SystemClock())
    return Orders(Spool(settings.orders), keys, Authority.open(settings.identities), audit)


class Upkeep(Periodic):
    """A service of the running manager; what waits at its end is carried on by the next start."""

    def __init__(
        self, settings: Settings, publisher: Broker, broker: Mosquitto, order_due: Callable[..., object]
    ) -> None:
        """`order_due(settings, now_s, scope=)` orders what a roll-over of the CA needs."""
        self._reader = SqlReader(settings.database)
        self._seen, _ = self._reader.replies(0)
        courier = Courier(Spool(settings.orders), publisher, self._replies)

        def step(work: Callable[[float], object], every_s: float, waits: str, first_s: float = STEP_S) -> Step:
            return Step(lambda: work(time.time()), every_s, first_s, waits)

        super().__init__(
            "upkeep",
            step(courier.step, STEP_S, "orders wait"),
            step(partial(finish_decommissions, settings, broker), STEP_S, "who has wiped itself is locked out later"),
            step(partial(order_due, settings, scope=BY_ITSELF), NODES_S, "the roll-over of the CA waits an hour"),
            step(partial(renew_due, settings), NODES_S, "certificates of nodes are renewed an hour later"),
            step(partial(renew_broker, settings, broker), BROKER_S, "certificates are renewed a day later", BROKER_S),
        )

    def stop(self) -> None:
        """End after the step that runs."""
        super().stop()
        self._reader.close()

    def _replies(self) -> list[tuple[str, bytes]]:
        self._seen, rows = self._reader.replies(self._seen)
        return rows


def renew_broker(settings: Settings, broker: Mosquitto, now_s: float) -> None:
    """Renew what the broker shows and checks, and hand it over without a restart."""
    for name in Authority.open(settings.identities).renew(settings.broker.names, now_s):
        log.info("renewed the certificate of the %s", name)
    broker.refresh()
    for line in warnings(look_ahead(settings), now_s):
        log.warning("%s", line)


def warnings(ends: Iterable[End], now_s: float) -> list[str]:
    """Return a line for everything that ends within 30 days and cuts a node off."""
    soon = [end for end in ends if end.end_s < now_s + WARN_S and end.nodes]
    days = [(round((end.end_s - now_s) / 86_400), end) for end in soon]
    return [f"{end.what} ends in {left} days and cuts {len(end.nodes)} nodes off: {end.remedy}" for left, end in days]


def renew_due(settings: Settings, now_s: float) -> list[Order]:
    """Order a new certificate for every accepted node that has used up two thirds of its own; return the orders."""
    orders = open_orders(settings)
    waiting = {order.node for order in orders.spool.waiting()}
    due = [node for node, (start_s, end_s) in in_use(settings).items() if now_s > end_s - (end_s - start_s) / 3]
    chosen = set(accepted(settings)) & set(due) - waiting
    return [orders.renew(node, now_s, scope=BY_ITSELF) for node in sorted(chosen)]


def finish_decommissions(settings: Settings, broker: Mosquitto, now_s: float) -> None:
    """Lock out for ever whoever has wiped itself by order; what it delivered stays."""
    wiped = {
        order.node for order in Spool(settings.orders).orders() if (order.what, order.state) == (DECOMMISSION, DONE)
    }
    for node in sorted(wiped & set(accepted(settings))):
        with open_fleet(settings) as fleet:
            fleet.registry.admit(node, DECOMMISSIONED, scope=BY_ITSELF)
        authority = Authority.open(settings.identities)
        authority.revoke(node, now_s)
        broker.enforce(authority, node)
        log.info("%s is decommissioned: it has wiped itself, and its certificates are revoked", node)


def in_use(settings: Settings) -> dict[str, tuple[float, float]]:
    """Return {node: (begin, end)} of the certificate that each node uses: the newest that it was given and took."""
    orders = Spool(settings.orders).orders()
    not_taken = {order.what.rpartition(" ")[2] for order in orders if order.state != DONE}
    found: dict[str, tuple[float, float]] = {}
    for row in Authority.open(settings.identities).issued():
        if row["purpose"] == "node" and row["serial"] not in not_taken:
            found[str(row["name"])] = (_unix_s(row["not_before"]), _unix_s(row["not_after"]))
    return found


def look_ahead(settings: Settings) -> list[End]:
    """Return what ends when, and which nodes it cuts off, if neither people nor the manager do anything."""
    authority = Authority.open(settings.identities)
    shared = [
        ("root of the fleet", _end_s(authority.root_file), "`citynode ca roll start`"),
        (
            "issuer of the fleet",
            end_s(authority.anchors.issuer.certificate),
            "`citynode ca issuer` with the root's key",
        ),
        ("certificate of the broker", _end_s(authority.files("broker")[0]), "`citynode serve` renews it"),
        ("list of revoked certificates", _list_end_s(authority.revocation_file), "`citynode serve` renews it"),
    ]
    leaves = {node: end_s for node, (_, end_s) in in_use(settings).items()}
    return forecast(leaves, shared, accepted(settings))


def accepted(settings: Settings) -> list[str]:
    """Return the ids of the accepted nodes, by name."""
    with open_fleet(settings) as fleet:
        return [node.name for node in fleet.registry.nodes() if node.admission == ACCEPTED]


def _end_s(path: Path) -> float:
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.timestamp()


def _list_end_s(path: Path) -> float:
    end = x509.load_pem_x509_crl(path.read_bytes()).next_update_utc
    return end.timestamp() if end else 0.0


def _unix_s(text: object) -> float:
    return datetime.datetime.fromisoformat(str(text)).timestamp()
