"""The SQL schema: which tables there are, for SQLite now and for PostgreSQL later (SQLAlchemy Core, no ORM).

The truth is `frame` (every log record as it came), `reject` (what was not accepted) and `event` (state, health, reply);
`node`, `site` and `deployment` are the register. `log`, `reject_count` and `shadow` are written in the same step as
what they sum up.

`frame.number` is the place in commit order, gap-free from 1. SQLite has one writer, so the number is given when the row
is appended; with several workers the rows come unnumbered and one sequencer numbers them, and readers only ever see
numbered rows. `frame.kind` is stored as a small integer, because 0 and 1 cost no byte in SQLite.

`decision` is what people decide about readings (calibrate, invalidate, withdraw), append-only. What is derived from all
this lies in a database of its own, see `store_series`.

A change of these tables raises `store_version.SCHEMA_VERSION`, and brings a migration and a sample of the old database.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

KINDS = ("frame", "channels", "loss")  # position = the integer in frame.kind

_DATED = text("start_s IS NOT NULL")

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

node = Table(
    "node",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(32), nullable=False, unique=True),
    Column("admission", String(16), nullable=False),  # provisioned, pending, accepted, rejected, decommissioned
    Column("added_ms", BigInteger, nullable=False),
    Column("tags", Text, nullable=False, server_default=""),  # words, sorted, with spaces between
)

site = Table(
    "site",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("latitude", Float, nullable=False),  # degrees, WGS 84
    Column("longitude", Float, nullable=False),
    Column("height_m", Float, nullable=False),  # above ground
    Column("district", Text, nullable=False),
    Column("zone", String(64), nullable=False, server_default="Europe/Berlin"),  # IANA name; its days are local
    Column("heading_deg", Float),  # clockwise from true north; null: it looks nowhere
    Column("fixture", Text, nullable=False, server_default=""),  # what it hangs on
    Column("gml_id", Text, nullable=False, server_default=""),  # object of the city model
    Column("tags", Text, nullable=False, server_default=""),  # words, sorted, with spaces between
)

deployment = Table(
    "deployment",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("node_id", ForeignKey("node.id"), nullable=False),
    Column("site_id", ForeignKey("site.id"), nullable=False),
    Column("since_s", BigInteger, nullable=False),
    Column("until_s", BigInteger),  # exclusive; null: still there
    UniqueConstraint("node_id", "since_s"),
)

log = Table(
    "log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("node_id", ForeignKey("node.id"), nullable=False),
    Column("log", BigInteger, nullable=False, unique=True),  # the node's random 32-bit log id
    Column("next", BigInteger, nullable=False),  # lowest number that is not committed
    Column("ahead", Text, nullable=False),  # JSON [[first, last]...] of committed ranges above next
)

frame = Table(
    "frame",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("node_id", ForeignKey("node.id"), nullable=False),
    Column("log_id", ForeignKey("log.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("kind", SmallInteger, nullable=False),  # position in KINDS
    Column("received_ms", BigInteger, nullable=False),
    Column("start_s", BigInteger),  # begin of a dated frame
    Column("payload", LargeBinary, nullable=False),
    UniqueConstraint("log_id", "seq"),
    Index("frame_start", "node_id", "start_s", sqlite_where=_DATED, postgresql_where=_DATED),
)

reject = Table(
    "reject",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("node", Text, nullable=False),  # as the topic says; need not be registered
    Column("topic", Text, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),  # at most 64 KiB of it
    Column("payload_bytes", BigInteger, nullable=False),  # its true length
    Column("log", BigInteger),
    Column("seq", BigInteger),
    Index("reject_head", "log", "seq"),
    Index("reject_node", "node"),
)

reject_count = Table(
    "reject_count",
    metadata,
    Column("node", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("kept_bytes", BigInteger, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("node_id", ForeignKey("node.id"), nullable=False),
    Column("kind", String(16), nullable=False),  # state, health, reply
    Column("received_ms", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Index("event_node", "node_id", "kind", "id"),
)

shadow = Table(
    "shadow",
    metadata,
    Column("node_id", ForeignKey("node.id"), primary_key=True),
    Column("document", Text, nullable=False),  # JSON of device_manager.shadow.Shadow
)

decision = Table(
    "decision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("made_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("kind", String(16), nullable=False),  # calibrate, invalidate, withdraw
    Column("document", Text, nullable=False),  # JSON, see device_manager.series.decisions
)
