"""Makes orders: checks what a person enters, issues what is needed, signs, and leaves the rest to the courier."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from device_manager.audit import Audit
from device_manager.errors import UsageError
from device_manager.orders.spool import COMMAND, EXPIRED, WAITING, Order, Spool
from device_manager.scopes import ADMIN, TECHNICIAN, Scope
from firmware.wire import WireError, messages, orders

EXPIRES_S = 3600
WITHIN_S = 180
DECOMMISSION = "decommission"
COMMANDS = ("health", "identify", "log", "maintenance", "reboot", "self-test")
COMMAND_EXPIRES_S = 600
_POLL_S = 0.2


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
    audit: Audit

    def command(self, node: str, name: str, now_s: float, *, scope: Scope, minutes: int | None = None) -> Order:
        """Send a node one of COMMANDS; `minutes` is for maintenance (0 ends it). It expires after ten minutes."""
        scope.require(TECHNICIAN, f"send {node} a command")
        if name not in COMMANDS or (name == "maintenance") != (minutes is not None):
            got = name if minutes is None else f"{name} with minutes"
            todo = "see `citynode node command --help`"
            raise UsageError(expected=f"one of {', '.join(COMMANDS)}, and minutes with maintenance", got=got, todo=todo)
        counter, expires_s = self.spool.next_counter(node, now_s), int(now_s) + COMMAND_EXPIRES_S
        arguments = {} if minutes is None else {"minutes": minutes}
        fields = {"id": counter, "name": name, "arguments": arguments, "expires": expires_s}
        what = name if minutes is None else f"{name} {minutes} min"
        payload = messages.encode("command", fields)
        return self._add(Order(node, counter, what, scope.actor, expires_s, WAITING, "", payload, COMMAND), scope)

    def wait(self, order: Order, timeout_s: float, sleep: Callable[[float], None] = time.sleep) -> Order:
        """Return the order as it is when it was answered, or after `timeout_s`; a running manager carries it."""
        for _ in range(int(timeout_s / _POLL_S)):
            found = next(o for o in self.spool.orders(order.node) if o.counter == order.counter)
            if found.state != WAITING:
                return found
            sleep(_POLL_S)
        return order

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
        scope.require(ADMIN, f"change settings of {node}")
        counter = self.spool.next_counter(node, now_s)
        arguments = {"revision": counter, "within_s": within_s, **parts}
        return self._make(node, counter, "change", arguments, what, now_s, scope)

    def decommission(self, node: str, now_s: float, *, scope: Scope) -> Order:
        """Order a node to wipe itself; whatever else waits for it is withdrawn."""
        scope.require(ADMIN, f"decommission {node}")
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
        return self._add(Order(node, counter, what, scope.actor, expires_s, WAITING, "", signed), scope)

    def _add(self, order: Order, scope: Scope) -> Order:
        self.spool.add(order)
        self.audit.record(scope, f"node.{order.kind}", order.node, after={"number": order.counter, "what": order.what})
        return order
