"""A serial line: the far end of a pseudo-terminal, held to the speed of a wire.

What is written while nobody has the port open is lost, as on a wire. A byte takes ten bit times.
"""

import errno
import os
import pty
import select
import termios
import time
import tty
from pathlib import Path
from typing import Protocol

CHUNK_BYTES = 512
STALLED_S = 2.0
_BAUDS = {getattr(termios, f"B{baud}"): baud for baud in (9600, 115_200, 230_400, 460_800, 921_600)}


class HasFile(Protocol):
    """What `select` takes."""

    def fileno(self) -> int: ...


class Line:
    """One serial port; `limit_baud` is the fastest that the board's side can, the client's own setting counts below."""

    def __init__(self, link: Path, limit_baud: int) -> None:
        """Open the port and make `link` name it."""
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(slave))
        os.close(slave)
        os.set_blocking(self._master, False)
        self._poll = select.poll()
        self._poll.register(self._master, select.POLLIN)
        self.limit_baud = limit_baud
        self._free_at_s = 0.0

    def connected(self) -> bool:
        """True while a client has the port open."""
        return not any(event & select.POLLHUP for _, event in self._poll.poll(0))

    def wait(self, other: "HasFile | None", timeout_s: float) -> None:
        """Wait until a byte came here or at `other`, at most `timeout_s`."""
        files = [other.fileno()] if other else []
        if self.connected():
            files.append(self._master)
        select.select(files, [], [], timeout_s)

    def read(self, timeout_s: float) -> bytes:
        """Return what came within `timeout_s`, b"" when nothing did or the client has gone."""
        events = self._poll.poll(timeout_s * 1000)
        if not any(event & select.POLLIN for _, event in events):
            if events and timeout_s:
                time.sleep(min(timeout_s, 0.01))  # nobody there: the poll returns at once
            return b""
        try:
            data = os.read(self._master, CHUNK_BYTES)
        except OSError as error:
            if error.errno not in (errno.EIO, errno.EAGAIN):
                raise
            return b""
        self._pace(len(data))
        return data

    def write(self, data: bytes) -> None:
        """Send `data`; it is dropped when nobody listens, or reads nothing for STALLED_S."""
        for at in range(0, len(data), CHUNK_BYTES):
            self._write(data[at : at + CHUNK_BYTES])

    def _write(self, part: bytes) -> None:
        self._pace(len(part))
        give_up_s = time.monotonic() + STALLED_S
        while part and self.connected() and time.monotonic() < give_up_s:
            try:
                part = part[os.write(self._master, part) :]
            except BlockingIOError:
                time.sleep(0.005)

    def _pace(self, count: int) -> None:
        """Wait until the wire has carried `count` bytes after those before."""
        now_s = time.monotonic()
        self._free_at_s = max(now_s, self._free_at_s) + count * 10 / self._baud()
        time.sleep(max(0.0, self._free_at_s - now_s))

    def _baud(self) -> int:
        client = _BAUDS.get(termios.tcgetattr(self._master)[5], 115_200)
        return min(self.limit_baud, client)
