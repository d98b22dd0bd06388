"""May this release be installed on this node, and by which steps: pure, from what is wanted and what is there.

>>> steps({"tree": b"t" * 32, "image": None}, {"tree": b"t" * 32, "image": b""})
('unpack', 'swap', 'restart')
"""

from hashlib import sha256

from firmware.update import UpdateError
from firmware.wire import WireError, cbor, const, cose, releases

_KEY_ID_BYTES = const(4)
FETCH_IMAGE, FETCH, UNPACK, SWAP, RESTART = "fetch image", "fetch", "unpack", "swap", "restart"


def open_offer(root: bytes, offer: bytes, keys) -> tuple:
    """Return (fields of the root, expiry in Unix s) of signed messages; UpdateError says which of them is false.

    `keys()` yields the moduli of the keys that may sign releases.
    """
    payload = verified("root", root, keys)
    signed = verified("offer", offer, keys)
    try:
        fields = releases.check_root(payload)
        sum_, expires_s = releases.check_offer(signed)
    except WireError as error:
        raise UpdateError(str(error))
    if sum_ != sha256(payload).digest():
        raise UpdateError("expected an offer of this root, got one of another")
    return fields, expires_s


def verified(what: str, signed: bytes, keys) -> bytes:
    """Return the payload of a signed message; `keys()` as above. Only the key whose id it carries is tried."""
    if len(signed) > releases.SIGNED_MAX_BYTES:
        raise UpdateError("%s: expected at most %d bytes, got %d" % (what, releases.SIGNED_MAX_BYTES, len(signed)))
    try:
        parts = cbor.decode(signed)
        head = parts[1] if isinstance(parts, list) and len(parts) > 1 else None
        named = [key for key in keys() if head == {4: sha256(key).digest()[:_KEY_ID_BYTES]}]
        return cose.verify(signed, named)
    except WireError as error:
        raise UpdateError("%s: %s" % (what, error))


def objection(root: dict, expires_s: int, node: dict) -> str:
    """Return '' when the release may be installed on this node, else the reason why not.

    node    {"now_s": the time, or its floor while nobody told it; "family"; "board", '' when unknown; "interpreter" as
            major << 8 | minor, which a release with an image brings itself; "confirmed": the number that is}
    """
    number, (lowest, below) = root["number"], root["interpreter"]
    if node["now_s"] > expires_s:
        return "expected an offer that is not expired, got %d, now it is %d" % (expires_s, node["now_s"])
    if root["family"] != node["family"]:
        return "expected code for %s, got %s" % (node["family"], root["family"])
    if node["board"] and node["board"] not in root["boards"]:
        return "expected a release for board %s, got one for %s" % (node["board"], ", ".join(root["boards"])[:80])
    if root["image"] is None and not lowest <= node["interpreter"] < below:
        words = (_dotted(node["interpreter"]), _dotted(lowest), _dotted(below))
        return "expected a release for MicroPython %s, got one for %s to below %s" % words
    if number <= node["confirmed"]:
        return "expected a number above %d, got %d" % (node["confirmed"], number)
    if root["needs"] > node["confirmed"]:
        return "expected release %d first, got it on release %d" % (root["needs"], node["confirmed"])
    return ""


def steps(root: dict, installed: dict) -> tuple:
    """Return what is to be done, in order: what is there already is not fetched.

    installed    {"tree": sum of the running slot's tree, or b""; "image": sum of the running image, b"" if unknown}
    """
    image = root["image"] is not None and root["image"][0] != installed["image"]
    fetch = root["tree"] != installed["tree"]
    return ((FETCH_IMAGE,) if image else ()) + ((FETCH,) if fetch else ()) + (UNPACK, SWAP, RESTART)


def _dotted(version: int) -> str:
    return "%d.%d" % (version >> 8, version & 255)
