"""What the sound level meter knows after a second: levels and flags. Pure: buffers and ticks come in.

    >>> meter = Meter(FILTERS["ics43434", 32000], 32000, -260, 290, slot=0)
    >>> meter.feed(slots, ticks_ms)         # whole blocks of 5 ms, as they come
    >>> if meter.take(ticks_ms): meter.laeq, meter.lafmax, meter.lafmin, meter.flags

Level = 10 lg(mean square) + offset. A sensitivity of -26 dBFS means that 94 dB SPL (1 Pa) gives a *sine* 26 dB below a
full-scale sine, whose mean square is half of full scale's: offset = 94 + 26 + 3.01 - 20 lg(2**19), for 20-bit samples.

Sample gaps: an overflow of the DMA is silent, so milliseconds of samples are counted against ticks. The difference
jumps about as DMA and scheduler please; its least value over 160 ms only grows when samples were lost. Lost time is
not measured time: it is in no mean. The second is flagged; a loss in its last 0.3 s flags the next one.
"""

import math
from array import array
from time import ticks_diff

from firmware.sensing.sound import kernels
from firmware.wire import quality

BLOCKS_A_SECOND = 200
BLOCK_MS = 1000 // BLOCKS_A_SECOND
SETTLE_BLOCKS = 100  # thrown away after a start: the microphone's mute ramp and our high-pass filters
SHORT_BLOCKS = 25  # 1/8 s
SHORTS_MAX = 12  # a second that was taken late has more than eight
BLOCKS_MAX = 400  # 2 s untaken: the sums begin anew, so that they stay in two words
GAP_MS = 10  # lost samples that are noticed; also what a clock may drift in ten seconds
WINDOW_BLOCKS = 32  # over which the least lag is sought
DRIFT_MS = 1  # growth of the least lag in a second that is drift
FAST_MS, SLOW_MS = 125, 1000
UNDER_RANGE_ABOVE_NOISE = 60  # 0.1 dB: up to 6 dB above its own noise a microphone reads 1 dB too high or more
DEAD_BELOW_NOISE = 100  # 0.1 dB: no microphone is so quiet; its data line is
_WORD = 1073741824.0  # 2**30
_LEAST_KEY, _MOST_KEY = 0, 0x3FFFFFFF


def _part(tau_ms: int) -> int:
    """A block's share in an exponential average, times 2**16: 1 - exp(-dt / tau)."""
    return math.floor(65536 * (1 - math.exp(-BLOCK_MS / tau_ms)) + 0.5)


def _memory(words: list):  # no type: a kernel takes its address
    return array("i", words)


