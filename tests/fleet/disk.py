"""A disk that loses power: record what a program writes (strace), then lay out what is left at any moment.

`record` runs a single-threaded program under strace and returns its operations on files below one directory, in order,
together with what it printed. `Disk` replays operations; `Disk.after_power_cut` gives the files as a power cut leaves
them: content that was synced, and of what was not synced either nothing or any part of it.

The model is harsher than real disks where it matters (unsynced pages may survive in any combination, also torn at 512
bytes) and trusts one thing: a file exists from its own first fsync on, as on ext4, XFS and APFS.
"""

from __future__ import annotations

import random
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SECTOR_BYTES = 512
CALLS = "openat,close,pwrite64,write,ftruncate,fsync,fdatasync,unlink,unlinkat,rename,dup,fcntl,lseek"
_LINE = re.compile(r"^(\w+)\((.*)\)\s+= (-?\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


class Op(NamedTuple):
    """One operation: write(file, at, data), truncate(file, at), sync(file), remove(file), print(data)."""

    what: str
    file: str = ""
    at: int = 0
    data: bytes = b""


def record(command: list[str], directory: Path, trace: Path, environment: dict[str, str]) -> list[Op]:
    """Run `command` under strace; return what it did to files below `directory` and what it printed to stdout."""
    strace = ["strace", "-f", "-xx", "-s", "1048576", "-e", f"trace={CALLS}", "-o", str(trace)]
    done = subprocess.run([*strace, *command], env=environment, capture_output=True, text=True, timeout=400)
    if done.returncode:
        raise RuntimeError(f"the recorded program ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return list(_parse(trace.read_text("ascii"), str(directory.resolve())))


def _parse(text: str, directory: str):  # type: ignore[no-untyped-def]
    names: dict[int, str] = {}
    for line in text.splitlines():
        line = re.sub(r"^\d+\s+", "", line)
        assert "unfinished" not in line, "expected a single-threaded program"
        match = _LINE.match(line)
        if not match or int(match[3]) < 0:
            continue
        call, arguments, result = match[1], match[2], int(match[3])
        yield from _operation(call, arguments, result, names, directory)


def _operation(call: str, arguments: str, result: int, names: dict[int, str], directory: str):  # type: ignore[no-untyped-def]
    texts = [bytes.fromhex(found.replace("\\x", "")) for found in _TEXT.findall(arguments)]
    descriptor = int(arguments.split(",")[0]) if arguments.split(",")[0].isdigit() else -1
    if call == "openat":
        path = texts[0].decode()
        names.pop(result, None)
        if path.startswith(directory + "/"):
            names[result] = path[len(directory) + 1 :]
    elif call == "close":
        names.pop(descriptor, None)
    elif call in ("unlink", "unlinkat") and texts and texts[0].decode().startswith(directory + "/"):
        yield Op("remove", texts[0].decode()[len(directory) + 1 :])
    elif call == "write" and descriptor == 1:
        yield Op("print", data=texts[0])
    elif descriptor in names:
        yield from _file_operation(call, arguments, names[descriptor], texts)


def _file_operation(call: str, arguments: str, name: str, texts: list[bytes]):  # type: ignore[no-untyped-def]
    if call == "pwrite64":
        yield Op("write", name, int(arguments.rsplit(",", 1)[1]), texts[0])
    elif call == "ftruncate":
        yield Op("truncate", name, int(arguments.split(",")[1]))
    elif call in ("fsync", "fdatasync"):
        yield Op("sync", name)
    elif call in ("write", "rename"):
        raise AssertionError(f"expected only pwrite on database files, got {call} on {name}")


@dataclass
class File:
    """What is safe, and what was done since, in order."""

    synced: bytes | None = None
    pending: list[Op] = field(default_factory=list)


class Disk:
    """Files by name, fed with operations."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}

    def apply(self, op: Op) -> None:
        """Take one operation."""
        if op.what == "print":
            return
        file = self.files.setdefault(op.file, File())
        if op.what == "sync":
            file.synced = _replayed(file.synced or b"", file.pending)
            file.pending.clear()
        elif op.what == "remove":
            self.files.pop(op.file)
        else:
            file.pending.append(op)

    def after_power_cut(self, survivors: random.Random | None) -> dict[str, bytes]:
        """Return the files as found after a cut: nothing unsynced (None), or a random part of it, torn at sectors."""
        found = {}
        for name, file in self.files.items():
            kept = _torn(file.pending, survivors) if survivors else []
            if file.synced is not None or kept:
                found[name] = _replayed(file.synced or b"", kept)
        return found


def _replayed(content: bytes, ops: list[Op]) -> bytes:
    data = bytearray(content)
    for op in ops:
        if op.what == "truncate":
            del data[op.at :]
            data.extend(bytes(op.at - len(data)))
            continue
        data.extend(bytes(max(0, op.at + len(op.data) - len(data))))
        data[op.at : op.at + len(op.data)] = op.data
    return bytes(data)


def _torn(ops: list[Op], survivors: random.Random) -> list[Op]:
    kept = []
    for op in ops:
        fate = survivors.random()
        if fate < 0.4:
            kept.append(op)
        elif fate < 0.7 and op.what == "write":
            first = survivors.randrange(0, len(op.data), SECTOR_BYTES)
            piece = op.data[first : first + survivors.randint(1, 8) * SECTOR_BYTES]
            kept.append(op._replace(at=op.at + first, data=piece))
    return kept
