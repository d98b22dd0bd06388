"""Shim of `machine` for the unix port: what the hal uses, answering like the esp32 port.

reset() ends the process with RESET_EXIT_CODE: whoever started the node starts it again. The cause of the start is kept
in the file `reset.cause`, as a chip keeps it in a register.
"""

import os
import sys
import time

from firmware.virtual.board import Board, read_file

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
RESET_EXIT_CODE = 75
ENODEV, ETIMEDOUT = 19, 116  # what esp32 raises for no acknowledge and for a held bus
_CAUSE_FILE = "reset.cause"

BOARD = Board(read_file())


def __getattr__(name: str) -> object:
    """Load what few nodes use when it is asked for: the shims live in the heap that stands for the chip's."""
    if name == "I2S":
        from firmware.virtual.i2s import I2S

        return I2S
    if name == "UART":
        from firmware.virtual.uart import UART

        return UART
    raise AttributeError(name)


def _take_cause() -> int:
    try:
        with open(_CAUSE_FILE) as file:
            cause = int(file.read())
        os.remove(_CAUSE_FILE)
        return cause
    except (OSError, ValueError):
        return PWRON_RESET


_CAUSE = _take_cause()


def reset_cause() -> int:
    """One of the *_RESET constants."""
    return _CAUSE


def reset(cause: int = HARD_RESET) -> None:
    """End the process so that its starter starts it again."""
    with open(_CAUSE_FILE, "w") as file:
        file.write(str(cause))
    sys.exit(RESET_EXIT_CODE)


class WDT:
    """A watchdog that bites at the next feed: a process cannot be stopped from inside while it hangs."""

    def __init__(self, id: int = 0, timeout: int = 5000) -> None:
        self._timeout_ms = timeout
        self._fed = time.ticks_ms()

    def feed(self) -> None:
        """Reset the node if this comes too late."""
        now = time.ticks_ms()
        if time.ticks_diff(now, self._fed) > self._timeout_ms:
            reset(WDT_RESET)
        self._fed = now


class RTC:
    """The chip's clock: the `time` of this directory follows it."""

    def datetime(self, moment: tuple) -> None:
        """Set the clock: (year, month, day, weekday, hour, minute, second, microsecond) in UTC."""
        wanted = time.mktime(moment[:3] + moment[4:7] + (0, 0, 0))  # as if it were the PC's local time
        time.set_unix_s(2 * wanted - time.mktime(time.gmtime(wanted)[:8] + (0,)))


class Pin:
    """A pin number; nothing virtual needs its level."""

    IN, OUT, PULL_UP = 1, 3, 2

    def __init__(self, id: int, mode: int = -1, pull: int = -1, value: int = 0) -> None:
        self.id = id
        self._value = value

    def value(self, level: object = None) -> object:
        """Return the level, or set it."""
        if level is None:
            return self._value
        self._value = int(level)
        return None


class Counter:
    """Counts the pulses of the model that is wired to the pin, from now on."""

    def __init__(self, id: int, src: Pin, filter_ns: int = 0) -> None:
        self._source = BOARD.counter(src.id)
        self._start = self._source.pulses() if self._source else 0

    def value(self) -> int:
        """Pulses since the counter was made; a pin with nothing wired to it stays at 0."""
        return self._source.pulses() - self._start if self._source else 0


class I2C:
    """A bus with the models that virtual.json hangs on it."""

    def __init__(self, id: int = 0, scl: object = None, sda: object = None, freq: int = 400000) -> None:
        self._devices = BOARD.devices(id)

    def scan(self) -> list:
        """Addresses that answer."""
        return [address for address in sorted(self._devices) if self._devices[address].fault() != "nack"]

    def writeto(self, address: int, data: bytes, stop: bool = True) -> int:
        """Write to a device; returns the acknowledged bytes."""
        self._device(address).write(bytes(data))
        return len(data)

    def readfrom_into(self, address: int, buf: bytearray, stop: bool = True) -> None:
        """Fill `buf` from a device."""
        device = self._device(address)
        answer = device.read(len(buf))
        if device.fault() == "bad_crc":
            answer = answer[:2] + bytes((answer[2] ^ 1,)) + answer[3:]
        buf[:] = answer

    def _device(self, address: int) -> object:
        device = self._devices.get(address)
        fault = device.fault() if device else "nack"
        if fault == "nack":
            raise OSError(ENODEV)
        if fault == "timeout":
            raise OSError(ETIMEDOUT)
        return device
