"""SPS30 at byte level: start with its argument, data ready once a second, ten floats, status.

Model only on I2C; the floats' order and values are held against frames captured on its UART (tests). Numbers of
particles and typical size are made: the driver does not read them.

Faults: nack, timeout, stuck (the bus), bad_crc, frozen (no new data), still (always the same), fan, brown_out.
"""

import struct

from firmware.virtual.models import ENODEV, Draws, Part, with_crc
from firmware.virtual.models.air import PM1, PM10, Air

FAN = 1 << 4


def make(board: object) -> object:
    """The model on `board`."""
    return Sps30(board)


class Sps30(Part):
    """One sensor; `board` gives time, seed and faults."""

    name = "sps30"

    def __init__(self, board: object) -> None:
        super().__init__(board)
        self._air = Air(board)
        self._noise = Draws(board.seed, 12)
        self.power_on()

    def power_on(self) -> None:
        """Idle, nothing measured."""
        self._started_ms = None
        self._taken = self._status = 0
        self._answer = b""
        self._last = bytes(40)

    def write(self, data: bytes) -> None:
        """Take a command."""
        handler = _COMMANDS.get(data[0] << 8 | data[1]) if len(data) in (2, 5) else None
        if handler is None:
            raise OSError(ENODEV)
        self._answer = handler(self, data[2:]) or b""

    def read(self, count: int) -> bytes:
        """Give the answer to the last command; the master may end it early."""
        if not self._answer:
            raise OSError(ENODEV)
        return (self._answer + b"\xff" * count)[:count]

    def _start(self, data: bytes) -> None:
        if data != with_crc(b"\x03\x00") or self._started_ms is not None:
            raise OSError(ENODEV)
        self._started_ms, self._taken = self._board.elapsed_ms(), 0

    def _stop(self, _: bytes) -> None:
        self._started_ms = None

    def _seconds(self) -> int:
        return 0 if self._started_ms is None else (self._board.elapsed_ms() - self._started_ms) // 1000

    def _ready(self, _: bytes) -> bytes:
        return with_crc(bytes((0, self._seconds() > self._taken and self.fault() != "frozen")))

    def _values(self, _: bytes) -> bytes:
        if self._seconds() > self._taken and self.fault() != "frozen":
            if self.fault() != "still" or not any(self._last):
                self._last = self._measure()
            self._taken = self._seconds()
        return with_crc(self._last)

    def _measure(self) -> bytes:
        masses = [max(0.0, (mass + self._noise.between(-0.4, 0.4)) / 10) for mass in self._air.now()[PM1 : PM10 + 1]]
        return struct.pack(">10f", *masses, *[7 * masses[0]] * 5, 0.7)

    def _version(self, _: bytes) -> bytes:
        return with_crc(b"\x02\x03")

    def _read_status(self, _: bytes) -> bytes:
        if self.fault() == "fan":
            self._status |= FAN
        return with_crc(struct.pack(">I", self._status))

    def _clear_status(self, _: bytes) -> None:
        self._status = 0


_COMMANDS = {
    0x0010: Sps30._start,
    0x0104: Sps30._stop,
    0x0202: Sps30._ready,
    0x0300: Sps30._values,
    0xD100: Sps30._version,
    0xD206: Sps30._read_status,
    0xD210: Sps30._clear_status,
}
