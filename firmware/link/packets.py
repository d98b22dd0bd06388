"""MQTT 5 packets that a node needs, as pure functions on buffers (OASIS MQTT Version 5.0; sections in brackets).

Encoders write into the caller's buffer; the fixed header is put right before the body once the length is known, and
(start, end) of the packet in the buffer comes back. The payload of a publish is always at PAYLOAD_AT and its head is
written before it, so that a record can be read from flash straight to its place.

    >>> buf = bytearray(100)
    >>> buf[PAYLOAD_AT : PAYLOAD_AT + 2] = b"hi"
    >>> start, end = publish(buf, b"a/b", 2, packet_id=1, flags=AT_LEAST_ONCE)
    >>> bytes(buf[start:end]).hex()
    '320a0003612f620001006869'

Decoders are strict: an unknown property, a flag that is not defined, a length that does not add up raise PacketError
with the reason code for DISCONNECT. QoS 2, AUTH, UNSUBSCRIBE and topic aliases of the broker are not spoken; it may
not send them to a client that asked for none [3.3.2.3.4, 3.8.3.1]. Our own topic aliases are, as many as it allows.
"""

from firmware.link.receiver import MALFORMED, PROTOCOL_ERROR, PacketError
from firmware.wire import const

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP, DISCONNECT = 2, 3, 4, 9, 13, 14
PINGREQ = b"\xc0\x00"

RETAIN, AT_LEAST_ONCE, DUP = 1, 2, 8  # flags of a publish; without AT_LEAST_ONCE it is QoS 0
SUCCESS = 0x00
DISCONNECT_WITH_WILL = 0x04
FIRST_FAILURE = 0x80
TAKEN_OVER = 0x8E

MESSAGE_EXPIRY, SESSION_EXPIRY, SERVER_KEEPALIVE, WILL_DELAY = 0x02, 0x11, 0x13, 0x18
RECEIVE_MAXIMUM, ALIAS_MAXIMUM, TOPIC_ALIAS, MAXIMUM_PACKET = 0x21, 0x22, 0x23, 0x27

BODY_AT = 5  # room for the longest fixed header
PAYLOAD_AT = 76  # room for the longest head of a publish
LONGEST_TOPIC = PAYLOAD_AT - BODY_AT - 5 - 3 - 5  # packet id and lengths, alias, expiry
_VARIABLE = const(5)
_TEXT = const(6)
_PAIR = const(7)
# Type of every property by its identifier [2.2.2.2]: 0 none, 1, 2 or 4 bytes, 5 variable integer, 6 text or bytes,
# 7 a pair of texts.
_PROPERTY_TYPES = b"\0\1\4\6\0\0\0\0\6\6\0\5\0\0\0\0\0\4\6\2\0\6\6\1\4\1\6\0\6\0\0\6\0\2\2\2\1\1\7\4\1\1\1"


def connect(buf, client_id: bytes, keepalive_s: int, expiry_s: int, receive_maximum: int, maximum_packet: int,
            will_topic: bytes, will: bytes, will_delay_s: int) -> tuple:  # fmt: skip
    """CONNECT [3.1]: clean start 0, user name = client id, a retained will at QoS 1. Return (start, end).

    The broker publishes the will `will_delay_s` after the link broke, unless the node is back by then [3.1.3.2.2].
    """
    at = _put_text(buf, BODY_AT, b"MQTT")
    buf[at] = 5
    buf[at + 1] = 0x80 | 0x20 | 1 << 3 | 0x04  # user name, will retain, will QoS 1, will
    at = _put_uint(buf, at + 2, keepalive_s, 2)
    buf[at] = 5 + 3 + 5  # bytes of properties
    at = _put_property(buf, at + 1, SESSION_EXPIRY, expiry_s, 4)
    at = _put_property(buf, at, RECEIVE_MAXIMUM, receive_maximum, 2)
    at = _put_property(buf, at, MAXIMUM_PACKET, maximum_packet, 4)
    at = _put_text(buf, at, client_id)
    buf[at] = 5  # bytes of will properties
    at = _put_property(buf, at + 1, WILL_DELAY, will_delay_s, 4)
    at = _put_text(buf, at, will_topic)
    at = _put_text(buf, at, will)
    at = _put_text(buf, at, client_id)
    return _close(buf, 0x10, at)


