"""Patches as `firmware.wire.bundle` defines them: copies of the old file and bytes that are new. Pure.

Greedy: at each place the longest copy that begins with the SEED_BYTES there, continued where the last one ended if
possible. Files of a node are a few kB, so every place of the old file is indexed.
"""

from collections import defaultdict

from firmware.wire.bundle import put_varint

SEED_BYTES = 4
_CANDIDATES = 64  # places looked at for each seed; more cost time and give little


def make(old: bytes, new: bytes) -> bytes:
    """Return the steps that make `new` from `old`; may be longer than `new`."""
    out, literal = bytearray(), bytearray()
    places = _index(old)
    at = end = 0  # in `new`; where the last copy ended in `old`
    while at < len(new):
        start, length = _longest(old, new, at, end, places)
        if length < SEED_BYTES + 2:
            literal.append(new[at])
            at += 1
            continue
        _put_literal(out, literal)
        put_varint(out, length << 1 | 1)
        put_varint(out, _zigzag(start - end))
        end, at = start + length, at + length
    _put_literal(out, literal)
    return bytes(out)


def _index(old: bytes) -> dict[bytes, list[int]]:
    places: dict[bytes, list[int]] = defaultdict(list)
    for at in range(len(old) - SEED_BYTES + 1):
        places[old[at : at + SEED_BYTES]].append(at)
    return places


def _longest(old: bytes, new: bytes, at: int, end: int, places: dict[bytes, list[int]]) -> tuple[int, int]:
    best = (0, 0)
    near = [end + shift for shift in range(-2, 3)] if end else []
    for start in near + places.get(new[at : at + SEED_BYTES], [])[:_CANDIDATES]:
        length = _common(old, new, start, at) if start >= 0 else 0
        if length > best[1]:
            best = (start, length)
    return best


def _common(old: bytes, new: bytes, start: int, at: int) -> int:
    length, most = 0, min(len(old) - start, len(new) - at)
    while length < most and old[start + length] == new[at + length]:
        length += 1
    return length


def _put_literal(out: bytearray, literal: bytearray) -> None:
    if literal:
        put_varint(out, len(literal) << 1)
        out += literal
        literal.clear()


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number - 1) << 1 | 1
