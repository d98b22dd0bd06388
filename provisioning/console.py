"""The REPL of a board: files and checks over the serial line. The only file that knows mpremote.

    with Console.open(port) as console:
        console.install({"main.py": source})

mpremote's Python transport does the raw REPL. Files go as compressed base64, because its own file copy takes four
characters a byte at 115,200 baud; names that already have the right SHA-256 are left alone.
"""

import base64
import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from provisioning import on_board
from provisioning.errors import BenchError

BAUD = 115_200
SILENCE_S = 30
ENTER_S = 8
SOURCE_BYTES = 6_000  # of REPL input at once: the chip holds it as text; the largest file alone takes about as much
SPARE_BYTES = 32_768
ARCHITECTURES = {
    1: "x86", 2: "x64", 3: "armv6", 4: "armv6m", 5: "armv7m", 6: "armv7em", 7: "armv7emsp", 8: "armv7emdp",
    9: "xtensa", 10: "xtensawin", 11: "rv32imc", 12: "rv64imc",
}  # fmt: skip


class Interpreter(NamedTuple):
    """MicroPython on the board: version "1.28.0", version of .mpy files, native architecture, free bytes."""

    version: str
    mpy: int
    architecture: str
    free_bytes: int


class Console:
    """An open raw REPL."""

    def __init__(self, port: str, transport: Any) -> None:
        self._port = port
        self._transport = transport

    @classmethod
    @contextmanager
    def open(cls, port: str) -> Iterator["Console"]:
        """Interrupt what runs on the board and enter its raw REPL; BenchError when nothing answers."""
        transport = None
        try:
            transport = SerialTransport(port, BAUD, timeout=SILENCE_S)
            _enter(transport)
            yield cls(port, transport)
        except (TransportError, OSError, struct.error) as error:
            raise _translated(port, error) from error
        finally:
            if transport is not None:
                _close(transport)

    def about(self) -> Interpreter:
        """Return which interpreter answers."""
        said = self._ask(on_board.ABOUT)
        return Interpreter(said["version"], said["mpy"] & 0xFF, ARCHITECTURES.get(said["mpy"] >> 10, ""), said["free"])

    def hashes(self, names: list[str]) -> dict[str, str]:
        """Return the hex SHA-256 of those of `names` that the board has."""
        self._run(on_board.HASHES)
        found: dict[str, str] = {}
        for at in range(0, len(names), 20):
            found |= self._ask(f"hashes({names[at : at + 20]!r})")
        return found

    def install(self, files: dict[str, bytes], progress: Callable[[int, int], None] = lambda *_: None) -> int:
        """Make the board hold `files`; returns how many had to be sent. BenchError when one does not arrive whole."""
        wanted = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        there = self.hashes(list(files))
        missing = [name for name in files if there.get(name) != wanted[name]]
        self._check_room(sum(len(files[name]) for name in missing))
        self._run(on_board.RECEIVE)
        sent = 0
        for calls in _together([_put(name, files[name]) for name in missing]):
            self._run("\n".join(calls))
            sent += len(calls)
            progress(sent, len(missing))
        arrived = self.hashes(missing)
        for name in missing:
            if arrived.get(name) != wanted[name]:
                todo = "start the same command again; if it stays, change cable or board"
                raise BenchError(expected=f"{name} to arrive whole on {self._port}", got="other bytes", todo=todo)
        return len(missing)

    def self_test(self, seconds: int) -> list[dict[str, Any]]:
        """Run every sensor of node.json for `seconds`; returns what each read last."""
        source = on_board.SELF_TEST.replace("SECONDS", str(seconds))
        lines = self._run(source, timeout_s=seconds + SILENCE_S).decode().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def reset(self) -> None:
        """Reset the board; what is installed runs then."""
        self._transport.exec_raw_no_follow(on_board.RESET)

    def _check_room(self, needed_bytes: int) -> None:
        free_bytes = self.about().free_bytes
        if needed_bytes + SPARE_BYTES > free_bytes:
            got = f"{free_bytes} of {needed_bytes + SPARE_BYTES} bytes free"
            raise BenchError(expected="room in the board's file system", got=got, todo=_erase_todo())

    def _ask(self, source: str) -> Any:
        return json.loads(self._run(source))

    def _run(self, source: str, timeout_s: float = SILENCE_S) -> bytes:
        said, failed = self._transport.exec_raw(source, timeout=timeout_s)
        if failed:
            raise TransportExecError(said, failed.decode("utf-8", "replace"))
        return bytes(said)


def _put(name: str, data: bytes) -> str:
    packer = zlib.compressobj(9, zlib.DEFLATED, 12)
    text = base64.b64encode(packer.compress(data) + packer.flush()).decode()
    return f"put({name!r}, {len(data)}, {text!r})"


def _together(calls: list[str]) -> list[list[str]]:
    """Group calls, in order, into sources of at most about SOURCE_BYTES: each one costs several waits on the line."""
    groups: list[list[str]] = []
    room = 0
    for call in calls:
        if len(call) > room:
            groups.append([])
            room = SOURCE_BYTES
        groups[-1].append(call)
        room -= len(call)
    return groups


def _erase_todo() -> str:
    return "start again with --fresh, which erases the board; if it stays, the board has too little flash"


def _enter(transport: Any) -> None:
    """The first try may meet a node that is just starting."""
    try:
        transport.enter_raw_repl(soft_reset=True, timeout_overall=ENTER_S)
    except TransportError:
        transport.enter_raw_repl(soft_reset=True, timeout_overall=ENTER_S)


def _close(transport: Any) -> None:
    try:
        transport.close()
    except OSError:
        return  # unplugged: there is nothing left to close


def _translated(port: str, error: Exception) -> BenchError:
    if isinstance(error, TransportExecError):
        last = error.error_output.strip().splitlines()[-1:] or ["no reason"]
        if "ENOSPC" in last[0] or "Errno 28" in last[0] or last[0] == "OSError: 28":
            return BenchError(expected=f"room in the file system on {port}", got=last[0], todo=_erase_todo())
        todo = "start the same command again; if it stays, read the board's output with `mpremote`"
        return BenchError(expected=f"MicroPython on {port} to do its part", got=last[0][:120], todo=todo)
    if "raw repl" in str(error) or "OK" in str(error):
        todo = "press RESET on the board and start the same command again; with --fresh it is written anew"
        return BenchError(expected=f"MicroPython's prompt on {port}", got="no answer", todo=todo)
    todo = "check cable and hub, plug the board in again, and start the same command again: it goes on where it was"
    return BenchError(expected=f"the board on {port} to stay connected", got=str(error)[:120], todo=todo)
