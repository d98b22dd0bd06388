"""I2S MEMS microphone as a sound level meter; see `firmware.sensing.sound`.

    {"name": "noise", "driver": "microphone", "model": "ics43434", "bus": 0, "sck": 5, "ws": 6, "sd": 7}

Optional: "slot" (0 = left, L/R strapped low, the default; 1 = right), "rate_hz" (32000 or 48000), "sensitivity" (0.1
dBFS at 94 dB SPL, from the unit's calibration; else the data sheet's), "equaliser" (a name in FILTERS; else the
model's).
"""

import asyncio
from time import ticks_ms

from firmware.sensing.drivers import SensorError
from firmware.sensing.sound.filters import EQUALISER_IDS, FILTERS
from firmware.sensing.sound.levels import ShortLevels
from firmware.sensing.sound.meter import BLOCK_MS, Meter
from firmware.wire import quality

# model: (0.1 dBFS at 94 dB SPL, own noise in 0.1 dBA); DS-000069 rev 1.2 and DS-INMP441-00 rev 1.1, table 1
MICROPHONES = {"ics43434": (-260, 290), "inmp441": (-260, 330)}
CHUNK_BLOCKS = 4  # 20 ms in RAM
DMA_MS = 120  # an erase of flash stops the chip for about 80 ms
STRAP_CHUNK = 20  # after 400 ms every microphone has started (INMP441: 2**18 clocks)
STILL_SECONDS = 2  # the one in which the line stood still, and the next: filters and F weighting remember it
LEAST_BLOCKS = 100  # a second with less than half of it measured is missing


def open(row: dict, buses):
    """The driver for a row as above; ValueError for an unknown model, equaliser or rate."""
    return Microphone(row, buses)


class Microphone:
    """See `firmware.sensing.drivers` for the protocol.

    The flag FAULT on a present second: samples were lost in it, or the line stood still for 20 ms. WARM_UP
    beside it: the line moves again, as when a microphone starts anew. OUT_OF_RANGE: overload, or within 6 dB of the
    microphone's own noise. `aggregate` makes what a record needs for LAeq and LN of 1/8-s levels.
    """

    inputs = ("laeq", "lafmax", "lafmin")
    channels = (("lafmax", 1), ("la10", 0), ("laeq", 0), ("la50", 0), ("la90", 0), ("la99", 0), ("lafmin", 2))

    def __init__(self, row: dict, buses) -> None:
        model = row["model"]
        if model not in MICROPHONES:
            raise ValueError("expected a model of %s, got %s" % (", ".join(sorted(MICROPHONES)), model))
        sensitivity, noise = MICROPHONES[model]
        sensitivity = row.get("sensitivity", sensitivity)
        equaliser, self._rate_hz = row.get("equaliser", model), row.get("rate_hz", 32000)
        if (equaliser, self._rate_hz) not in FILTERS:
            raise ValueError("expected an equaliser and rate of FILTERS, got %s at %s" % (equaliser, self._rate_hz))
        self._row, self._buses, self._slot = row, buses, row.get("slot", 0)
        self.meter = Meter(FILTERS[equaliser, self._rate_hz], self._rate_hz, sensitivity, noise, self._slot)
        self._buf = bytearray(8 * self.meter.samples * CHUNK_BLOCKS)
        self._view = memoryview(self._buf)
        self._i2s = None
        self._task: asyncio.Task | None = None
        self._error = ""
        self._settling = True
        self._still = self._anew = 0  # seconds that are flagged because the line stood still, and with what
        name = (model, EQUALISER_IDS[equaliser], self._rate_hz, sensitivity / 10)
        self.calibration = "%s, equaliser %d at %d Hz, %.1f dBFS at 94 dB" % name

    def aggregate(self) -> ShortLevels:
        """The record's LAeq and LN from this meter, for the channels of input 0."""
        return ShortLevels(self.meter)

    async def start(self) -> None:
        """Open the bus anew and begin to read it; the first second is not given."""
        if self._task:
            self._task.cancel()
        if self._i2s:
            self._i2s.deinit()
        self._i2s = self._buses.i2s(self._row, self._rate_hz, 8 * self._rate_hz * DMA_MS // 1000)
        self.meter.restart()
        self._error, self._settling, self._still = "", True, 0
        self._task = asyncio.create_task(self._pump(self._i2s))

    async def read(self, values: list, flags: list, at: int) -> None:
        """Close the second; SensorError when nothing came, the line is dead or the strap is wrong."""
        meter = self.meter
        measured = meter.take()
        if self._error:
            raise SensorError(self._error)
        if self._settling:
            self._settling = False
            return self._flag(flags, at, quality.WARM_UP)
        if not measured:
            raise SensorError("expected samples on the I2S bus, got none in a second: check sck, ws and sd")
        if meter.dead:
            raise SensorError("expected the microphone's own noise, got %.1f dB: a dead line" % (meter.laeq / 10))
        if meter.blocks < LEAST_BLOCKS:
            return self._flag(flags, at, quality.FAULT)
        values[at], values[at + 1], values[at + 2] = meter.laeq, meter.lafmax, meter.lafmin
        self._flag(flags, at, meter.flags | (self._anew if self._still else 0))
        self._still = max(0, self._still - 1)

    def _flag(self, flags: list, at: int, bits: int) -> None:
        for i in range(at, at + 3):
            flags[i] |= bits

    async def _pump(self, i2s) -> None:
        """Read chunk after chunk into the one buffer and hand it to the meter."""
        reader, chunks = asyncio.StreamReader(i2s), 0
        try:
            while not self._error:
                await self._fill(reader)
                chunks += 1
                if chunks == STRAP_CHUNK:
                    self._check_strap()
                if self._moves(self._slot):
                    self._anew = quality.FAULT | quality.WARM_UP  # its supply dipped, and it runs again
                else:
                    self._still, self._anew = STILL_SECONDS, quality.FAULT
                self.meter.feed(self._buf, ticks_ms())
        except OSError as error:
            self._error = "expected samples on the I2S bus, got %s" % error

    async def _fill(self, reader) -> None:
        filled, size = 0, len(self._buf)
        while filled < size:
            got = await reader.readinto(self._view[filled:] if filled else self._buf)
            if got:
                filled += got
            else:
                await asyncio.sleep_ms(BLOCK_MS)

    def _check_strap(self) -> None:
        if not self._moves(self._slot) and self._moves(1 - self._slot):
            found = (self._slot, 1 - self._slot)
            self._error = "expected the microphone in slot %d, found it in slot %d: check its L/R strap" % found

    def _moves(self, slot: int) -> bool:
        """Whether the samples of a slot differ; 16 bits of each are enough."""
        buf, first = self._buf, 4 * slot + 1
        for i in range(first, len(buf) - 4, 8):
            if buf[i] != buf[first] or buf[i + 1] != buf[first + 1]:
                return True
        return False
