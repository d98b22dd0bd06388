"""The only way from the bench into the fleet: a port that `device_manager` implements."""

from typing import Any, NamedTuple, Protocol


class Pending(NamedTuple):
    """A node that is in the register and not accepted yet."""

    node: str
    site: str
    site_title: str
    board_mac: str


class Enrolment(Protocol):
    """Every call is durable when it returns, and may be repeated after a broken run."""

    def begin(self, node: str | None, site: str, design: str, board_mac: str, scope: Any) -> Pending:
        """Register a node as pending at `site` and return it; the same again for one that is pending already.

        `node` None chooses an id that follows from the MAC. UsageError for an unknown site or an id that is taken.
        """
        ...

    def identity(self, pending: Pending) -> tuple[bytes, bytes, list[bytes]] | None:
        """Return a new private key, its certificate and the trust anchors, all DER; None when the broker asks none.

        The key is kept nowhere else. Only for a node that is in the register.
        """
        ...

    def order_keys(self) -> bytes:
        """Return the file `orders.keys` of every node: who may sign orders to it."""
        ...

    def release_keys(self) -> bytes:
        """Return the file `releases.keys` of every node: who may sign releases for it."""
        ...

    def heard(self, pending: Pending) -> bool:
        """True when a record of the node has been committed."""
        ...

    def accept(self, pending: Pending) -> None:
        """The node is accepted from now on."""
        ...

    def abandon(self, pending: Pending, reason: str) -> None:
        """The node is rejected from now on, whatever key may lie on a board."""
        ...
