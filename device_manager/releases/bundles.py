"""Bundles as `firmware.wire.bundle` defines them: what leads from one tree to another, deflated. Pure."""

import zlib

from device_manager.releases import patch
from device_manager.releases.tree import Entry, Tree
from firmware.wire.bundle import WINDOW_BITS, put_varint


def make(new: Tree, old: Tree | None = None) -> bytes:
    """Return the bundle that makes `new` on a node that has `old` (None: nothing of use)."""
    stream = bytearray()
    _directory(stream, new, new.top, old, old.top if old else None)
    packer = zlib.compressobj(9, zlib.DEFLATED, -WINDOW_BITS, 9)
    return packer.compress(bytes(stream)) + packer.flush()


def _directory(stream: bytearray, new: Tree, sum_: bytes, old: Tree | None, before: bytes | None) -> None:
    """Append the text of a directory and what is below it; `before` is the sum at the same path in the old tree."""
    if sum_ == before:
        return
    _object(stream, new.objects[sum_], old.objects[before] if old and before else b"")
    known: dict[str, Entry] = {entry[0]: entry for entry in old.entries(before)} if old and before else {}
    for entry in new.entries(sum_):
        name, is_directory, _, wanted = entry
        match = known.get(name)
        if match == entry:
            continue
        same_kind = match is not None and match[1] == is_directory
        there = match[3] if match and same_kind else None
        if is_directory:
            _directory(stream, new, wanted, old, there)
        else:
            _object(stream, new.objects[wanted], old.objects[there] if old and there else b"")


def _object(stream: bytearray, content: bytes, old: bytes) -> None:
    """Append an object: whole, or as a patch of `old` when that is smaller once it is deflated."""
    steps = patch.make(old, content) if old else b""
    is_patch = bool(old) and len(zlib.compress(steps, 9)) < len(zlib.compress(content, 9))
    put_varint(stream, len(content) << 1 | int(is_patch))
    stream += steps if is_patch else content
