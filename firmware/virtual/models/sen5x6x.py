"""SEN55 and SEN66 at byte level: command state, data-ready timing, unknown codes while warming up, sticky status.

Faults: nack, timeout, stuck (the bus), bad_crc, frozen (no new data, old values repeat), still (new data that is always
the same), fan (its status bit), brown_out (idle again).
"""

import struct

from firmware.virtual.models import ENODEV, Draws, Part, with_crc
from firmware.virtual.models.air import CO2, HUMIDITY, PM1, PM10, TEMPERATURE, VOC, Air

PERIOD_MS = 1000
CO2_UNKNOWN_MS, NOX_UNKNOWN_MS = 5500, 10500
CLEANING_MS = 10000
FAN, CLEANING = 1 << 4, 1 << 19
NOX = 10


class Sen(Part):
    """One sensor; `board` gives time, seed and faults. A type says `name`, `has_co2`, `STOP_MS` and its commands."""

    has_co2 = False
    STOP_MS = 200
    commands = {}

    def __init__(self, board: object) -> None:
        super().__init__(board)
        self._air = Air(board)
        self._measured = b""
        self._noise = Draws(board.seed, 11)
        self.power_on()

    def power_on(self) -> None:
        """Idle, nothing measured."""
        self._started_ms = None
        self._idle_at_ms = 0
        self._taken = 0  # measurements taken by the host
        self._cleaning_until_ms = 0
        self._status = 0
        self._answer = b""
        self._last = self._unknown()

    def _unknown(self) -> bytes:
        return b"\xff\xff" * 4 + b"\x7f\xff" * 4 + (b"\xff\xff" if self.has_co2 else b"")

    def write(self, data: bytes) -> None:
        """Take a command."""
        handler = self.commands.get(data[0] << 8 | data[1]) if len(data) in (2, 5) else None
        if handler is None or self._board.elapsed_ms() < self._idle_at_ms:
            raise OSError(ENODEV)
        self._answer = handler(self, data[2:]) or b""

    def read(self, count: int) -> bytes:
        """Give the answer to the last command; none is no acknowledge, more than there is reads as FF."""
        if not self._answer:
            raise OSError(ENODEV)
        return (self._answer + b"\xff" * count)[:count]

    def start(self, _: bytes) -> None:
        """Begin to measure."""
        if self._started_ms is None:
            self._started_ms = self._board.elapsed_ms()
            self._taken = 0
            self._last = self._unknown()

    def stop(self, _: bytes) -> None:
        """Idle again, after a while in which nothing is acknowledged."""
        if self._started_ms is not None:
            self._idle_at_ms = self._board.elapsed_ms() + self.STOP_MS
        self._started_ms = None

    def _measurements(self) -> int:
        if self._started_ms is None:
            return 0
        return (self._board.elapsed_ms() - self._started_ms) // PERIOD_MS

    def _fresh(self) -> bool:
        return self._measurements() > self._taken and self.fault() != "frozen"

    def ready(self, _: bytes) -> bytes:
        """Whether there is a new measurement."""
        return with_crc(bytes((0, self._fresh())))

    def values(self, _: bytes) -> bytes:
        """The newest measurement, which is then old."""
        if self._fresh():
            self._taken = self._measurements()
            if self.fault() != "still" or not self._measured:
                self._measured = self._measure()
            self._last = self._measured
        return with_crc(self._last)

    def _measure(self) -> bytes:
        air, age_ms = self._air.now(), self._board.elapsed_ms() - self._started_ms
        humidity = max(0, min(10000, air[HUMIDITY] + int(self._noise.between(-3, 4))))
        temperature = 2 * air[TEMPERATURE] + int(self._noise.between(-3, 4))
        nox = NOX if age_ms >= NOX_UNKNOWN_MS else 0x7FFF
        words = struct.pack(">4H4h", *air[PM1 : PM10 + 1], humidity, temperature, air[VOC], nox)
        co2 = air[CO2] if age_ms >= CO2_UNKNOWN_MS else 0xFFFF
        return words + (struct.pack(">H", co2) if self.has_co2 else b"")

    def read_status(self, _: bytes) -> bytes:
        """The sticky bits."""
        if self.fault() == "fan":
            self._status |= FAN
        if self._board.elapsed_ms() < self._cleaning_until_ms:
            self._status |= CLEANING
        return with_crc(struct.pack(">I", self._status))

    def read_and_clear_status(self, _: bytes) -> bytes:
        """The sticky bits, which are then cleared."""
        answer = self.read_status(b"")
        self._status = 0
        return answer
