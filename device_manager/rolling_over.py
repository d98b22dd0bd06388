"""Roll-over of the CA: every node learns to trust a new root before the broker shows a certificate under it.

    start    (manager stopped) a new root and issuer beside the old ones; the broker accepts both, and shows the old one
    -        (manager runs) every accepted node is ordered both roots, one file each, and a certificate of the new
             issuer; it tries them, and goes back by itself when it does not reach the manager
    finish   (manager stopped, every node has taken them) the old ones are forgotten, the broker shows the new one
    -        (manager runs) every node is ordered to forget the old root

Composition, beside `upkeep`, which calls `order_due` every hour. Stopped, because mosquitto reads whom it trusts at its
start only; nodes keep their readings meanwhile.
"""

import hashlib
from typing import NamedTuple

from device_manager import upkeep
from device_manager.errors import SetupError
from device_manager.fleet import open_fleet
from device_manager.identities import Authority, anchors
from device_manager.only_one import only_one
from device_manager.orders.service import Orders
from device_manager.orders.spool import DONE, WAITING, Order
from device_manager.scopes import ADMIN, Scope
from device_manager.settings import Settings

WITHIN_S = 180
NOT_ORDERED = "not ordered yet"


class Standing(NamedTuple):
    """Where an accepted node stands: `state` of its order to trust the present roots, and the node's words."""

    node: str
    state: str
    reason: str


def start(settings: Settings, now_s: float, *, scope: Scope) -> None:
    """Begin a roll-over; SetupError while a manager runs, or while one is under way."""
    scope.require(ADMIN, "roll the CA over")
    with only_one(settings.lock), open_fleet(settings) as fleet:
        anchors.begin_roll(settings.identities, now_s)
        authority = Authority.open(settings.identities)
        authority.record_anchors()
        authority.renew(settings.broker.names, now_s)
        fleet.audit.record(scope, "ca.roll_start", _key(authority))


def finish(settings: Settings, now_s: float, *, scope: Scope, without: tuple[str, ...] = ()) -> None:
    """End a roll-over; SetupError while a node that is not in `without` does not trust the new root."""
    scope.require(ADMIN, "roll the CA over")
    with only_one(settings.lock), open_fleet(settings) as fleet:
        before = Authority.open(settings.identities)
        if before.anchors.old is None:
            raise SetupError(expected="a roll-over under way", got="none", todo="see `citynode ca status`")
        behind = [row.node for row in standing(settings) if row.state != DONE and row.node not in without]
        if behind:
            todo = "wait for them, or name those that shall be left behind with --without"
            raise SetupError(expected="every node to trust the new root", got=f"{', '.join(behind)} not", todo=todo)
        anchors.end_roll(settings.identities)
        authority = Authority.open(settings.identities)
        authority.renew(settings.broker.names, now_s)
        fleet.audit.record(scope, "ca.roll_finish", _key(authority), after={"without": list(without)})


def standing(settings: Settings) -> list[Standing]:
    """Return where each accepted node stands, by name; empty for a fleet that never rolled over."""
    authority = Authority.open(settings.identities)
    if not _rolled(authority):
        return []
    newest = _newest(upkeep.open_orders(settings), authority)
    return [
        Standing(node, newest[node].state, newest[node].reason) if node in newest else Standing(node, NOT_ORDERED, "")
        for node in upkeep.accepted(settings)
    ]


def order_due(settings: Settings, now_s: float, *, scope: Scope, within_s: int = WITHIN_S) -> list[Order]:
    """Order the present roots for every accepted node that did not take them yet; return the orders."""
    rows = [row.node for row in standing(settings) if row.state not in (DONE, WAITING)]
    if not rows:
        return []
    orders, authority = upkeep.open_orders(settings), Authority.open(settings.identities)
    return [_order(orders, authority, node, now_s, within_s, scope) for node in rows]


def _order(orders: Orders, authority: Authority, node: str, now_s: float, within_s: int, scope: Scope) -> Order:
    parts: dict[str, object] = {"anchors": authority.anchors_der()}
    what = f"trust {_key(authority)}"
    if authority.anchors.old:
        identity = authority.issue_node(node, now_s)
        parts |= {"certificate": identity.certificate_der(), "key": identity.key_der()}
        what += f" with certificate {identity.certificate.serial_number:x}"  # read by upkeep.in_use
    return orders.change(node, what, parts, now_s, scope=scope, within_s=within_s)


def _newest(orders: Orders, authority: Authority) -> dict[str, Order]:
    """Return the order of each node to trust the present roots: one that was done, else the newest."""
    wanted = f"trust {_key(authority)}"
    found: dict[str, Order] = {}
    for order in orders.spool.orders():
        if order.what.split(" with ")[0] == wanted and not (order.node in found and found[order.node].state == DONE):
            found[order.node] = order
    return found


def _rolled(authority: Authority) -> bool:
    return sum(row["purpose"] == "root" for row in authority.issued()) > 1


def _key(authority: Authority) -> str:
    """Return a short name of the present roots."""
    return "+".join(hashlib.sha256(der).hexdigest()[:12] for der in authority.anchors_der())
