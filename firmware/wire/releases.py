"""Releases: what is signed about new code, how its tree is written, and the words of an update.

    root    signed once, when it is built: {0: version, 1: number, 2: name, 3: family, 4: boards, 5: lowest, 6: below,
            7: tree, 8: needs, 9: notes, 10: image or null}
    offer   signed again and again, because it expires: {0: version, 1: SHA-256 of the root's payload, 2: expires}

Both are COSE_Sign1 (see `cose`); a node takes them together in a `down/offer` message, and trusts the offer only beside
the root that it names. Numbers grow: a node refuses one that is not above the one that it has confirmed, so going back
means to sign the old tree under a higher number. `family` names the native code in .mpy files (xtensawin, rv32imc,
x64). The interpreter's version v, as major << 8 | minor, must satisfy lowest <= v < below. `needs` is the lowest number
from which the release can be reached, 0 for any. `image` is [SHA-256, bytes] of a MicroPython image.

**Tree.** `tree` is the SHA-256 of the top directory's text. A directory is a text of one line for each entry,
`citynode-dir 1` first, entries in the order of their names, each line ended by a line feed:

    f <bytes> <SHA-256 in hex> <name>      a file
    d <bytes> <SHA-256 in hex> <name>      a directory: length and sum of its text

**Messages.** The node asks: `up/want` names a tree or an image, the offset, how many chunks of CHUNK_BYTES, and `from`,
the number of the release that it has (0: none; absent for an image). The manager answers with `down/chunk`s of the
bundle that leads from there to the tree (`bundle`), or of the image's bytes, at QoS 0: what does not come is asked for
again. `total` of a chunk is the length of the whole; when it changes, the node begins anew. An offer comes at QoS 0
too, again until the node has reported how it ended. `attempt` grows when a person wants a number tried again that
failed on the node; the node repeats a verdict for an attempt that it knows.

**Reports.** `up/update` says how far the node is with a number: `state` is one of STATES, `reason` the why of an end
or a pause in one line, `bytes` what it has of `total`, `attempt` the one that it follows. Reports that follow fast
are left out but for the last. `up/state` says which number runs now: `release`, 0 for code of no release. Only that
proves an update.

    downloading, verified, installing, rebooting, confirming    on the way, in this order
    deferred       not now, for the reason; the node goes on by itself when it can, without another offer
    succeeded      confirmed, and the floor of numbers raised
    rolled_back    it ran and did not prove itself: the confirmed release runs again
    failed         it could not be fetched or written; nothing was changed
    rejected       the offer is not one that this node may take
"""

from binascii import hexlify, unhexlify

from firmware.wire import VERSION, WireError, cbor
from firmware.wire.progress import (
    CHUNK_BYTES,
    CONFIRMING,
    DEFERRED,
    DOWNLOADING,
    ENDS,
    FAILED,
    INSTALLING,
    REBOOTING,
    REJECTED,
    ROLLED_BACK,
    STATES,
    SUCCEEDED,
    TREE_MAX_BYTES,
    VERIFIED,
)
from firmware.wire.shapes import is_uint, shape

__all__ = (
    "CHUNK_BYTES",
    "CONFIRMING",
    "DEFERRED",
    "DOWNLOADING",
    "ENDS",
    "FAILED",
    "INSTALLING",
    "REBOOTING",
    "REJECTED",
    "ROLLED_BACK",
    "STATES",
    "SUCCEEDED",
    "TREE_MAX_BYTES",
    "VERIFIED",
)

FAMILIES = ("xtensawin", "rv32imc", "x64")
IMAGE_MAX_BYTES = 4 << 20
SIGNED_MAX_BYTES = 1900
DIRECTORY_HEAD = "citynode-dir 1\n"
_NAME = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."


def pack_root(root: dict) -> bytes:
    """Return the payload of a root with the fields that `check_root` returns; WireError when no node would take it."""
    interpreter = root["interpreter"]
    body = {0: VERSION, 1: root["number"], 2: root["name"], 3: root["family"], 4: root["boards"], 5: interpreter[0]}
    body.update({6: interpreter[1], 7: root["tree"], 8: root["needs"], 9: root["notes"], 10: root["image"]})
    payload = cbor.encode(body)
    check_root(payload)
    return payload