def subscribe(buf, packet_id: int, topic: bytes, qos: int) -> tuple:
    """SUBSCRIBE [3.8] to one filter; retained messages are sent once the subscription is new."""
    at = _put_uint(buf, BODY_AT, packet_id, 2)
    buf[at] = 0
    at = _put_text(buf, at + 1, topic)
    buf[at] = qos
    return _close(buf, 0x82, at + 1)


def publish(buf, topic: bytes, length: int, packet_id: int = 0, flags: int = 0, alias: int = 0,
            expiry_s: int = 0) -> tuple:  # fmt: skip
    """PUBLISH [3.3] of the `length` bytes that are at PAYLOAD_AT already; `flags` are AT_LEAST_ONCE, RETAIN and DUP.

    With an `alias` above 0 the broker remembers it for `topic`, or knows it when `topic` is empty [3.3.2.3.4]. After
    `expiry_s` above 0 the broker drops the message instead of delivering it.
    """
    if len(topic) > LONGEST_TOPIC:
        raise ValueError("expected a topic of at most %d bytes, got %d" % (LONGEST_TOPIC, len(topic)))
    properties = (3 if alias else 0) + (5 if expiry_s else 0)
    body = PAYLOAD_AT - 3 - len(topic) - properties - (2 if flags & AT_LEAST_ONCE else 0)
    at = _put_text(buf, body, topic)
    if flags & AT_LEAST_ONCE:
        at = _put_uint(buf, at, packet_id, 2)
    buf[at] = properties
    if expiry_s:
        at = _put_property(buf, at + 1, MESSAGE_EXPIRY, expiry_s, 4) - 1
    if alias:
        _put_property(buf, at + 1, TOPIC_ALIAS, alias, 2)
    return _close(buf, 0x30 | flags, PAYLOAD_AT + length, body)


def puback(buf, packet_id: int) -> tuple:
    """PUBACK [3.4] with success."""
    return _close(buf, 0x40, _put_uint(buf, BODY_AT, packet_id, 2))


def disconnect(buf, reason: int) -> tuple:
    """DISCONNECT [3.14]; 0x00 keeps the will silent, every other reason has the broker publish it."""
    buf[BODY_AT] = reason
    return _close(buf, 0xE0, BODY_AT + 1)


def read_connack(body: memoryview) -> tuple:
    """(session present, reason, {property: integer}) of CONNACK [3.2]."""
    if len(body) < 3 or body[0] > 1:
        raise PacketError("expected CONNACK of 3 bytes or more with flags 0 or 1, got %d bytes" % len(body))
    found: dict = {}
    if _read_properties(body, 2, found) != len(body):
        raise PacketError("expected the end of CONNACK after its properties")
    if found.get(RECEIVE_MAXIMUM) == 0 or found.get(MAXIMUM_PACKET) == 0:
        raise PacketError("expected a receive maximum and packet size above 0", PROTOCOL_ERROR)
    return body[0] == 1, body[1], found


def read_puback(body: memoryview) -> tuple:
    """(packet id, reason) of PUBACK [3.4]."""
    packet_id = _uint16(body, 0)
    if len(body) == 2:
        return packet_id, SUCCESS
    if len(body) > 3 and _read_properties(body, 3, None) != len(body):
        raise PacketError("expected the end of PUBACK after its properties")
    return packet_id, body[2]


def read_suback(body: memoryview) -> tuple:
    """(packet id, reason) of SUBACK [3.9] for one filter."""
    at = _read_properties(body, 2, None)
    if len(body) != at + 1:
        raise PacketError("expected one reason code in SUBACK, got %d" % (len(body) - at))
    return _uint16(body, 0), body[at]


