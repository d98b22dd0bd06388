"""SHT45 at byte level: an order, a measurement of 8.3 ms in which it acknowledges nothing, two words. Model only.

Faults: nack, timeout, stuck (the bus), bad_crc, frozen and still (always the same), brown_out.
"""

import struct

from firmware.virtual.models import ENODEV, Draws, Part, with_crc
from firmware.virtual.models.air import HUMIDITY, TEMPERATURE, Air

MEASURE_MS = 9


def make(board: object) -> object:
    """The model on `board`."""
    return Sht45(board)


class Sht45(Part):
    """One sensor; `board` gives time, seed and faults."""

    name = "sht45"

    def __init__(self, board: object) -> None:
        super().__init__(board)
        self._air = Air(board)
        self._noise = Draws(board.seed, 14)
        self._last = b""
        self.power_on()

    def power_on(self) -> None:
        """No order."""
        self._ready_at_ms = None

    def write(self, data: bytes) -> None:
        """Take an order: FD measures, 94 resets."""
        if data not in (b"\xfd", b"\x94") or self._busy():
            raise OSError(ENODEV)
        self._ready_at_ms = self._board.elapsed_ms() + MEASURE_MS if data == b"\xfd" else None

    def read(self, count: int) -> bytes:
        """Give the measurement once."""
        if self._ready_at_ms is None or self._busy():
            raise OSError(ENODEV)
        self._ready_at_ms = None
        if self.fault() not in ("frozen", "still") or not self._last:
            self._last = self._measure()
        return (with_crc(self._last) + b"\xff" * count)[:count]

    def _busy(self) -> bool:
        return self._ready_at_ms is not None and self._board.elapsed_ms() < self._ready_at_ms

    def _measure(self) -> bytes:
        air = self._air.now()
        temperature = (air[TEMPERATURE] + 4500) * 65535 // 17500 + int(self._noise.between(-5, 5))
        humidity = (air[HUMIDITY] + 600) * 65535 // 12500 + int(self._noise.between(-5, 5))
        return struct.pack(">2H", temperature, humidity)
