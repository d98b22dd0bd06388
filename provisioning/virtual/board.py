"""One virtual board: first a ROM loader, then a REPL, then a running node, all on one serial port.

`board.json`: {"chip": "ESP32-S3", "flash_bytes": 8388608, "mac": "02:00:00:00:00:01", "design": "street",
"fault": null}. Faults to try: "boot button" (its auto-reset circuit does not work), "full" (no
room in its file system), "deaf" (says nothing at all).
"""

import hashlib
import json
import shutil
import zlib
from pathlib import Path
from typing import Any

from esp_idf_defs.partitions import PARTITION_TABLE_OFFSET, PARTITION_TABLE_SIZE, InputError, PartitionTable

from provisioning.virtual import loader
from provisioning.virtual.interpreter import PROMPT, RAW, Interpreter
from provisioning.virtual.line import Line
from provisioning.virtual.wiring import wiring

REPL_BAUD = 115_200
TRACES_S = 7 * 86_400
_TICK_S = 0.02
_HARD_RESET_CODE = 75


class Board:
    """See the module; `micropython` is the unix port, `firmware` a directory with the package `firmware` compiled."""

    def __init__(self, directory: Path, micropython: Path, firmware: Path) -> None:
        self._directory = directory
        self._vfs = directory / "vfs"
        self._micropython = micropython
        self._shims = firmware / "firmware" / "virtual"
        self._board: dict[str, Any] = json.loads((directory / "board.json").read_text("utf-8"))
        self._chip = self._board["chip"].lower().replace("-", "")
        mac = bytes.fromhex(self._board["mac"].replace(":", ""))
        loader.become(self._chip, mac, self._board["flash_bytes"])
        self._flash = loader.Flash(directory / "flash.bin", self._board["flash_bytes"], self._forget_files)
        self._line = Line(directory / "port", REPL_BAUD)
        self._running: Interpreter | None = None

    def run(self) -> None:
        """Be a board until the process ends."""
        while True:
            self._line.limit_baud = REPL_BAUD
            first = self._run_flash()
            loader.serve(self._line, self._chip, self._flash, first)

    def close(self) -> None:
        """Cut the power."""
        (self._directory / "port").unlink(missing_ok=True)
        if self._running:
            self._running.kill()

    def _run_flash(self) -> bytes:
        """Run what the flash holds until a client synchronises; return the bytes with which it does."""
        self._running = running = self._boot()
        seen = b""
        while True:
            self._line.wait(running, _TICK_S)
            came = self._line.read(0)
            seen = (seen + came)[-64 - len(came) :]
            if loader.SYNC in seen and self._board.get("fault") not in ("boot button", "deaf"):
                if running:
                    running.close()
                self._running = None
                return seen[seen.index(loader.SYNC) :]
            self._running = running = self._step(running, came)

    def _step(self, running: Interpreter | None, came: bytes) -> Interpreter | None:
        if running is None or self._board.get("fault") == "deaf":
            return running
        if running.script and b"\x03" in came:
            running = self._repl(running)
            came = came.rpartition(b"\x03")[2]
        if came:
            running.write(came)
        said = running.read(0)
        self._line.write(said)
        if not said and running.process.poll() is not None:
            return self._again(running)
        return running

    def _boot(self) -> Interpreter | None:
        """Start as the chip would: nothing without a whole image, else main.py where there is one, else the REPL."""
        if not self._bootable():
            self._line.write(b"invalid header: 0xffffffff\r\n" * 3)
            return None
        self._solder()
        if (self._vfs / "main.py").exists():
            return Interpreter(self._micropython, self._shims, self._vfs, "main.py")
        return self._repl(None)

    def _repl(self, before: Interpreter | None) -> Interpreter:
        if before:
            before.close()
        repl = Interpreter(self._micropython, self._shims, self._vfs, None)
        self._line.write(repl.read_until(PROMPT))
        return repl

    def _again(self, ended: Interpreter) -> Interpreter | None:
        """The process has ended: by a hard reset, by a soft one, or because main.py is through."""
        reset = self._vfs / "reset.cause"
        if ended.process.returncode == _HARD_RESET_CODE or (not ended.script and reset.exists()):
            ended.close()
            return self._boot()
        if ended.script:
            return self._repl(ended)
        self._line.write(b"MPY: soft reboot\r\n")
        if not ended.raw:
            ended.close()
            return self._boot()
        ended.close()
        repl = Interpreter(self._micropython, self._shims, self._vfs, None)
        repl.read_until(PROMPT)
        repl.write(b"\x01")
        repl.read_until(RAW)
        self._line.write(RAW)
        return repl

    def _bootable(self) -> bool:
        """True when the table can be read and the first app slot holds a whole image (ESP-IDF: its hash is right)."""
        table = self._flash.read(PARTITION_TABLE_OFFSET, PARTITION_TABLE_SIZE)
        try:
            slots = [part for part in PartitionTable.from_binary(table) if part.name == "ota_0"]
        except InputError:
            return False
        if not slots:
            return False
        head = self._flash.read(slots[0].offset, 32)
        length = int.from_bytes(head[28:32], "little") + 32  # a stand-in has one segment; see `image`
        body_bytes = (length + 16) // 16 * 16
        if head[0] != 0xE9 or body_bytes > slots[0].size:
            return False
        body = self._flash.read(slots[0].offset, body_bytes)
        return hashlib.sha256(body).digest() == bytes(self._flash.read(slots[0].offset + body_bytes, 32))

    def _solder(self) -> None:
        """Make the file system as the first start of MicroPython does, and hang the virtual sensors on the pins."""
        package = self._vfs / "lib" / "firmware"
        package.mkdir(parents=True, exist_ok=True)
        shims = package / "virtual"
        if not shims.is_symlink():
            shims.symlink_to(self._shims)
        seed = zlib.crc32(self._board["mac"].encode())
        virtual = {"seed": seed % 10_000, "offset_s": seed % TRACES_S, **wiring(self._board["design"])}
        (self._vfs / "virtual.json").write_text(json.dumps(virtual), "utf-8")
        full = package / "app.mpy.new"
        if self._board.get("fault") == "full" and not full.is_symlink():
            full.symlink_to("/dev/full")

    def _forget_files(self) -> None:
        shutil.rmtree(self._vfs, ignore_errors=True)
