"""SEN55 at byte level: command state, data-ready timing, unknown codes while warming up, sticky status.

Replays the trace `air`: PM2.5, PM10, temperature and humidity are measured, between two measurements (150 s) the model
draws a straight line. PM1, PM4 and the VOC index are made from them, see traces/SOURCE.md.
"""

import struct

from firmware.virtual.models import ENODEV, Draws, with_crc
from firmware.virtual.trace import Trace

PERIOD_MS = 1000
NOX_UNKNOWN_MS = 10500
CLEANING_MS = 10000
FAN, CLEANING = 1 << 4, 1 << 19
_UNKNOWN = struct.pack(">4H4h", *(4 * [0xFFFF] + 4 * [0x7FFF]))


def make(board: object) -> object:
    """The model on `board`."""
    return Sen55(board)


class Sen55:
    """One sensor; `board` gives time, seed and faults."""

    def __init__(self, board: object) -> None:
        self._board = board
        self._trace = Trace("air")
        draws = Draws(board.seed, 1)
        self._pm_gain = draws.between(0.8, 1.25)
        self._warmer = int(draws.between(-150, 150))  # 0.01 K
        self._started_ms = None
        self._taken = 0  # measurements taken by the host
        self._cleaning_until_ms = 0
        self._status = 0
        self._answer = b""
        self._last = _UNKNOWN

    def fault(self) -> str:
        """The fault of this part now."""
        return self._board.fault("sen55")

    def write(self, data: bytes) -> None:
        """Take a command."""
        command = data[0] << 8 | data[1] if len(data) == 2 else -1
        handler = _COMMANDS.get(command)
        if handler is None:
            raise OSError(ENODEV)
        self._answer = handler(self) or b""

    def read(self, count: int) -> bytes:
        """Give the answer to the last command; none is no acknowledge, more than there is reads as FF."""
        if not self._answer:
            raise OSError(ENODEV)
        return (self._answer + b"\xff" * count)[:count]

    def _start(self) -> None:
        if self._started_ms is None:
            self._started_ms = self._board.elapsed_ms()
            self._taken = 0
            self._last = _UNKNOWN

    def _stop(self) -> None:
        self._started_ms = None

    def _measurements(self) -> int:
        if self._started_ms is None:
            return 0
        return (self._board.elapsed_ms() - self._started_ms) // PERIOD_MS

    def _ready(self) -> bytes:
        fresh = self._measurements() > self._taken and self.fault() != "frozen"
        return with_crc(bytes((0, fresh)))

    def _values(self) -> bytes:
        if self._measurements() > self._taken and self.fault() != "frozen":
            self._taken = self._measurements()
            self._last = self._measure()
        return with_crc(self._last)

    def _measure(self) -> bytes:
        pm2_5, pm10, temperature, humidity = self._trace.at(self._board.trace_ms())
        pm2_5, pm10 = int(pm2_5 * self._pm_gain), int(pm10 * self._pm_gain)
        pm4 = pm2_5 + (pm10 - pm2_5) // 3
        raw_temperature = 2 * (temperature + self._warmer)
        warm = self._board.elapsed_ms() - self._started_ms >= NOX_UNKNOWN_MS
        voc, nox = min(5000, 800 + 2 * pm2_5), 10 if warm else 0x7FFF
        return struct.pack(">4H4h", pm2_5 * 4 // 5, pm2_5, pm4, pm10, humidity, raw_temperature, voc, nox)

    def _read_status(self) -> bytes:
        if self.fault() == "fan":
            self._status |= FAN
        if self._board.elapsed_ms() < self._cleaning_until_ms:
            self._status |= CLEANING
        return with_crc(struct.pack(">I", self._status))

    def _read_and_clear_status(self) -> bytes:
        answer = self._read_status()
        self._status = 0
        return answer

    def _clean_fan(self) -> None:
        if self._started_ms is None:
            raise OSError(ENODEV)
        self._cleaning_until_ms = self._board.elapsed_ms() + CLEANING_MS

    def _name(self) -> bytes:
        return with_crc(b"SEN55" + bytes(27))


_COMMANDS = {
    0x0021: Sen55._start,
    0x0104: Sen55._stop,
    0x0202: Sen55._ready,
    0x03C4: Sen55._values,
    0x5607: Sen55._clean_fan,
    0xD014: Sen55._name,
    0xD206: Sen55._read_status,
    0xD210: Sen55._read_and_clear_status,
}
