"""SCD41 at byte level: a reading every 5 s, ready flag among other bits, stop that takes 500 ms. Model only.

Faults: nack, timeout, stuck (the bus), bad_crc, frozen (no new data), still (always the same), brown_out.
"""

import struct

from firmware.virtual.models import ENODEV, Draws, Part, with_crc
from firmware.virtual.models.air import CO2, HUMIDITY, TEMPERATURE, Air

PERIOD_MS, STOP_MS = 5000, 500
OTHER_BITS = 0x8000  # the upper five bits of the ready word mean nothing


def make(board: object) -> object:
    """The model on `board`."""
    return Scd41(board)


class Scd41(Part):
    """One sensor; `board` gives time, seed and faults. `altitude_m` is what it was told."""

    name = "scd41"
    altitude_m = 0

    def __init__(self, board: object) -> None:
        super().__init__(board)
        self._air = Air(board)
        self._noise = Draws(board.seed, 13)
        self.power_on()

    def power_on(self) -> None:
        """Idle, nothing measured."""
        self._started_ms = None
        self._idle_at_ms = self._taken = 0
        self._answer = b""
        self._last = bytes(6)

    def write(self, data: bytes) -> None:
        """Take a command."""
        handler = _COMMANDS.get(data[0] << 8 | data[1]) if len(data) in (2, 5) else None
        if handler is None or self._board.elapsed_ms() < self._idle_at_ms:
            raise OSError(ENODEV)
        self._answer = handler(self, data[2:]) or b""

    def read(self, count: int) -> bytes:
        """Give the answer to the last command."""
        if not self._answer:
            raise OSError(ENODEV)
        return (self._answer + b"\xff" * count)[:count]

    def _start(self, _: bytes) -> None:
        if self._started_ms is not None:
            raise OSError(ENODEV)
        self._started_ms, self._taken = self._board.elapsed_ms(), 0

    def _stop(self, _: bytes) -> None:
        self._started_ms = None
        self._idle_at_ms = self._board.elapsed_ms() + STOP_MS

    def _set_altitude(self, data: bytes) -> None:
        if self._started_ms is not None or with_crc(data[:2]) != data:
            raise OSError(ENODEV)
        self.altitude_m = data[0] << 8 | data[1]

    def _fresh(self) -> bool:
        if self._started_ms is None or self.fault() == "frozen":
            return False
        return (self._board.elapsed_ms() - self._started_ms) // PERIOD_MS > self._taken

    def _ready(self, _: bytes) -> bytes:
        return with_crc(struct.pack(">H", OTHER_BITS | (6 if self._fresh() else 0)))

    def _values(self, _: bytes) -> bytes:
        if not self._fresh():
            raise OSError(ENODEV)  # the buffer is empty
        if self.fault() != "still" or not any(self._last):
            self._last = self._measure()
        self._taken = (self._board.elapsed_ms() - self._started_ms) // PERIOD_MS
        return with_crc(self._last)

    def _measure(self) -> bytes:
        air = self._air.now()
        temperature = (air[TEMPERATURE] + 4500) * 65535 // 17500 + int(self._noise.between(-8, 8))
        humidity = air[HUMIDITY] * 65535 // 10000 + int(self._noise.between(-8, 8))
        return struct.pack(">3H", air[CO2], temperature, max(0, min(65535, humidity)))


_COMMANDS = {
    0x21B1: Scd41._start,
    0x3F86: Scd41._stop,
    0x2427: Scd41._set_altitude,
    0xE4B8: Scd41._ready,
    0xEC05: Scd41._values,
}
