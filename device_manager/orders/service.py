"""Makes orders: checks what a person enters, issues what is needed, signs, and leaves the rest to the courier."""

from dataclasses import dataclass
from typing import Any, Protocol

from device_manager.errors import UsageError
from device_manager.orders.spool import EXPIRED, WAITING, Order, Spool
from device_manager.scopes import Scope
from firmware.wire import WireError, orders

EXPIRES_S = 3600
WITHIN_S = 180
DECOMMISSION = "decommission"


class Signer(Protocol):
    """Signs the payload of an order."""

    def sign(self, payload: bytes) -> bytes: ...


class Issuer(Protocol):
    """Gives out certificates for nodes."""

    def issue_node(self, node: str, now_s: float) -> Any: ...


@dataclass
class Orders:
    """The service; every call takes who is acting."""

    spool: Spool
    signer: Signer
    issuer: Issuer

    def renew(self, node: str, now_s: float, *, scope: Scope, within_s: int = WITHIN_S) -> Order:
        """Order a new key and certificate for a node, which keeps its old one until the new one has worked."""
        identity = self.issuer.issue_node(node, now_s)
        parts = {"certificate": identity.certificate_der(), "key": identity.key_der()}
        return self.change(
            node,
            f"renew certificate {identity.certificate.serial_number:x}",
            parts,
            now_s,
            scope=scope,
            within_s=within_s,
        )

    def change(
        self, node: str, what: str, parts: dict[str, Any], now_s: float, *, scope: Scope, within_s: int = WITHIN_S
    ) -> Order:
        """Order other settings: parts as in `firmware.wire.orders`, tried for `within_s` seconds."""
        counter = self.spool.next_counter(node, now_s)
        arguments = {"revision": counter, "within_s": within_s, **parts}
        return self._make(node, counter, "change", arguments, what, now_s, scope)

    def decommission(self, node: str, now_s: float, *, scope: Scope) -> Order:
        """Order a node to wipe itself; whatever else waits for it is withdrawn."""
        for order in self.spool.orders(node):
            if order.state == WAITING:
                self.spool.settle(order, EXPIRED, "withdrawn by a decommission")
        counter = self.spool.next_counter(node, now_s)
        return self._make(node, counter, DECOMMISSION, {}, DECOMMISSION, now_s, scope)

    def _make(
        self, node: str, counter: int, name: str, arguments: dict[str, Any], what: str, now_s: float, scope: Scope
    ) -> Order:
        expires_s = int(now_s) + EXPIRES_S
        try:
            payload = orders.make(node, counter, expires_s, name, arguments)
        except WireError as error:
            raise UsageError(expected="an order that a node can carry out", got=str(error), todo="correct it") from None
        signed = self.signer.sign(payload)
        order = Order(node, counter, what, scope.actor, expires_s, WAITING, "", signed)
        self.spool.add(order)
        return order