def read_publish(flags: int, body: memoryview) -> tuple:
    """(topic, packet id, payload view) of PUBLISH [3.3]; the packet id is 0 at QoS 0."""
    qos = flags >> 1 & 3
    if qos > 1 or (flags & 8 and not qos):
        raise PacketError("expected QoS 0 or 1, got flags 0x%x" % flags, PROTOCOL_ERROR if qos == 2 else MALFORMED)
    at = 2 + _uint16(body, 0)
    topic = _text(body, 2, at)
    if not topic or "+" in topic or "#" in topic or "\0" in topic:
        raise PacketError("expected a topic name, got %r" % topic[:40])
    packet_id = 0
    if qos:
        packet_id = _uint16(body, at)
        at += 2
        if not packet_id:
            raise PacketError("expected a packet id above 0", PROTOCOL_ERROR)
    return topic, packet_id, body[_read_properties(body, at, None) :]


def read_disconnect(body: memoryview) -> int:
    """Reason of DISCONNECT [3.14]."""
    if not len(body):
        return SUCCESS
    if len(body) > 1 and _read_properties(body, 1, None) != len(body):
        raise PacketError("expected the end of DISCONNECT after its properties")
    return body[0]


def _close(buf, first: int, end: int, body: int = BODY_AT) -> tuple:
    length = end - body
    start = body - (2 if length < 128 else 3)
    buf[start] = first
    if length < 128:
        buf[start + 1] = length
    else:
        buf[start + 1] = length & 127 | 128
        buf[start + 2] = length >> 7  # below 16384, as every buffer here
    return start, end


def _put_uint(buf, at: int, value: int, size: int) -> int:
    for i in range(size):
        buf[at + i] = value >> 8 * (size - 1 - i) & 0xFF
    return at + size


def _put_property(buf, at: int, identifier: int, value: int, size: int) -> int:
    buf[at] = identifier
    return _put_uint(buf, at + 1, value, size)


def _put_text(buf, at: int, text: bytes) -> int:
    at = _put_uint(buf, at, len(text), 2)
    buf[at : at + len(text)] = text
    return at + len(text)


def _uint16(body: memoryview, at: int) -> int:
    if at + 2 > len(body):
        raise PacketError("expected 2 bytes at %d, got the end" % at)
    return body[at] << 8 | body[at + 1]


def _text(body: memoryview, at: int, end: int) -> str:
    if end > len(body):
        raise PacketError("expected a text up to byte %d, got %d" % (end, len(body)))
    try:
        return bytes(body[at:end]).decode()
    except ValueError:  # UnicodeError on both interpreters
        raise PacketError("expected UTF-8 text at byte %d" % at)


def _variable(body: memoryview, at: int) -> tuple:
    value = 0
    for i in range(4):
        if at + i >= len(body):
            break
        value |= (body[at + i] & 127) << 7 * i
        if body[at + i] < 128:
            return value, at + i + 1
    raise PacketError("expected a variable integer at byte %d" % at)


def _read_properties(body: memoryview, at: int, found: dict | None) -> int:
    """Walk the properties at `at`, put the integers into `found` (when given), return their end."""
    length, at = _variable(body, at)
    end = at + length
    if end > len(body):
        raise PacketError("expected properties up to byte %d, got %d" % (end, len(body)))
    while at < end:
        identifier = body[at]
        kind = _PROPERTY_TYPES[identifier] if identifier < len(_PROPERTY_TYPES) else 0
        if not kind:
            raise PacketError("expected a known property, got 0x%02x" % identifier)
        value, at = _read_property(body, at + 1, kind)
        if found is not None and kind < _TEXT:
            found[identifier] = value
    if at != end:
        raise PacketError("expected properties to end at byte %d, got %d" % (end, at))
    return end


def _read_property(body: memoryview, at: int, kind: int) -> tuple:
    if kind == _VARIABLE:
        return _variable(body, at)
    if kind < _VARIABLE:
        if at + kind > len(body):
            raise PacketError("expected %d bytes at %d, got the end" % (kind, at))
        value = 0
        for i in range(kind):
            value = value << 8 | body[at + i]
        return value, at + kind
    for _ in range(kind - _TEXT + 1):
        at += 2 + _uint16(body, at)
    return 0, at
