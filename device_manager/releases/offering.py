"""Who shall have which release: written by rollouts and commands, carried by the running manager until it is done.

An offer of a node is a wish that stands until it is replaced or withdrawn; it changes nothing by itself. The running
manager sends the signed root and offer of that number to the node whenever the node is there and has not said how it
ended, serves what the node asks for, and the node's reports become `Shadow.update`.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol


class NodeOffer(NamedTuple):
    """Release `number` is offered to `node`; `attempt` grows when a number that failed there shall be tried again."""

    node: str
    number: int
    attempt: int = 0


class Traffic(NamedTuple):
    """Bytes that were sent to a node for a release (topics and payloads), and what the whole app would have taken."""

    sent_bytes: int
    whole_bytes: int


class Offers(Protocol):
    """The wishes of a fleet, one for each node at most; every call is durable when it returns."""

    def offer(self, wanted: NodeOffer) -> None:
        """Offer a release to a node, in the place of what it was offered before.

        UsageError when the number is not a release that is signed, not retired, and offered until later than now.
        """
        ...

    def withdraw(self, node: str) -> None:
        """Offer the node nothing any more. What it has begun it may finish: a node does not hear of this."""
        ...

    def standing(self) -> list[NodeOffer]:
        """Return what is offered now, by node."""
        ...

    def traffic(self, numbers: Collection[int]) -> dict[str, Traffic]:
        """Return what was sent for these releases so far, by node; it stays when an offer is replaced or withdrawn."""
        ...

    def add_traffic(self, sent: Mapping[tuple[str, int], Traffic]) -> None:
        """Count what was sent, by node and release; `whole_bytes` 0 where it is not known. The running manager does."""
        ...