def check_root(payload: bytes) -> dict:
    """Return number, name, family, boards, interpreter (lowest, below), tree, needs, notes, image of a root's payload.

    WireError says what is wrong with its form; whether it fits a node is the node's business.
    """
    items = cbor.decode(payload)
    if not isinstance(items, dict) or items.get(0) is False or items.get(0) != VERSION:
        raise WireError("expected a root of version %d" % VERSION)
    number, family, boards, image = items.get(1), items.get(3), items.get(4), items.get(10)
    if not is_uint(number, 27) or not number or not is_uint(items.get(8), 27):
        raise WireError("expected a number from 1 to 2^27, got %s" % shape(number))
    if family not in FAMILIES or not isinstance(boards, list) or not all(isinstance(name, str) for name in boards):
        raise WireError("expected a family and its boards, got %s" % shape(family))
    if not is_uint(items.get(5), 16) or not is_uint(items.get(6), 16):
        raise WireError("expected versions of the interpreter, got %s" % shape(items.get(5)))
    if not _is_text(items.get(2)) or not _is_text(items.get(9)) or not _is_sum(items.get(7)):
        raise WireError("expected name, notes and the sum of a tree in a root")
    if image is not None and not _is_image(image):
        raise WireError("expected an image of at most %d bytes" % IMAGE_MAX_BYTES)
    return {
        "number": number, "name": items[2], "family": family, "boards": boards, "interpreter": (items[5], items[6]),
        "tree": items[7], "needs": items[8], "notes": items[9], "image": image,
    }  # fmt: skip


def pack_offer(root_sha256: bytes, expires_s: int) -> bytes:
    """Return the payload of an offer of the root whose payload has that sum, until `expires_s` (Unix)."""
    return cbor.encode({0: VERSION, 1: root_sha256, 2: expires_s})


def check_offer(payload: bytes) -> tuple:
    """Return (sum of the root's payload, expires in Unix s) of an offer's payload."""
    items = cbor.decode(payload)
    if not isinstance(items, dict) or items.get(0) is False or items.get(0) != VERSION:
        raise WireError("expected an offer of version %d" % VERSION)
    if not _is_sum(items.get(1)) or not is_uint(items.get(2)):
        raise WireError("expected the sum of a root and an expiry, got %s" % shape(items.get(2)))
    return items[1], items[2]


def pack_directory(entries: list) -> bytes:
    """Return the text of a directory of (name, is a directory, bytes, SHA-256) in any order."""
    text = DIRECTORY_HEAD
    for name, is_directory, size, sum_ in sorted(entries):
        text += "%s %d %s %s\n" % ("d" if is_directory else "f", size, hexlify(sum_).decode(), name)
    return text.encode()


def read_directory(text: bytes) -> list:
    """Return [(name, is a directory, bytes, SHA-256)...] of a directory's text; WireError for any other form."""
    lines = bytes(text).split(b"\n")
    if lines[0] + b"\n" != DIRECTORY_HEAD.encode() or lines.pop() != b"":
        raise WireError("expected a directory that begins with %s" % DIRECTORY_HEAD.strip())
    entries: list = []
    for line in lines[1:]:
        entry = read_entry(line)
        if entries and entries[-1][0] >= entry[0]:
            raise WireError("expected entries by name, got %s" % entry[0])
        entries.append(entry)
    return entries


def read_entry(line: bytes) -> tuple:
    """Return (name, is a directory, bytes, SHA-256) of one line of a directory's text, without its line feed."""
    parts = line.split(b" ")
    try:
        kind, size, sum_, name = parts[0], int(parts[1]), unhexlify(parts[2]), parts[3].decode()
    except (ValueError, IndexError):
        raise WireError("expected kind, bytes, sum and name in a line of a directory")
    if len(parts) != 4 or kind not in (b"f", b"d") or len(sum_) != 32:
        raise WireError("expected kind, bytes, sum and name in a line of a directory")
    if not name or name[0] == "." or not all(c in _NAME for c in name):
        raise WireError("expected a plain name in a directory, got %s" % repr(name)[:40])
    if not 0 <= size <= TREE_MAX_BYTES:
        raise WireError("expected at most %d bytes of %s, got %d" % (TREE_MAX_BYTES, name, size))
    return name, kind == b"d", size, sum_


def _is_text(value) -> bool:
    return isinstance(value, str) and len(value.encode()) <= 255


def _is_sum(value) -> bool:
    return isinstance(value, bytes) and len(value) == 32


def _is_image(value) -> bool:
    return isinstance(value, list) and len(value) == 2 and _is_sum(value[0]) and 0 < value[1] <= IMAGE_MAX_BYTES
