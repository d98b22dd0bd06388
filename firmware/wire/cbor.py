"""A strict, bounded subset of CBOR (RFC 8949): integers, byte and text strings, arrays, maps, false, true, null.

Encoding is the core deterministic form of section 4.2.1: shortest heads, definite lengths, map keys in ascending order
(keys here are unsigned integers or texts, so numeric and bytewise order agree within a kind).

Decoding refuses everything that a node never needs and an attacker would try: tags, floats, indefinite lengths, heads
longer than necessary, duplicate keys, trailing bytes, depth over `max_depth`, and any length that the remaining bytes
cannot hold, before anything is allocated for it.

    >>> decode(encode([0, {1: "a"}, None, True]))
    [0, {1: 'a'}, None, True]
"""

from firmware.wire import WireError

MAX_DEPTH = 6
_NULL, _FALSE, _TRUE = 0xF6, 0xF4, 0xF5


def put_head(buf: bytearray, at: int, major: int, number: int) -> int:
    """Write the shortest head of `major` (0..7) with argument `number` (0..2**64-1) at `at`; return the end."""
    if number < 24:
        buf[at] = major << 5 | number
        return at + 1
    size = 1 if number < 0x100 else 2 if number < 0x10000 else 4 if number < 0x100000000 else 8
    buf[at] = major << 5 | (24 if size == 1 else 25 if size == 2 else 26 if size == 4 else 27)
    for i in range(size, 0, -1):
        buf[at + i] = number & 0xFF
        number >>= 8
    return at + 1 + size


def encode(value: object) -> bytes:
    """Encode ints (64 bit), str, bytes, bool, None, list, tuple and dict (int or str keys); WireError for the rest."""
    out = bytearray()
    _append(out, value)
    return bytes(out)


def decode(data: bytes, max_depth: int = MAX_DEPTH) -> object:
    """Decode exactly one item that fills `data`; WireError names the byte at fault."""
    value, at = _item(data, 0, max_depth)
    if at != len(data):
        raise WireError("expected the end at byte %d, got %d more bytes" % (at, len(data) - at))
    return value


def _append_head(out: bytearray, major: int, number: int) -> None:
    head = bytearray(9)
    out.extend(head[: put_head(head, 0, major, number)])


def _append(out: bytearray, value: object) -> None:
    if value is None:
        out.append(_NULL)
    elif value is True or value is False:
        out.append(_TRUE if value else _FALSE)
    elif isinstance(value, int):
        _append_int(out, value)
    elif isinstance(value, str):
        raw = value.encode()
        _append_head(out, 3, len(raw))
        out.extend(raw)
    elif isinstance(value, (bytes, bytearray)):
        _append_head(out, 2, len(value))
        out.extend(value)
    elif isinstance(value, (list, tuple)):
        _append_head(out, 4, len(value))
        for item in value:
            _append(out, item)
    elif isinstance(value, dict):
        _append_head(out, 5, len(value))
        for key in sorted(value):
            _append(out, key)
            _append(out, value[key])
    else:
        raise WireError("expected int, str, bytes, bool, None, list or dict, got %s" % type(value))


def _append_int(out: bytearray, value: int) -> None:
    number = value if value >= 0 else -1 - value
    if number >> 64:
        raise WireError("expected an integer of at most 64 bits, got %d" % value)
    _append_head(out, 0 if value >= 0 else 1, number)


def read_head(data: bytes, at: int) -> tuple:
    """Return (major, argument, end) of the head at `at`; refuses cut, overlong and indefinite heads."""
    if at >= len(data):
        raise WireError("expected an item at byte %d, got the end" % at)
    major, info = data[at] >> 5, data[at] & 31
    if info < 24:
        return major, info, at + 1
    if info > 27:
        raise WireError("expected a definite length at byte %d, got head 0x%02x" % (at, data[at]))
    size = 1 << (info - 24)
    if at + 1 + size > len(data):
        raise WireError("expected a %d byte head at byte %d, got the end" % (size, at))
    number = 0
    for i in range(at + 1, at + 1 + size):
        number = number << 8 | data[i]
    if number < 24 or (size > 1 and not number >> (4 * size)):
        raise WireError("expected the shortest head at byte %d, got %d in %d bytes" % (at, number, size))
    return major, number, at + 1 + size


def _item(data: bytes, at: int, depth: int) -> tuple:
    start = at
    if at < len(data) and data[at] >= 0xE0:
        return _simple(data[at], at), at + 1
    major, number, at = read_head(data, at)
    if major == 0:
        return number, at
    if major == 1:
        return -1 - number, at
    if major == 6:
        raise WireError("expected no tag at byte %d, got tag %d" % (start, number))
    if number > len(data) - at:
        raise WireError("expected at most %d items or bytes at byte %d, got %d" % (len(data) - at, start, number))
    if major < 4:
        return _string(data, at, number, major, start), at + number
    if depth == 0:
        raise WireError("expected less nesting at byte %d" % start)
    return _array(data, at, number, depth) if major == 4 else _map(data, at, number, depth)


def _simple(byte: int, at: int) -> object:
    if byte == _NULL:
        return None
    if byte == _TRUE or byte == _FALSE:
        return byte == _TRUE
    raise WireError("expected false, true or null at byte %d, got 0x%02x" % (at, byte))


def _string(data: bytes, at: int, size: int, major: int, start: int) -> object:
    raw = bytes(data[at : at + size])
    if major == 2:
        return raw
    try:
        return raw.decode()
    except ValueError:  # UnicodeError on both interpreters
        raise WireError("expected UTF-8 text at byte %d" % start)


def _array(data: bytes, at: int, count: int, depth: int) -> tuple:
    items = []
    for _ in range(count):
        value, at = _item(data, at, depth - 1)
        items.append(value)
    return items, at


def _map(data: bytes, at: int, count: int, depth: int) -> tuple:
    pairs = {}
    for _ in range(count):
        start = at
        key, at = _item(data, at, 0)
        if key is True or key is False or not isinstance(key, (int, str)) or key in pairs:
            raise WireError("expected a new integer or text key at byte %d, got %s" % (start, repr(key)))
        pairs[key], at = _item(data, at, depth - 1)
    return pairs, at
