"""Orders: what could take a node away, so it counts only with a signature (see `cose`); the broker merely carries it.

The payload of the signed message is a map {0: version, 1: node, 2: counter, 3: expires, 4: name, 5: arguments}.
`counter` grows from order to order of a node and is never taken twice, so that nothing can be replayed;
`expires` is Unix time.

    change          try other settings, and take them back when the manager is not reached within "within_s" seconds:
                    "revision" (grows), "within_s", and any of "wifi" {ssid, password}, "brokers" [{host, port,
                    server_name}...], "anchors" [DER...], "certificate" DER with "key" DER, "timing" {record_s...},
                    "denied" [SHA-256 of a DER certificate that a broker must not show...]
    decommission    answer, then wipe settings, keys, certificates and readings

    >>> order = make("kempten-01", 7, 1800000000, "decommission", {})
    >>> check(order, "kempten-01", 6, 1799999999)["name"]
    'decommission'
"""

from firmware.wire import VERSION, WireError, cbor
from firmware.wire.shapes import is_uint, shape

NAMES = ("change", "decommission")
ANCHORS_MAX = 4
BROKERS_MAX = 4
DENIED_MAX = 16
TIMING = ("record_s", "frame_s", "frame_records", "resend_s")
_MAX_DEPTH = 4


def make(node: str, counter: int, expires: int, name: str, arguments: dict) -> bytes:
    """Return the payload of an order; WireError when it could not be carried out."""
    payload = cbor.encode({0: VERSION, 1: node, 2: counter, 3: expires, 4: name, 5: arguments})
    check(payload, node, counter - 1, None)
    return payload


def check(payload: bytes, node: str, last: int, now_s: int | None) -> dict:
    """Return {counter, name, arguments} of a payload whose signature was verified.

    WireError unless it is for `node`, newer than counter `last` and not expired (`now_s` None: the time is unknown).
    """
    items = cbor.decode(payload, _MAX_DEPTH)
    if not isinstance(items, dict) or items.get(0) is False or items.get(0) != VERSION:
        raise WireError("expected an order of version %d" % VERSION)
    counter, expires, name, arguments = items.get(2, -1), items.get(3, -1), items.get(4), items.get(5)
    if items.get(1) != node:
        raise WireError("expected an order for %s, got one for %s" % (node, shape(items.get(1))))
    if not is_uint(counter) or not is_uint(expires) or counter <= last:
        raise WireError("expected an order after number %d, got %s" % (last, shape(counter)))
    if now_s is not None and now_s > expires:
        raise WireError("expected an order that is not expired, got %d, now it is %d" % (expires, now_s))
    if name not in NAMES or not isinstance(arguments, dict):
        raise WireError("expected one of %s, got %s" % (", ".join(NAMES), shape(name)))
    if name == "change":
        _check_change(arguments)
    return {"counter": counter, "name": name, "arguments": arguments}


def _check_change(arguments: dict) -> None:
    for name in arguments:
        if name not in _PARTS:
            raise WireError("expected no part %s in a change" % shape(name))
        if not _PARTS[name](arguments[name]):
            raise WireError("expected %s of a change as the contract says" % name)
    if "revision" not in arguments or "within_s" not in arguments:
        raise WireError("expected revision and within_s in a change")
    if ("certificate" in arguments) != ("key" in arguments):
        raise WireError("expected certificate and key together")


def _is_text(value) -> bool:
    return isinstance(value, str) and len(value) < 256


def _is_bytes(value) -> bool:
    return isinstance(value, bytes) and 0 < len(value) < 2000


def _is_wifi(value) -> bool:
    return (
        isinstance(value, dict) and len(value) == 2 and _is_text(value.get("ssid")) and _is_text(value.get("password"))
    )


def _is_broker(row) -> bool:
    if not isinstance(row, dict) or len(row) != 3 or not is_uint(row.get("port"), 16):
        return False
    return _is_text(row.get("host")) and _is_text(row.get("server_name"))


def _is_list(value, most: int, check_item) -> bool:
    return isinstance(value, list) and 0 < len(value) <= most and all(check_item(item) for item in value)


def _is_timing(value) -> bool:
    return isinstance(value, dict) and all(k in TIMING and is_uint(v, 32) and v > 0 for k, v in value.items())


_PARTS = {
    "revision": lambda value: is_uint(value, 32),
    "within_s": lambda value: is_uint(value, 16) and value >= 5,
    "wifi": _is_wifi,
    "brokers": lambda value: _is_list(value, BROKERS_MAX, _is_broker),
    "anchors": lambda value: _is_list(value, ANCHORS_MAX, _is_bytes),
    "certificate": _is_bytes,
    "key": _is_bytes,
    "timing": _is_timing,
    "denied": lambda value: _is_list(value, DENIED_MAX, lambda sum_: _is_bytes(sum_) and len(sum_) == 32),
}
