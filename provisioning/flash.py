"""The ROM loader: what board is this, and write its flash. The only file that knows esptool.

esptool's Python interface works on one open port; a session here is one connection from reset to reset.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import esptool
import serial
from esptool import cmds
from esptool.logger import log
from esptool.util import FatalError

from provisioning.errors import BenchError

LOADER_BAUD = 460_800
CONNECT_ATTEMPTS = 3
BOOT_S = 0.3  # after a reset, before anybody talks to what the flash holds
Part = tuple[int, bytes]
# What esptool says -> what was expected and what to do. The first that is found in its text counts.
_ADVICE = (
    ("could not open port", "a port that can be opened", "check the cable, and that no other program has it open"),
    ("port is busy", "a port that nobody else uses", "close the other program (monitor, mpremote) and start again"),
    ("failed to connect", "a board in its loader", "hold BOOT while plugging in, and use a cable that carries data"),
    ("wrong boot mode", "a board in its loader", "hold BOOT while plugging in, then start again"),
    ("download mode", "a board in its loader", "hold BOOT while plugging in, then start again"),
    ("no serial data", "a board in its loader", "hold BOOT while plugging in, and use a cable that carries data"),
    ("md5", "the flash to hold what was written", "try again with a shorter cable; if it stays, change the board"),
    ("digest mismatch", "the flash to hold what was written", "try again with a shorter cable, or change the board"),
    ("unexpected chip", "an image for this chip", "take the board that the design names"),
    ("does not fit", "an image that fits the flash", "take a board with more flash"),
)
_LOST = "check cable and hub, plug the board in again, and start the same command again: it goes on where it was"


class Found(NamedTuple):
    """What the loader says: chip (ESP32-S3), flash in bytes, and the MAC as aa:bb:cc:dd:ee:ff."""

    chip: str
    flash_bytes: int
    mac: str


def identify(port: str) -> Found:
    """Return what hangs on `port`; it is reset afterwards. BenchError when nothing answers."""
    with _session(port) as esp:
        size = cmds.detect_flash_size(esp)
        found = Found(esp.CHIP_NAME, _bytes(size), ":".join(f"{byte:02x}" for byte in esp.read_mac()))
        _reset(esp)
    return found


def write(port: str, parts: list[Part], done: Callable[[], bool] | None = None) -> bool:
    """Make the flash hold `parts` (offset, bytes) and nothing else; returns False when it did already.

    Compares first when `done` says that they were written once; else erases everything, writes and verifies.
    """
    with _session(port) as esp:
        fresh = not (done and done() and _holds(esp, parts))
        if fresh:
            cmds.write_flash(esp, list(parts), erase_all=True)
            cmds.verify_flash(esp, list(parts))
        _reset(esp)
    return fresh


@contextmanager
def _session(port: str) -> Iterator[Any]:
    """A stub loader at full speed on `port`; errors are translated, the port is closed."""
    log.set_verbosity("silent")
    esp = None
    try:
        esp = esptool.detect_chip(port, connect_attempts=CONNECT_ATTEMPTS)
        esp = cmds.run_stub(esp)
        esp.change_baud(LOADER_BAUD)
        cmds.attach_flash(esp)
        yield esp
    except (FatalError, serial.SerialException, OSError) as error:
        raise _translated(port, error) from error
    finally:
        if esp is not None:
            _close(esp)


def _close(esp: Any) -> None:
    try:
        esp._port.close()
        time.sleep(BOOT_S)
    except OSError:
        return  # unplugged: there is nothing left to close


def _reset(esp: Any) -> None:
    cmds.reset_chip(esp, "hard-reset")


def _holds(esp: Any, parts: list[Part]) -> bool:
    try:
        cmds.verify_flash(esp, list(parts))
    except FatalError:
        return False
    return True


def _bytes(size: str | None) -> int:
    """Return bytes of "8MB" or "512KB", 0 when esptool could not tell."""
    units = {"MB": 1 << 20, "KB": 1 << 10}
    return int(size[:-2]) * units[size[-2:]] if size else 0


def _translated(port: str, error: Exception) -> BenchError:
    said = " ".join(str(error).split())
    for pattern, expected, todo in _ADVICE:
        if pattern in said.lower():
            return BenchError(expected=f"{expected} on {port}", got=said[:120], todo=todo)
    return BenchError(
        expected=f"the board on {port} to stay connected", got=said[:120] or type(error).__name__, todo=_LOST
    )