class Meter:
    """`filters` is a value of FILTERS; sensitivity in 0.1 dBFS (sine) at 94 dB SPL, noise in 0.1 dBA; slot 0 or 1.

    After `take`: laeq, lafmax, lafmin, las (0.1 dB), flags (firmware.wire.quality), energy and blocks (for sums over
    seconds), short_levels[:shorts] (1/8-s LAeq, 0.1 dB), lost_ms, gaps and overloads (since the start).
    """

    def __init__(self, filters: tuple, rate_hz: int, sensitivity: int, noise: int, slot: int = 0) -> None:
        correction_cdb, coefficients = filters
        self.samples = rate_hz // BLOCKS_A_SECOND
        self._c = _memory(list(coefficients) + [slot, self.samples, _part(FAST_MS), _part(SLOW_MS)])
        self._s = _memory([0] * kernels.S_WORDS)
        full_scale_cdb = 2000 * math.log10(1 << 19) + 1000 * math.log10(self.samples)
        self._offset_cdb = 9400 - 10 * sensitivity + 1000 * math.log10(2) - full_scale_cdb + correction_cdb
        self._noise = noise
        self.short_levels = array("h", bytes(2 * SHORTS_MAX))
        self.gaps = self.overloads = 0
        self.laeq = self.lafmax = self.lafmin = self.las = 0
        self.blocks = self.shorts = self.flags = self.lost_ms = 0
        self.energy = 0.0
        self.dead = False
        self.restart()

    def restart(self) -> None:
        """Begin anew, with settling: after a start of the microphone."""
        for i in range(kernels.S_WORDS):
            self._s[i] = 0
        self._settle = SETTLE_BLOCKS
        self._fed_at: int | None = None
        self._lag_ms = 0
        self._least_ms: int | None = None
        self._window_ms: int | None = None
        self._base_ms: int | None = None
        self._window_blocks = 0
        self._clear()

    def feed(self, slots, ticks_ms) -> None:
        """Take whole blocks of DMA slots, array("i") or a bytearray of such; they are overwritten."""
        at, words = 0, 2 * self.samples
        end = len(slots) if isinstance(slots, array) else len(slots) // 4
        while at < end:
            self._block(at, slots)
            at += words
        self._count(end // words, ticks_ms)

    def _block(self, at: int, slots) -> None:
        c, s = self._c, self._s
        kernels.weigh(0, 0, at, slots, c, s)
        if self._settle:
            self._settle -= 1
            return
        kernels.square(at, slots, c, s)
        if s[kernels.NEAR_TOP] & kernels.OVERLOAD_BIT:
            self._overloaded = True
        kernels.add(s)
        kernels.follow(c, s)
        if s[kernels.SHORT_BLOCKS] >= SHORT_BLOCKS:
            self._close_short()
        if s[kernels.BLOCKS] >= BLOCKS_MAX:
            self._clear()

    def _close_short(self) -> None:
        s = self._s
        if self._count_shorts < SHORTS_MAX:
            energy = s[kernels.SHORT_HIGH] * _WORD + s[kernels.SHORT_LOW]
            self.short_levels[self._count_shorts] = self._tenths(energy, SHORT_BLOCKS)
            self._count_shorts += 1
        s[kernels.SHORT_BLOCKS] = s[kernels.SHORT_LOW] = s[kernels.SHORT_HIGH] = 0

    def _count(self, blocks: int, ticks_ms) -> None:
        """Keep the lag of the samples behind the ticks, and its least value over the last whole window."""
        if self._fed_at is not None:
            self._lag_ms += ticks_diff(ticks_ms, self._fed_at) - BLOCK_MS * blocks
            if self._window_ms is None or self._lag_ms < self._window_ms:
                self._window_ms = self._lag_ms
            self._window_blocks += blocks
            if self._window_blocks >= WINDOW_BLOCKS:
                self._least_ms = self._window_ms
                self._window_ms = None
                self._window_blocks = 0
        self._fed_at = ticks_ms

    def take(self) -> bool:
        """Close the second since the last take; False when nothing was measured in it."""
        s = self._s
        self.flags = self._lose() | (quality.WARM_UP if self._settle else 0)
        self.blocks = s[kernels.BLOCKS]
        self.shorts = self._count_shorts
        if self.blocks:
            self.energy = s[kernels.SUM_HIGH] * _WORD + s[kernels.SUM_LOW]
            self.laeq = self._tenths(self.energy, self.blocks)
            fast = kernels.AVERAGES
            self.lafmax = self._of_key(s[fast + kernels.LARGEST])
            self.lafmin = self._of_key(s[fast + kernels.SMALLEST])
            self.las = self._of_key(s[fast + kernels.AVERAGE_WORDS + kernels.KEY])
            self._judge()
        self._clear()
        return self.blocks > 0

    def _lose(self) -> int:
        """Milliseconds lost in this second as `lost_ms`, and the flag."""
        self.lost_ms = 0
        if self._least_ms is not None:
            if self._base_ms is not None and self._least_ms - self._base_ms >= GAP_MS:
                self.lost_ms = self._least_ms - self._base_ms
                self.gaps += 1
                self._base_ms = self._least_ms
            elif self._base_ms is None or self._least_ms < self._base_ms:
                self._base_ms = self._least_ms
            else:
                self._base_ms += min(DRIFT_MS, self._least_ms - self._base_ms)
        return quality.FAULT if self.lost_ms else 0

    def _judge(self) -> None:
        if self._overloaded:
            self.overloads += 1
            self.flags |= quality.OUT_OF_RANGE
        if self.laeq < self._noise + UNDER_RANGE_ABOVE_NOISE:
            self.flags |= quality.OUT_OF_RANGE
        self.dead = self.laeq < self._noise - DEAD_BELOW_NOISE

    def _clear(self) -> None:
        s = self._s
        s[kernels.BLOCKS] = s[kernels.SUM_LOW] = s[kernels.SUM_HIGH] = 0
        for i in range(kernels.AVERAGES, kernels.S_WORDS, kernels.AVERAGE_WORDS):
            s[i + kernels.LARGEST] = _LEAST_KEY
            s[i + kernels.SMALLEST] = _MOST_KEY
        self._count_shorts = 0
        self._overloaded = False

    def level_cdb(self, energy: float, blocks: int) -> float:
        """The level in 0.01 dB of an energy summed over that many blocks."""
        return 1000 * math.log10(energy / blocks) + self._offset_cdb

    def _tenths(self, energy: float, blocks: int) -> int:
        return math.floor(0.1 * self.level_cdb(energy, blocks) + 0.5)

    def _of_key(self, key: int) -> int:
        exponent = (key >> kernels.KEY_BITS) - kernels.EXPONENT_ZERO
        mantissa = (key & (1 << kernels.KEY_BITS) - 1) << 3
        return self._tenths(mantissa * math.pow(4.0, exponent), 1)
