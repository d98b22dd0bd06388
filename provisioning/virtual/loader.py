"""The ROM loader of a virtual board: `esp32-mock-bootloader` over our line and our flash.

That package keeps one flash of 4 MB and one MAC for all; a board is a process of its own, so here it is told about the
board's own before it starts.
"""

import mmap
import threading
from collections.abc import Callable
from pathlib import Path

from esp32_mock_bootloader import protocol, registers, server

from provisioning.virtual.line import Line

SYNC = bytes([0xC0, 0x00, 0x08, 0x24, 0x00])  # head of the frame that every client sends first, esptool's SYNC
TYPING = b"\r\x03"
BAUD = 460_800
_FLASH_ID = 0x004020  # manufacturer and type; the third byte is the size as a power of two


class Flash(server.FlashImage):  # type: ignore[misc]
    """The flash of a board, kept in a file; `on_erased` is called when all of it was erased."""

    def __init__(self, path: Path, size_bytes: int, on_erased: Callable[[], None]) -> None:
        if not path.exists():
            path.write_bytes(b"\xff" * size_bytes)
        with path.open("r+b") as file:
            blank = mmap.mmap(file.fileno(), size_bytes)
        self.data = blank
        self._on_erased = on_erased
        self._defl_offset = self._plain_offset = 0
        self._decompressor = None

    def erase_all(self) -> None:
        """Erase the chip, and with it what the file system holds."""
        super().erase_all()
        self._on_erased()


class _Connection:
    """What the package's server asks of a transport."""

    def __init__(self, line: Line, first: bytes) -> None:
        self._line = line
        self._first = first

    def set_timeout(self, timeout: float) -> None:
        self._timeout_s = timeout

    def recv(self, size: int) -> bytes:
        data, self._first = self._first or self._line.read(self._timeout_s), b""
        if not data and self._line.connected():
            raise TimeoutError
        # Somebody types: the port was closed and opened again too fast to be seen.
        return b"" if data.startswith(TYPING) else data

    def sendall(self, data: bytes) -> None:
        self._line.write(data)

    def abort_empty_session(self) -> bool:
        return False

    def ignore_eof_for_disconnect(self) -> bool:
        return False

    def close(self) -> None:
        """The line stays; the board goes on with it."""


def become(chip: str, mac: bytes, flash_bytes: int) -> None:
    """Tell the package which board this process is; `chip` in esptool's spelling (esp32s3)."""
    protocol.MOCK_FLASH_ID = (flash_bytes.bit_length() - 1) << 16 | _FLASH_ID
    registers.mac_bytes_for_chip = lambda _: tuple(mac)


def serve(line: Line, chip: str, flash: Flash, first: bytes) -> None:
    """Be the loader for one client, who has sent `first` already, until it closes the port."""
    line.limit_baud = BAUD
    server.handle_client(_Connection(line, first), threading.Event(), chip, exit_on_disconnect=True, flash=flash)
