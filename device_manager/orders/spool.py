"""The spool: `orders/<node>-<counter>.json`, one file for each order, readable by its owner only.

While an order waits, its file holds the signed bytes, which may hold a key or a password. When it is answered, has
expired or is withdrawn, the file is written anew without them and stays as the record of what was ordered. A command
(reboot, log, ..) lies here too: it is not signed, and its answer may carry lines.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from device_manager.identities.files import make_private_directory, write_private

ORDER, COMMAND = "order", "command"
WAITING, DONE, REFUSED, EXPIRED = "waiting", "done", "refused", "expired"


class Order(NamedTuple):
    """One order or command: `what` for people, `kind` and `state` words from above, `lines` of the answer.

    `signed` is empty unless it waits: the signed order, or the message of a command.
    """

    node: str
    counter: int
    what: str
    actor: str
    expires_s: int
    state: str
    reason: str
    signed: bytes
    kind: str = ORDER
    lines: tuple[str, ...] = ()


class Spool:
    """The orders of one data directory; any process may add, the running manager settles."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def add(self, order: Order) -> None:
        """Keep an order, durably."""
        make_private_directory(self._directory)
        self._write(order)

    def next_counter(self, node: str, now_s: float) -> int:
        """Return a number above all that were given to `node`; the time is in it, so that a restored backup is safe."""
        last = max((order.counter for order in self.orders(node)), default=0)
        return max(last + 1, int(now_s))

    def orders(self, node: str | None = None) -> list[Order]:
        """Return all orders, or those of one node, by node and number."""
        paths = sorted(self._directory.glob(f"{node or '*'}-*.json"))
        found = [order for order in map(_read, paths) if order is not None and node in (None, order.node)]
        return sorted(found, key=lambda order: (order.node, order.counter))

    def waiting(self) -> list[Order]:
        """Return the orders that wait for an answer, the oldest of each node first."""
        return [order for order in self.orders() if order.state == WAITING]

    def settle(self, order: Order, state: str, reason: str, lines: tuple[str, ...] = ()) -> None:
        """Note the outcome, and forget what was secret."""
        self._write(order._replace(state=state, reason=reason, signed=b"", lines=lines))

    def _write(self, order: Order) -> None:
        document: dict[str, Any] = {**order._asdict(), "signed": order.signed.hex()}
        write_private(self._directory / f"{order.node}-{order.counter}.json", json.dumps(document).encode())


def _read(path: Path) -> Order | None:
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:  # settled by another process in between
        return None
    lines = tuple(document.pop("lines", ()))  # files of earlier versions have neither lines nor kind
    return Order(**{**document, "signed": bytes.fromhex(document["signed"]), "lines": lines})
