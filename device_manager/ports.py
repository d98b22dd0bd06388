"""Ports: what the domain asks of the outside, and the small values that cross.

    Codec          bytes -> plain objects (cbor2 behind it)
    Clock          wall time
    Broker         subscribe, publish, acknowledge by hand
    FrameStore     one transaction at a time for the writer; see also `Transaction`
    FleetReader    what other processes read while the writer works
    ShadowFold     the pure fold that the writer applies in the same transaction

Times end in `_ms` (Unix milliseconds, receipt) or `_s` (Unix seconds, phenomenon). `log` is a node's 32-bit log id;
`log_id` the store's own small number for it; `node_id` and `site_id` the store's numbers for names.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol


class Incoming(NamedTuple):
    """One message from the broker; `token` goes back to `Broker.acknowledge` after the commit, None needs none."""

    topic: str
    payload: bytes
    received_ms: int
    retained: bool
    token: object


class Watermark(NamedTuple):
    """What is committed of a node's log: all below `next`; `want` are the lowest holes below the highest committed."""

    node: str
    log: int
    next: int
    want: tuple[tuple[int, int], ...]


class Node(NamedTuple):
    """A row of the register, as ingest needs it."""

    node_id: int
    name: str
    admission: str


class LogRow(NamedTuple):
    """A log as it is stored: `next` is the lowest uncommitted number, `ahead` the committed ranges above it."""

    log_id: int
    node_id: int
    log: int
    next: int
    ahead: tuple[tuple[int, int], ...]


class RecordRow(NamedTuple):
    """A log record to append; `start_s` is the begin of a dated frame, else None."""

    node_id: int
    log_id: int
    seq: int
    kind: str
    received_ms: int
    start_s: int | None
    payload: bytes


class StoredRecord(NamedTuple):
    """A log record as readers get it; `number` is its place in commit order, gap-free from 1."""

    number: int
    node_id: int
    log_id: int
    seq: int
    kind: str
    received_ms: int
    start_s: int | None
    payload: bytes


class RejectRow(NamedTuple):
    """A message that was not accepted: `reason` from the closed list in `ingest.admit`, `detail` for people.

    `payload` may be cut; `payload_bytes` is its true length. `log` and `seq` are there when its head could be read.
    """

    node: str
    topic: str
    received_ms: int
    reason: str
    detail: str
    payload: bytes
    payload_bytes: int
    log: int | None
    seq: int | None


class EventRow(NamedTuple):
    """A state, health, reply or update message as it came."""

    node_id: int
    kind: str
    received_ms: int
    payload: bytes


class Deployment(NamedTuple):
    """Node `node_id` hangs at site `site_id` from `since_s` until `until_s` (exclusive; None: still)."""

    node_id: int
    site_id: int
    since_s: int
    until_s: int | None


class Site(NamedTuple):
    """A place for ever; position in degrees (WGS 84), height above ground in m; `zone` is the IANA name of its time.

    `heading_deg` is where the node's front looks, clockwise from true north (None: it looks nowhere), `fixture` what it
    hangs on (lamp post, facade), `gml_id` the object of the city's CityGML model that this is, or is part of.
    """

    site_id: int
    name: str
    title: str
    latitude: float
    longitude: float
    height_m: float
    district: str
    zone: str = "Europe/Berlin"
    heading_deg: float | None = None
    fixture: str = ""
    gml_id: str = ""
    tags: tuple[str, ...] = ()


class NodeView(NamedTuple):
    """A node for lists: where it hangs now, and its shadow's document (None before the first message)."""

    node_id: int
    name: str
    admission: str
    added_ms: int
    site: Site | None
    shadow: str | None
    tags: tuple[str, ...] = ()


class NodeRow(NamedTuple):
    """A node for a list of many: name, name and title of the site where it hangs now, and its shadow's document."""

    name: str
    site: str | None
    title: str | None
    admission: str
    shadow: str | None


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

    def is_rejected(self, node: str, log: int, seq: int, payload: bytes | None = None) -> bool:
        """True when a reject with that head is kept (with exactly that payload, if given)."""
        ...

    def reject_bytes(self, node: str) -> int:
        """Return how many payload bytes of rejects are kept for that node name."""
        ...

    def last_event(self, node_id: int, kind: str) -> bytes | None:
        """Return the newest kept event of that kind."""
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


class StateSeen(NamedTuple):
    """A state message: `fields` as `firmware.wire.messages` decodes them; `retained` ones may be old."""

    received_ms: int
    retained: bool
    fields: dict[str, Any]


class HealthSeen(NamedTuple):
    """A health message: `fields` as `firmware.wire.messages` decodes them."""

    received_ms: int
    fields: dict[str, Any]


class UpdateSeen(NamedTuple):
    """A report of an update: `fields` as `firmware.wire.messages` decodes them; see `firmware.wire.releases`."""

    received_ms: int
    fields: dict[str, Any]


class FramesStored(NamedTuple):
    """Frames that were committed, summed up: the fold of a sum is the fold of its parts in any order."""

    received_ms: int
    frames: int
    values: int
    payload_bytes: int
    last_end_s: int | None
    rescued: int
    """of these, how many stand in a range that was declared lost before"""
    span_s: int = 0
    """seconds that the longest of them covers"""
    backfilled: int = 0
    """of these, how many came long after they were measured, see `device_manager.backfill`"""


class ChannelsStored(NamedTuple):
    """A channels record: what the node runs."""

    received_ms: int
    log: int
    epoch: int
    firmware: str
    record_s: int = 0
    configuration: int | None = None


class LossStored(NamedTuple):
    """A loss record of `first`..`last`: `lost` of these, not committed before, are gone."""

    received_ms: int
    lost: int
    reason: str
    log: int = 0
    first: int = 0
    last: int = 0


class Rejected(NamedTuple):
    """A message was not accepted."""

    received_ms: int
    reason: str


class WatermarkMoved(NamedTuple):
    """The log's commit state after a step; `above` is one more than the highest committed number.

    `want` are the lowest holes below it.
    """

    log: int
    next: int
    above: int
    want: tuple[tuple[int, int], ...] = ()
    received_ms: int = 0


ShadowEvent = (
    StateSeen | HealthSeen | UpdateSeen | FramesStored | ChannelsStored | LossStored | Rejected | WatermarkMoved
)
