"""The MicroPython of a virtual board: the unix port on an inner terminal, as REPL or running `main.py`.

That port ends where a chip would restart: the board starts it again and says what a chip would have said.
"""

import os
import pty
import select
import subprocess
import time
import tty
from pathlib import Path

HEAP = "288k"  # an ESP32-S3 beside Wi-Fi and TLS; the models of the sensors live in it too
PROMPT = b">>> "
RAW = b"raw REPL; CTRL-B to exit\r\n>"
_START_S = 10.0


class Interpreter:
    """One process of MicroPython in the directory `vfs`; `script` None is the REPL."""

    def __init__(self, micropython: Path, shims: Path, vfs: Path, script: str | None) -> None:
        self.script = script
        self.raw = False
        self._last = b""
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        environment = {**os.environ, "MICROPYPATH": f"lib:{shims}:.frozen"}
        command = [str(micropython), "-X", f"heapsize={HEAP}", *([script] if script else [])]
        self.process = subprocess.Popen(
            command, cwd=vfs, env=environment, stdin=slave, stdout=slave, stderr=slave, process_group=0
        )
        os.close(slave)

    def fileno(self) -> int:
        """Readable when it has printed something, or has ended."""
        return self._master

    def read(self, timeout_s: float) -> bytes:
        """Return what it printed within `timeout_s`."""
        if not select.select([self._master], [], [], timeout_s)[0]:
            return b""
        try:
            data = os.read(self._master, 4096)
        except OSError:  # EIO: it has ended
            return b""
        self._last = (self._last + data)[-len(data) - len(RAW) :]  # the banner may come in pieces
        self.raw = self.raw or RAW in self._last
        return data

    def write(self, data: bytes) -> None:
        """Type `data`."""
        if b"\x02" in data:
            self.raw, self._last = False, b""
        try:
            os.write(self._master, data)
        except OSError:  # EIO: it has ended
            return

    def read_until(self, ending: bytes) -> bytes:
        """Return what it prints up to and with `ending`, or what came in _START_S."""
        data, give_up_s = b"", time.monotonic() + _START_S
        while ending not in data and time.monotonic() < give_up_s and self.process.poll() is None:
            data += self.read(0.1)
        return data

    def kill(self) -> None:
        """Cut its power."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End it and its terminal."""
        self.kill()
        os.close(self._master)
