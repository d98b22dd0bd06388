"""Shim of `machine` for the unix port: what the hal uses, answering like the esp32 port.

reset() ends the process with RESET_EXIT_CODE: whoever started the node starts it again. The cause of the start is kept
in the file `reset.cause`, as a chip keeps it in a register: without it the start is a power-on, and what RTC memory
held (`rtc.memory`) is gone. So a launcher that kills a node cuts its power; one that wants to stand for a hard reset
writes `reset.cause` (2, a watchdog is 3) before it starts the node again.
"""

import asyncio
import os
import sys
import time

from firmware.virtual.board import Board, read_file

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
RESET_EXIT_CODE = 75
_CAUSE_FILE = "reset.cause"
_MEMORY_FILE, _MEMORY_BYTES = "rtc.memory", 2048

BOARD = Board(read_file())


def __getattr__(name: str) -> object:
    """Load what few nodes use when it is asked for: the shims live in the heap that stands for the chip's."""
    if name == "I2S":
        from firmware.virtual.i2s import I2S

        return I2S
    if name == "I2C":
        from firmware.virtual.i2c import I2C

        return I2C
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
        _forget_memory()
        return PWRON_RESET


def _forget_memory() -> None:
    try:
        os.remove(_MEMORY_FILE)
    except OSError:
        pass  # nothing was kept


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
    """A watchdog that bites when it was not fed; a process that hangs in one call is bitten when the call ends."""

    def __init__(self, id: int = 0, timeout: int = 5000) -> None:
        self._timeout_ms = timeout
        self._fed = time.ticks_ms()
        self._task = asyncio.create_task(self._watch())

    def feed(self) -> None:
        """Reset the node if this comes too late."""
        self._look()
        self._fed = time.ticks_ms()

    def _look(self) -> None:
        if time.ticks_diff(time.ticks_ms(), self._fed) > self._timeout_ms:
            reset(WDT_RESET)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep_ms(self._timeout_ms // 8 + 1)
            self._look()


class RTC:
    """The chip's clock, which the `time` of this directory follows, and its memory."""

    def memory(self, data: object = None) -> object:
        """Return what is kept, or keep `data` (at most 2048 bytes)."""
        if data is None:
            try:
                with open(_MEMORY_FILE, "rb") as file:
                    return file.read()
            except OSError:
                return b""
        if len(data) > _MEMORY_BYTES:
            raise ValueError("buffer too long")
        with open(_MEMORY_FILE, "wb") as file:
            file.write(data)
        return None

    def datetime(self, moment: tuple) -> None:
        """Set the clock: (year, month, day, weekday, hour, minute, second, microsecond) in UTC."""
        wanted = time.mktime(moment[:3] + moment[4:7] + (0, 0, 0))  # as if it were the PC's local time
        time.set_unix_s(2 * wanted - time.mktime(time.gmtime(wanted)[:8] + (0,)))


class Pin:
    """A pin number with the level that it was given; pins of an I2C bus have the level of its line."""

    IN, OUT, OPEN_DRAIN, PULL_UP = 1, 3, 7, 2

    def __init__(self, id: int, mode: int = -1, pull: int = -1, value: int = 0) -> None:
        self.id = id
        self._value = value

    def value(self, level: object = None) -> object:
        """Return the level, or set it."""
        bus = sys.modules.get("firmware.virtual.i2c")
        line = bus.I2C.lines.get(self.id) if bus else None
        if level is None:
            return line.get() if line else self._value
        self._value = int(level)
        if line:
            line.set(self._value)
        return None


class Counter:
    """Counts the pulses of the model that is wired to the pin, from now on."""

    def __init__(self, id: int, src: Pin, filter_ns: int = 0) -> None:
        self._source = BOARD.counter(src.id)
        self._start = self._source.pulses() if self._source else 0

    def value(self) -> int:
        """Pulses since the counter was made; a pin with nothing wired to it stays at 0."""
        return self._source.pulses() - self._start if self._source else 0
