"""Messages: maps with small unsigned keys; key 0 is the contract's version.

FIELDS is the whole definition: kind -> "key field type, ..", where a field with ? may be absent. It is text, because
tables of tuples cost a node 4 kB. Types: uint (64 bit), uint32, bool, text, bytes, sha256 (32 bytes), texts
([text...]), ranges ([[first, last]...]), faults ([[name, count]...]), settings (map of text to uint, bool or text),
channels; `uint|null` may be null. Unknown keys are ignored, so that an old node understands a newer manager. What the
messages of an update mean is in `releases`.

    >>> decode("watermark", encode("watermark", {"log": 7, "next": 12, "want": [[3, 4]]}))["want"]
    [[3, 4]]
"""

from firmware.wire import VERSION, WireError, cbor
from firmware.wire.shapes import is_uint, shape

MESSAGE_MAX_BYTES = 4096
TEXT_MAX_BYTES = 255
WANT_MAX = 32
LINES_MAX = 32
ORDERED = "ordered: "  # begins `last_crash` of a reset that was wanted, which is no crash

FIELDS = {
    "state": (
        "1 online bool, 2 boot uint32, 3 log? uint32, 4 head? uint32, 5 tail? uint32, 6 time? uint|null, "
        "7 firmware? text, 8 release? uint32, 9 board? text, 10 family? text"
    ),
    "health": (
        "1 boot uint32, 2 uptime_s uint, 3 time uint|null, 4 reset_cause text, 5 heap_free uint, "
        "6 heap_floor uint, 7 buffered uint, 8 lost uint, 9 resent uint, 10 bad_watermarks uint, "
        "11 rssi int|null, 12 faults faults, 13 last_error text, 14 unknown uint, 15 last_crash? text, "
        "16 lateness? faults, 17 last_heap_floor? uint, 18 last_lateness? faults, "
        "19 supply_mv? uint, 20 chip_temperature? int"
    ),
    "reply": "1 command uint, 2 ok bool, 3 reason text, 4 lines? texts",
    "watermark": "1 log uint32, 2 next uint32, 3 want ranges, 4 time? uint",
    "desired": "1 revision uint, 2 settings settings",
    "command": "1 id uint, 2 name text, 3 arguments settings, 4 expires uint",
    "chunk": "1 sha256 sha256, 2 offset uint, 3 total uint, 4 data bytes",
    "order": "1 signed bytes",
    "offer": "1 root bytes, 2 offer bytes, 3 attempt? uint32",
    "want": "1 sha256 sha256, 2 offset uint32, 3 count uint32, 4 from? uint32",
    "update": "1 state text, 2 number uint32, 3 reason? text, 4 bytes? uint32, 5 total? uint32, 6 attempt? uint32",
}


def encode(kind: str, fields: dict) -> bytes:
    """Encode `fields` of a message of `kind`; WireError for a missing, unknown or ill-typed field."""
    body = pack_fields(FIELDS[kind], fields)
    body[0] = VERSION
    payload = cbor.encode(body)
    if len(payload) > MESSAGE_MAX_BYTES:
        raise WireError("expected a message of at most %d bytes, got %d" % (MESSAGE_MAX_BYTES, len(payload)))
    return payload


def decode(kind: str, payload: bytes) -> dict:
    """Return the fields of a message; absent optional ones are absent; WireError says what is wrong."""
    if len(payload) > MESSAGE_MAX_BYTES:
        raise WireError("expected a message of at most %d bytes, got %d" % (MESSAGE_MAX_BYTES, len(payload)))
    return from_items(kind, cbor.decode(payload))


def from_items(kind: str, items) -> dict:
    """Check the map of a message that some CBOR library decoded."""
    if not isinstance(items, dict):
        raise WireError("expected a map, got %s" % shape(items))
    if items.get(0) != VERSION or items.get(0) is False:
        raise WireError("expected contract version %d, got %s" % (VERSION, shape(items.get(0))))
    return check_fields(FIELDS[kind], items)


def rows(table: str):
    """Yield (key, field, type, required) of a table as in FIELDS."""
    at = 0
    while at < len(table):  # row by row: a list of all would take 2 kB from a node at once
        end = table.find(",", at) % (len(table) + 1)
        key, name, kind = table[at:end].split()
        yield int(key), name.rstrip("?"), kind, name[-1] != "?"
        at = end + 1


def pack_fields(table: str, fields: dict) -> dict:
    """Return {key: value} for named `fields`, checked against `table`."""
    keys = {name: key for key, name, _, _ in rows(table)}
    for name in fields:
        if name not in keys:
            raise WireError("expected one of %s, got %s" % (", ".join(keys), name))
    body = {keys[name]: fields[name] for name in keys if name in fields}
    check_fields(table, body)
    return body


def check_fields(table: str, body: dict) -> dict:
    """Return {field: value} for a decoded map, checked against `table`; unknown keys are ignored."""
    fields = {}
    for key, name, kind, required in rows(table):
        if key not in body:
            if required:
                raise WireError("expected field %s, got none" % name)
            continue
        value = body[key]
        if not (value is None and kind.endswith("|null")) and not _CHECKS[kind.split("|")[0]](value):
            raise WireError("expected %s as %s, got %s" % (name, kind, shape(value)))
        fields[name] = value
    return fields


def _is_int(value) -> bool:
    return isinstance(value, int) and value is not True and value is not False and -(1 << 63) <= value < 1 << 64


def _is_uint32(value) -> bool:
    return is_uint(value, 32)


def _is_text(value) -> bool:
    return isinstance(value, str) and len(value.encode()) <= TEXT_MAX_BYTES


def _is_bytes(value) -> bool:
    return isinstance(value, (bytes, bytearray))


def _are_rows(value, checks: tuple, most: int) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) > most:
        return False
    for row in value:
        if not isinstance(row, (list, tuple)) or len(row) != len(checks):
            return False
        if not all(check(cell) for check, cell in zip(checks, row)):
            return False
    return True


def _are_ranges(value) -> bool:
    return _are_rows(value, (_is_uint32, _is_uint32), WANT_MAX) and all(first <= last for first, last in value)


def _are_texts(value) -> bool:
    return isinstance(value, (list, tuple)) and len(value) <= LINES_MAX and all(_is_text(text) for text in value)


def _are_settings(value) -> bool:
    if not isinstance(value, dict):
        return False
    return all(_is_text(k) and (v is True or v is False or is_uint(v) or _is_text(v)) for k, v in value.items())


_CHECKS = {
    "uint": is_uint,
    "uint32": _is_uint32,
    "int": _is_int,
    "bool": lambda value: value is True or value is False,
    "text": _is_text,
    "bytes": _is_bytes,
    "sha256": lambda value: _is_bytes(value) and len(value) == 32,
    "ranges": _are_ranges,
    "faults": lambda value: _are_rows(value, (_is_text, is_uint), 32),
    "settings": _are_settings,
    "texts": _are_texts,
    "channels": lambda value: len(value) > 0 and _are_rows(value, (_is_text, _is_text, is_uint, _is_text), 32),
}
