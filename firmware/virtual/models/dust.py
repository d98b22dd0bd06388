"""PMS5003 and SDS011 at byte level: frames by themselves, once a second, while their fan runs.

Frames are as those captured in tests/data/uart_frames. How long either says nothing after its supply has dipped
is not known: POWER_ON_MS is an estimate, and a shorter silence would hide from the driver.

Faults: silent, frozen (the same frame for ever), garbage (bytes inserted and lost), half (frames end in the middle),
bad_sum, fan (the PMS says so in its error code, the SDS011 shows clean air), brown_out.
"""

from firmware.virtual.models import Draws, Part
from firmware.virtual.models.air import Air

PERIOD_MS, BEHIND_MS, POWER_ON_MS = 1000, 3000, 4500


class Dust(Part):
    """One sensor; `take()` gives the bytes that it has sent since the last call. A type says name and `frame(air)`."""

    baud = 9600

    def __init__(self, board: object, purpose: int) -> None:
        super().__init__(board)
        self._air = Air(board)
        self.draws = Draws(board.seed, purpose)
        self._next_ms = board.elapsed_ms()
        self._last = b""

    def power_on(self) -> None:
        """Silent until its controller runs."""
        self._next_ms = self._board.elapsed_ms() + POWER_ON_MS

    def write(self, data: bytes) -> None:
        """Orders are for what it does anyway."""

    def take(self) -> bytes:
        """Everything sent since the last call, at most the frames of BEHIND_MS."""
        fault, now, out = self.fault(), self._board.elapsed_ms(), b""
        self._next_ms = max(self._next_ms, now - BEHIND_MS)
        while self._next_ms <= now:
            if fault != "frozen" or not self._last:
                self._last = self.frame(self._air.now(), fault)
            out += self._spoil(self._last, fault)
            self._next_ms += PERIOD_MS
        return out if fault != "silent" else b""

    def _spoil(self, frame: bytes, fault: str) -> bytes:
        at = int(self.draws.between(1, len(frame) - 2))
        if fault == "half":
            return frame[:at]
        if fault == "bad_sum":
            return frame[:at] + bytes((frame[at] ^ 1,)) + frame[at + 1 :]
        if fault == "garbage":
            noise = bytes([int(self.draws.between(0, 255)) for _ in range(3)])
            return frame[:at] + noise + frame[at + 1 :]
        return frame

    def frame(self, air: tuple, fault: str) -> bytes:
        """The report about that air."""
        raise NotImplementedError
