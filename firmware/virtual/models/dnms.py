"""DNMS at byte level: intervals closed by command, a moment until ready, three floats with CRCs.

Replays the trace `levels` (LAeq of whole seconds). An interval takes the seconds of the trace that it covers: LAeq is
their energetic mean, LAmin and LAmax are their extremes. The trace knows nothing shorter than a second, so LAmax here
is the largest 1-s LAeq and lower than a real sensor's.
"""

import math
import struct

from firmware.virtual.models import ENODEV, Draws, Part, with_crc
from firmware.virtual.trace import Trace

READY_MS = 5
LONGEST_S = 120  # seconds of trace that an interval may cover


def make(board: object) -> object:
    """The model on `board`."""
    return Dnms(board)


class Dnms(Part):
    """One sensor; `board` gives time, seed and faults."""

    name = "dnms"

    def __init__(self, board: object) -> None:
        super().__init__(board)
        self._trace = Trace("levels")
        self._louder = int(Draws(board.seed, 2).between(-40, 60))  # 0.1 dB
        self.power_on()

    def power_on(self) -> None:
        """A new interval begins."""
        self._answer = b""
        self._begun_s = self._board.trace_ms() // 1000
        self._ready_at_ms = self._levels = None

    def write(self, data: bytes) -> None:
        """Take a command."""
        handler = _COMMANDS.get(data[0] << 8 | data[1] if len(data) == 2 else -1)
        if handler is None:
            raise OSError(ENODEV)
        self._answer = handler(self) or b""

    def read(self, count: int) -> bytes:
        """Give the answer to the last command."""
        if not self._answer:
            raise OSError(ENODEV)
        return (self._answer + b"\xff" * count)[:count]

    def _reset(self) -> None:
        self.power_on()

    def _calculate(self) -> None:
        now_s = self._board.trace_ms() // 1000
        self._levels = self._summarise(max(self._begun_s, now_s - LONGEST_S), now_s)
        self._begun_s = now_s
        self._ready_at_ms = self._board.elapsed_ms() + READY_MS

    def _summarise(self, first_s: int, end_s: int) -> tuple:
        energy, lowest, highest, seconds = 0.0, 9999, -9999, max(1, end_s - first_s)
        for second in range(first_s, first_s + seconds):
            level = self._trace.nearest(second * 1000)[0] + self._louder
            energy += math.pow(10.0, level / 100.0)
            lowest, highest = min(lowest, level), max(highest, level)
        return 10.0 * math.log10(energy / seconds), lowest / 10.0, highest / 10.0

    def _data_ready(self) -> bytes:
        if self._ready_at_ms is None or self.fault() == "frozen":
            return with_crc(bytes(2))
        return with_crc(bytes((0, self._board.elapsed_ms() >= self._ready_at_ms)))

    def _read_levels(self) -> bytes:
        return with_crc(struct.pack(">3f", *(self._levels or (0.0, 0.0, 0.0))))


_COMMANDS = {
    0x0001: Dnms._reset,
    0x0003: Dnms._calculate,
    0x0004: Dnms._data_ready,
    0x0005: Dnms._read_levels,
}
