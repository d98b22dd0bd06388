"""A bundle and the tree of the running slot become the tree of the other slot; nothing is kept that has not its sum.

What is written is not looked at by anybody before its marker names it, so a power cut needs no care here: the next
start begins anew.
"""

import asyncio
import os
from binascii import hexlify
from hashlib import sha256

import deflate

from firmware.update import UpdateError
from firmware.wire import WireError, bundle, releases

LISTING = ".dir"
_DEFLATE = {(): "expected more of the bundle", (22,): "expected deflated data"}  # EOFError, EINVAL of DeflateIO


async def write(part: str, tree: bytes, old: str, new: str) -> None:
    """Write the tree with that sum to directory `new`: from the bundle in file `part` ('': nothing was sent) and from
    directory `old` ('': the node has nothing to start from). UpdateError names the first file that is wrong."""
    if not part:
        return await Unpacker(None, old, new).run(tree)
    with open(part, "rb") as file:
        await Unpacker(deflate.DeflateIO(file, deflate.RAW, bundle.WINDOW_BITS), old, new).run(tree)


class Unpacker:
    """Walks a tree. `stream` is the bundle, unpacked, or None when nothing was sent; `old` and `new` are directories,
    `old` is '' when the node has no tree to start from."""

    def __init__(self, stream, old: str, new: str) -> None:
        self._stream = stream
        self._old = old
        self._new = new
        self.copied_bytes = self.made_bytes = 0

    async def run(self, tree: bytes) -> None:
        """Write the whole tree; UpdateError names the first file that is not what it must be."""
        wipe(self._new)
        make_directories(self._new)
        await self._directory("", tree, releases.TREE_MAX_BYTES)

    async def _directory(self, path: str, sum_: bytes, most: int) -> None:
        """Write a directory and what is below it. Lines are read one by one: there is no room for all of them."""
        new, old = self._new + path, self._old + path if self._old else ""
        await self._file(path + "/" + LISTING, most, sum_, bool(old) and _sum_of(old + "/" + LISTING) == sum_)
        for line in _lines(new):
            name, is_directory, size, wanted = releases.read_entry(line)
            if is_directory:
                os.mkdir(new + "/" + name)
                await self._directory(path + "/" + name, wanted, size)
            else:
                await self._file(path + "/" + name, size, wanted, bool(old) and _is_listed(old, line))

    async def _file(self, path: str, most: int, wanted: bytes, same: bool) -> None:
        """Write one file: a copy of the old one when that is the same, else the next object of the bundle."""
        old = _open(self._old + path) if self._old else None
        sum_, size = sha256(), 0
        try:
            with open(self._new + path, "wb") as file:
                for piece in _whole(old) if same else self._next(old, most):
                    sum_.update(piece)
                    file.write(piece)
                    size += len(piece)
                    if size % (8 * bundle.BLOCK_BYTES) < len(piece):
                        await asyncio.sleep_ms(0)  # the sampler is due
        except (WireError, EOFError, OSError) as error:
            raise UpdateError("%s: %s" % (path, _DEFLATE.get(error.args[:1], error)))
        finally:
            if old:
                old.close()
        found = sum_.digest()  # once: MicroPython's hash is final then
        if found != wanted:
            raise UpdateError("%s: expected sum %s, got %s" % (path, _short(wanted), _short(found)))
        if same:
            self.copied_bytes += size
        else:
            self.made_bytes += size

    def _next(self, old, most: int):
        if self._stream is None:
            raise WireError("expected nothing new in this tree")
        return bundle.read_object(self._stream, old, most)


def wipe(path: str) -> None:
    """Remove a directory with all that is in it; it may not be there."""
    try:
        names = os.listdir(path)
    except OSError:
        return
    for name in names:
        if os.stat(path + "/" + name)[0] & 0x4000:
            wipe(path + "/" + name)
        else:
            os.remove(path + "/" + name)
    os.rmdir(path)


def make_directories(path: str) -> None:
    """Make a directory and those above it."""
    made = ""
    for part in path.split("/"):
        made = made + "/" + part if made else part
        try:
            os.mkdir(made)
        except OSError:
            pass  # it is there


def _lines(directory: str):
    """Yield the lines of a directory's text, without line feeds; the file is closed while each is worked on."""
    at = len(releases.DIRECTORY_HEAD)
    while True:
        with open(directory + "/" + LISTING, "rb") as file:
            file.seek(at)
            line = file.readline()
        if not line:
            return
        at += len(line)
        yield line[:-1]


def _is_listed(directory: str, line: bytes) -> bool:
    file = _open(directory + "/" + LISTING)
    if not file:
        return False
    with file:
        found = file.readline()
        while found and found[:-1] != line:
            found = file.readline()
    return bool(found)


def _sum_of(path: str) -> bytes:
    sum_ = sha256()
    for piece in _whole(_open(path)):
        sum_.update(piece)
    return sum_.digest()


def _open(path: str):
    try:
        return open(path, "rb")
    except OSError:
        return None


def _whole(file):
    """Yield what is in a file in pieces, and close it."""
    piece = file.read(bundle.BLOCK_BYTES) if file else b""
    while piece:
        yield piece
        piece = file.read(bundle.BLOCK_BYTES)
    if file:
        file.close()


def _short(sum_: bytes) -> str:
    return hexlify(sum_[:4]).decode()
