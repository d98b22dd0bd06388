"""A tree of files as content-addressed objects: every directory's text and every file under its SHA-256. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from firmware.wire import WireError, releases

Entry = tuple[str, bool, int, bytes]
"""Name, is a directory, bytes, SHA-256."""


@dataclass(frozen=True)
class Tree:
    """`top` is the sum of the topmost directory's text; `objects` holds the bytes of every sum below it."""

    top: bytes
    objects: Mapping[bytes, bytes]

    def entries(self, directory: bytes) -> list[Entry]:
        """Return the entries of the directory whose text has that sum."""
        return releases.read_directory(self.objects[directory])

    def walk(self, directory: bytes | None = None, path: str = "") -> Iterator[tuple[str, Entry]]:
        """Yield (path, entry) of every file and directory below, in the order in which a node meets them."""
        for entry in self.entries(directory or self.top):
            name, is_directory, _, sum_ = entry
            yield path + name, entry
            if is_directory:
                yield from self.walk(sum_, f"{path}{name}/")

    def files(self) -> dict[str, bytes]:
        """Return the content of every file by its path."""
        return {path: self.objects[entry[3]] for path, entry in self.walk() if not entry[1]}


def build(files: Mapping[str, bytes]) -> Tree:
    """Make the tree of `files` (path -> content); the same files give the same sums."""
    objects: dict[bytes, bytes] = {}
    return Tree(_directory(files, objects), objects)


def load(top: bytes, read: Mapping[bytes, bytes]) -> Tree:
    """Gather a tree from objects; WireError names what is missing, or is not what its sum says."""
    objects: dict[bytes, bytes] = {}
    waiting = [(top, True)]
    while waiting:
        sum_, is_directory = waiting.pop()
        if sum_ not in read or sha256(read[sum_]).digest() != sum_:
            raise WireError(f"expected an object {sum_.hex()[:16]} with that sum, got {_got(sum_, read)}")
        objects[sum_] = read[sum_]
        if is_directory:
            waiting += [(entry[3], entry[1]) for entry in releases.read_directory(read[sum_])]
    return Tree(top, objects)


def _got(sum_: bytes, read: Mapping[bytes, bytes]) -> str:
    return "another content" if sum_ in read else "none"


def _directory(files: Mapping[str, bytes], objects: dict[bytes, bytes]) -> bytes:
    below: dict[str, dict[str, bytes]] = {}
    entries: list[Entry] = []
    for path, content in files.items():
        name, _, rest = path.partition("/")
        if rest:
            below.setdefault(name, {})[rest] = content
        else:
            entries.append((name, False, len(content), _keep(content, objects)))
    for name, inner in below.items():
        sum_ = _directory(inner, objects)
        entries.append((name, True, len(objects[sum_]), sum_))
    return _keep(releases.pack_directory(entries), objects)


def _keep(content: bytes, objects: dict[bytes, bytes]) -> bytes:
    sum_ = sha256(content).digest()
    objects[sum_] = content
    return sum_
