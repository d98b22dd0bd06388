"""ICS-43434 at the level of bytes: 24 bits, most significant first, in the left of two 32-bit slots of a frame.

Model only: no captured frames. Data format, start-up (zeros for 4462 clocks, then a ramp of 256 frames, here in steps
of a call; data sheet of the ICS-43432, which has the same interface) and sensitivity (-26 dBFS sine at 94 dB SPL) are
the data sheet's. The sound is made: seven tones from 500 Hz to 2 kHz, where microphone and equaliser are flat, as loud
as the trace `levels` says.

Faults: "frozen" (the line repeats a sample), "nack" (no microphone: the pulled-down line reads 0), "brown_out" (it
starts anew once, with the 2**18 clocks of silence that an INMP441 takes).
"""

import math
from array import array

import micropython

from firmware.virtual.models import Draws, Part
from firmware.virtual.trace import Trace

TONES = ((500, -3.2), (600, -2.2), (800, -0.8), (1000, 0.0), (1200, 0.6), (1600, 1.0), (2000, 1.2))  # Hz, A in dB
AMPLITUDE = 3000
STARTUP_CLOCKS, CLOCKS_A_FRAME, RAMP_FRAMES = 4462, 64, 256
INMP441_CLOCKS = 1 << 18
FULL_SCALE_DB = 120.0  # SPL of a sine at full scale
SHIFT = 14


def make(board: object, rate_hz: int) -> object:
    """The model on `board`."""
    return Microphone(board, rate_hz)


@micropython.viper
def _copy(out: ptr32, frames: int, slot: int, table: ptr16, at: int, length: int, gain: int):
    i = 0
    while i < frames:
        v = (((int(table[at]) ^ 0x8000) - 0x8000) * gain) >> 14
        if v > 0x7FFFFF:
            v = 0x7FFFFF
        if v < -0x800000:
            v = -0x800000
        out[2 * i + slot] = v << 8
        out[2 * i + 1 - slot] = 0
        i += 1
        at += 1
        if at == length:
            at = 0


class Microphone(Part):
    """One microphone in `slot`; `board` gives time, seed and faults."""

    name = "microphone"

    def __init__(self, board: object, rate_hz: int, slot: int = 0) -> None:
        super().__init__(board)
        self._slot = slot
        self._begun = self._next = 0  # frames since the clock was started: of its start, and not yet sent
        self._trace = Trace("levels")
        self._louder = int(Draws(board.seed, 2).between(-40, 60))  # 0.1 dB; the same street as the DNMS model's
        self._length = rate_hz // 100  # all tones are multiples of 100 Hz
        draws = Draws(board.seed, 3)
        waves = [(2 * math.pi * hz / rate_hz, draws.between(0, 6.28)) for hz, _ in TONES]
        self._table = array("h", (0 for _ in range(self._length)))
        for i in range(self._length):
            self._table[i] = int(AMPLITUDE * sum([math.sin(w * i + phase) for w, phase in waves]))
        square = sum([math.pow(10, a / 10) for _, a in TONES]) * AMPLITUDE * AMPLITUDE
        self._own_db = FULL_SCALE_DB + 10 * math.log10(square / 2**46)

    def level_db(self) -> float:
        """LAeq of the sound now."""
        return (self._trace.nearest(self._board.trace_ms())[0] + self._louder) / 10

    def power_on(self) -> None:
        """Zeros, then a ramp."""
        self._begun = self._next + INMP441_CLOCKS // CLOCKS_A_FRAME

    def fill(self, buf: bytearray, first: int, frames: int) -> None:
        """Write `frames` frames, from frame number `first` since the clock was started."""
        fault = self.fault()
        self._next = first + frames
        gain = int((1 << SHIFT) * math.pow(10, (self.level_db() - self._own_db) / 20) + 0.5)
        run_in = first - self._begun - STARTUP_CLOCKS // CLOCKS_A_FRAME
        if run_in < RAMP_FRAMES:
            gain = gain * max(0, run_in) // RAMP_FRAMES
        if fault == "nack":
            gain = 0
        at, length = (0, 1) if fault == "frozen" else (first % self._length, self._length)
        _copy(buf, frames, self._slot, self._table, at, length, gain)
