"""Is this message what the contract says? Pure; nothing here remembers anything.

A message becomes a `Record` (goes into the log), a `Message` (state, health, ..) or raises `Refused` with a reason
from the closed list below and a detail for people. A refused record whose head can be read still names its log and
number (`read_head`), so that it can be kept and counted as committed.

The size is checked before the codec sees a byte. The checks of a frame run in C wherever a frame is as it should be;
`firmware.wire.frame.from_items` is the long way with the exact words, taken as soon as anything is unusual.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from firmware.wire import VERSION, WireError, frame, messages, records, topics

NOT_REGISTERED = "node not registered"
NOT_ADMITTED = "node not admitted"
TOO_LARGE = "too large"
GARBAGE = "not CBOR"
SHAPE = "wrong shape"
VERSION_UNKNOWN = "unknown contract version"
CLOCK = "clock implausible"
FOREIGN_LOG = "log belongs to another node"
NUMBER_USED_TWICE = "number used twice"
TOPIC = "unknown topic"
INTERNAL = "internal"

RETAINED = ("state", "channels")
"""What a node has its broker retain; an empty one says that it was removed there (MQTT 5, 3.3.1.3)."""

UNWELCOME = ("rejected", "decommissioned")
"""Admissions of nodes from which nothing is taken."""

EARLIEST_S = 1_577_836_800  # 2020-01-01: no node existed before
FUTURE_S = 86_400  # a clock may run ahead of ours by a day, not more
SPAN_MAX_S = 86_400  # a frame covers at most a day, so that a reader of a window need not look back further


_CHANNELS = next(key for key, name, _, _ in messages.rows(records.BODIES["channels"]) if name == "channels")


class Refused(Exception):
    """The message is not accepted: `reason` from the list above, `detail` in the words of whoever found it."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Record(NamedTuple):
    """An acceptable log record; a frame has `epoch`, `values`, `columns` and, when dated, start and end."""

    kind: str
    log: int
    seq: int
    epoch: int = 0
    columns: int = 0
    values: int = 0
    start_s: int | None = None
    end_s: int | None = None
    fields: dict[str, Any] | None = None


class Message(NamedTuple):
    """An acceptable state, health, reply, want or update."""

    kind: str
    fields: dict[str, Any]


def address(topic: str) -> tuple[str, str]:
    """Return (node, kind) of an upward topic; Refused for any other."""
    try:
        node, direction, kind = topics.parse(topic)
    except WireError as error:
        raise Refused(TOPIC, str(error)) from None
    if direction != "up":
        raise Refused(TOPIC, f"expected a message from a node, got topic {topic}")
    return node, kind


def admit(kind: str, payload: bytes, latest_ms: int, loads: Callable[[bytes], object]) -> Record | Message:
    """Check one message of `kind`; Refused says why not. `latest_ms` is the latest known now, `loads` a codec's."""
    limit = frame.MAX_BYTES if kind in records.KINDS else messages.MESSAGE_MAX_BYTES
    if len(payload) > limit:
        raise Refused(TOO_LARGE, f"expected at most {limit} bytes, got {len(payload)}")
    try:
        items = loads(payload)
    except ValueError as error:
        raise Refused(GARBAGE, str(error)[:200]) from None
    _check_version(kind, items)
    try:
        if kind == "frame":
            return _frame(items, latest_ms)
        if kind in records.KINDS:
            return _record(kind, items)
        return Message(kind, messages.from_items(kind, items))
    except WireError as error:
        raise Refused(SHAPE, str(error)[:200]) from None


def width(payload: bytes, loads: Callable[[bytes], object]) -> int:
    """Return how many columns frames have whose channels are this record, which was admitted before; 0 when it was by
    an older contract."""
    items: Any = loads(payload)
    try:
        return len(items[3][_CHANNELS])
    except (LookupError, TypeError):
        return 0


def read_head(kind: str, payload: bytes) -> tuple[int, int] | None:
    """Return (log, seq) of a record of any version, as far as it is readable."""
    if kind not in records.KINDS:
        return None
    try:
        _, log, seq = records.decode_head(payload[:64])
    except WireError:
        return None
    return log, seq


def _check_version(kind: str, items: object) -> None:
    version = None
    if kind in records.KINDS and isinstance(items, list) and items:
        version = items[0]
    elif kind not in records.KINDS and isinstance(items, dict):
        version = items.get(0)
    if type(version) is not int:  # 0.0 and false equal 0, but are no version
        raise Refused(SHAPE, f"expected a record or message that begins with its version, got {repr(items)[:40]}")
    if version != VERSION:
        raise Refused(VERSION_UNKNOWN, f"expected version {VERSION}, got {version}")


def _frame(items: object, latest_ms: int) -> Record:
    if not _is_plain(items):
        frame.from_items(items)
    _, log, seq, epoch, t0, interval_s, count, values = cast(Sequence[int], items)[:8]
    end_s = None if t0 is None else t0 + interval_s * count
    _check_time(t0, end_s, interval_s * count, latest_ms)
    size = len(cast(list[object], values))
    return Record("frame", log, seq, epoch, size // count, size, t0, end_s)


def _is_plain(items: object) -> bool:
    """True for a dated frame without extras and nulls whose values cannot leave their range; False: look closer."""
    if type(items) is not list or len(items) != 8:
        return False
    _, log, seq, epoch, t0, interval_s, count, values = items
    if type(values) is not list or set(map(type, values)) != {int} or set(map(type, items[:7])) != {int}:
        return False
    if not (0 <= log <= 0xFFFFFFFF and 0 <= seq <= 0xFFFFFFFF and 0 <= epoch <= 0xFFFFFFFF):
        return False
    if not (0 <= t0 <= 0xFFFFFFFF and 0 <= interval_s <= 0xFFFFFFFF and 1 <= count <= frame.MAX_RECORDS):
        return False
    columns, rest = divmod(len(values), count)
    largest = max(max(values), -min(values))
    return not rest and 1 <= columns <= frame.MAX_CHANNELS and largest * len(values) <= frame.MAX_VALUE


def _check_time(t0: int | None, end_s: int | None, span_s: int, latest_ms: int) -> None:
    if not 0 < span_s <= SPAN_MAX_S:
        raise Refused(SHAPE, f"expected a frame of at most {SPAN_MAX_S} s, got {span_s}")
    if t0 is None or end_s is None:
        return
    if t0 < EARLIEST_S or end_s * 1000 > latest_ms + FUTURE_S * 1000:
        raise Refused(CLOCK, f"expected {EARLIEST_S} to {latest_ms // 1000 + FUTURE_S} Unix s, got {t0} to {end_s}")


def _record(kind: str, items: object) -> Record:
    fields = records.from_items(kind, items)
    columns = 0
    if kind == "channels":
        columns = len(fields["channels"])
        if not all(denominator for _, _, denominator, _ in fields["channels"]):
            raise Refused(SHAPE, "expected denominators of at least 1, got 0")
    return Record(kind, fields["log"], fields["seq"], columns=columns, fields=fields)
