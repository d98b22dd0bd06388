"""The small values that cross the ports; units and numbers as `device_manager.ports` says."""

from typing import NamedTuple


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


class Refusal(NamedTuple):
    """Who sent a record that is not accepted, its head, and its bytes as far as a reject keeps them."""

    node: str
    log: int
    seq: int
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
