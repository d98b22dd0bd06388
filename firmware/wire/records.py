"""Log records: what a node's outbox keeps until the manager has committed it.

Every record is an array whose head `[version, log, seq, ...]` is frozen for all versions, so that a manager can commit
the number of a record that it cannot read (it keeps the bytes with the reason).

    frame     see `frame`
    channels  [version, log, seq, {1: firmware, 2: configuration, 3: interval_s, 4: channels, ?5: calibration}]
    loss      [version, log, seq, {1: first, 2: last, 3: reason}]  records first..last of this log are gone for ever

A channel is [quantity, unit, denominator, sensor]: reading = integer / denominator in unit (UCUM). The seq of a
channels record is the epoch that later frames of the same log name, so a new boot, firmware, configuration or
calibration needs no counter of its own.

    >>> decode("loss", encode_loss(7, 12, 3, 9, "outbox full"))["last"]
    9
"""

from firmware.wire import VERSION, WireError, cbor
from firmware.wire.batch import MAX_BYTES, MAX_CHANNELS
from firmware.wire.messages import check_fields, pack_fields
from firmware.wire.shapes import is_uint, shape

KINDS = ("frame", "channels", "loss")
BODIES = {
    "channels": "1 firmware text, 2 configuration uint, 3 interval_s uint, 4 channels channels, 5 calibration? text",
    "loss": "1 first uint32, 2 last uint32, 3 reason text",
}


def encode_channels(log: int, seq: int, fields: dict) -> bytes:
    """Encode a channels record; `fields` as in BODIES, `channels` a list of [quantity, unit, denominator, sensor]."""
    return _encode("channels", log, seq, fields)


def encode_loss(log: int, seq: int, first: int, last: int, reason: str) -> bytes:
    """Encode the loss of records `first`..`last` (both included)."""
    return _encode("loss", log, seq, {"first": first, "last": last, "reason": reason})


def decode_head(payload: bytes) -> tuple:
    """Return (version, log, seq) of any record of any version, without looking at the rest."""
    if not payload or not 0x83 <= payload[0] <= 0x9B:
        raise WireError("expected a record, an array of 3 or more items, got %d other bytes" % len(payload))
    at = cbor.read_head(payload, 0)[2]
    head = []
    for name in ("version", "log", "seq"):
        major, number, at = cbor.read_head(payload, at)
        if major or number >> 32:
            raise WireError("expected %s as an unsigned integer of 32 bits" % name)
        head.append(number)
    return tuple(head)


def decode(kind: str, payload: bytes) -> dict:
    """Decode a channels or loss record into its fields, with log and seq; WireError says what is wrong."""
    if len(payload) > MAX_BYTES:
        raise WireError("expected a record of at most %d bytes, got %d" % (MAX_BYTES, len(payload)))
    return from_items(kind, cbor.decode(payload))


def from_items(kind: str, items) -> dict:
    """Check the items of a channels or loss record that some CBOR library decoded."""
    if not isinstance(items, list) or len(items) != 4 or not isinstance(items[3], dict):
        raise WireError("expected [version, log, seq, {..}], got %s" % shape(items))
    if items[0] != VERSION or items[0] is False:
        raise WireError("expected contract version %d, got %s" % (VERSION, shape(items[0])))
    if not is_uint(items[1], 32) or not is_uint(items[2], 32):
        raise WireError("expected log and seq as unsigned integers of 32 bits")
    fields = check_fields(BODIES[kind], items[3])
    if kind == "loss" and not fields["first"] <= fields["last"] < items[2]:
        raise WireError("expected first <= last < seq, got %d, %d, %d" % (fields["first"], fields["last"], items[2]))
    fields["log"], fields["seq"] = items[1], items[2]
    return fields


def _encode(kind: str, log: int, seq: int, fields: dict) -> bytes:
    payload = cbor.encode([VERSION, log, seq, pack_fields(BODIES[kind], fields)])
    if len(payload) > MAX_BYTES or len(fields.get("channels", ())) > MAX_CHANNELS:
        raise WireError("expected a record of at most %d bytes, got %d" % (MAX_BYTES, len(payload)))
    return payload
