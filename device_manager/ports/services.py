"""What the domain asks of the outside; see `device_manager.ports`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from device_manager.ports.rows import (
    Deployment,
    EventRow,
    Incoming,
    LogRow,
    Node,
    RecordRow,
    Refusal,
    RejectRow,
    StoredRecord,
)


class Codec(Protocol):
    """CBOR for hosts; strict: one item that fills the bytes, no tags, bounded depth."""

    def loads(self, payload: bytes) -> object:
        """Decode `payload`; ValueError (and nothing else) says why it cannot be."""
        ...

    def dumps(self, value: object) -> bytes:
        """Encode plain objects."""
        ...


class Clock(Protocol):
    """Wall time, passed in so that nothing reads a clock by itself."""

    def now_ms(self) -> int:
        """Return Unix time in milliseconds."""
        ...


class Broker(Protocol):
    """An MQTT 5 session that survives reconnects; what is not acknowledged comes again."""

    def start(self, deliver: Callable[[Incoming], None]) -> None:
        """Connect, subscribe, and hand every message to `deliver` (called on the broker's own thread)."""
        ...

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """Send without waiting; while the connection is down a QoS 0 message is dropped, QoS 1 is kept for later."""
        ...

    def publish_all(self, messages: Sequence[tuple[str, bytes]], *, qos: int = 0) -> None:
        """Send many (topic, payload); all are dropped while the connection is down, and nothing is sent again."""
        ...

    def acknowledge(self, tokens: Sequence[object]) -> None:
        """Tell the broker that these messages are safe; tokens of an earlier connection are ignored."""
        ...

    def stop(self) -> None:
        """Send what is queued, disconnect, and return when the thread has ended; the session stays at the broker."""
        ...


class Transaction(Protocol):
    """One atomic step of the one writer: all of it is durable when the context ends, or none of it ever was."""

    changed_elsewhere: bool
    """True when another connection wrote since the last step, so that nothing remembered may be trusted."""

    def latest_ms(self) -> int:
        """Return the latest receipt among the newest records (Unix ms), 0 without any."""
        ...

    def node(self, name: str) -> Node | None:
        """Return the registered node of that name."""
        ...

    def nodes(self, names: Sequence[str]) -> list[Node]:
        """Return those of the nodes that are registered."""
        ...

    def log(self, log: int) -> LogRow | None:
        """Return the log with that id of a node's outbox."""
        ...

    def logs(self, logs: Sequence[int]) -> list[LogRow]:
        """Return those of the logs that were seen."""
        ...

    def add_log(self, node_id: int, log: int) -> LogRow:
        """Begin a log that was never seen, owned by `node_id`."""
        ...

    def record(self, log_id: int, seq: int) -> tuple[str, bytes] | None:
        """Return (kind, payload) of a stored record."""
        ...

    def archived(self, log_id: int, seq: int) -> bool:
        """True when that record was stored and has left for the archive."""
        ...

    def records(self, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[str, bytes]]:
        """Return {(log_id, seq): (kind, payload)} of those of the records (log_id, seq) that are stored."""
        ...

    def rejected(self, refusals: Sequence[Refusal]) -> list[bool | None]:
        """Return for each refusal whether a reject with its bytes is kept; None when none with its head is."""
        ...

    def reject_bytes(self, nodes: Sequence[str]) -> dict[str, int]:
        """Return how many payload bytes of rejects are kept, for those of the node names that have some."""
        ...

    def last_events(self, keys: Sequence[tuple[int, str]]) -> dict[tuple[int, str], bytes | None]:
        """Return the newest kept event for each (node_id, kind), None where there is none."""
        ...

    def shadows(self, node_ids: Sequence[int]) -> dict[int, str]:
        """Return the nodes' shadow documents, as far as there are any."""
        ...

    def append(self, rows: Sequence[RecordRow]) -> None:
        """Append records; they get the next numbers in this order."""
        ...

    def save_logs(self, rows: Sequence[LogRow]) -> None:
        """Write `next` and `ahead` of existing logs."""
        ...

    def save_shadows(self, rows: Sequence[tuple[int, str]]) -> None:
        """Write (node_id, document) pairs."""
        ...

    def add_rejects(self, kept: Sequence[RejectRow], only_counted: Sequence[RejectRow]) -> None:
        """Keep rejects and count all of them by node and reason."""
        ...

    def add_events(self, rows: Sequence[EventRow]) -> None:
        """Keep events in this order."""
        ...


class FrameStore(Protocol):
    """The writer's side of the store.

    Every error of the medium (full, locked, read-only, broken) is a StoreError and leaves the store as it was; a row
    that the store refuses is a RowRefused.
    """

    def begin(self) -> AbstractContextManager[Transaction]:
        """Open the next step; leaving the context normally makes it durable, leaving it by an exception undoes it."""
        ...


class RowRefused(Exception):
    """The store refused a row of this step for what it holds, not for the state of the medium: our fault, or a race."""


class FleetReader(Protocol):
    """Reads by any process at any time; each call sees whole steps only."""

    def records(
        self, *, after: int = 0, node_id: int | None = None, since_s: int | None = None, until_s: int | None = None
    ) -> Iterator[StoredRecord]:
        """Yield records above number `after` in commit order; a time window selects frames that may touch it."""
        ...

    def record(self, log_id: int, seq: int) -> StoredRecord | None:
        """Return one record: the channels of an epoch, for instance."""
        ...

    def latest_frames(self) -> list[StoredRecord]:
        """Return the dated frame with the latest start of every node that has one."""
        ...

    def deployments(self) -> list[Deployment]:
        """Return all deployments by node and begin."""
        ...

    def decisions(self) -> list[tuple[int, int, str, str, str]]:
        """Return all decisions of people about readings, see `series.decisions`."""
        ...


class ShadowFold(Protocol):
    """The pure fold of `device_manager.shadow`, as the writer calls it."""

    def fold(self, document: str | None, node: str, events: Sequence[object]) -> str:
        """Return the document after `events` (the classes below), in order."""
        ...
