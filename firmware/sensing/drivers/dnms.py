"""DNMS, the sound level sensor of sensor.community (Teensy with a MEMS microphone), I2C 0x55.

Commands, answers and their order as airRohr's firmware uses them (hbitter/DNMS, NodeMCU `dnms_i2c.h` and
`fetchSensorDNMS`; facts only): 0001 reset, 0002 version, 0003 close the interval and calculate, 0004 ready (one word,
not zero when ready, asked every 2 ms up to 20 times), 0005 read 6 words: LAeq, LAmin, LAmax as big-endian float32.
Words carry Sensirion's CRC. The interval may be 1 s to 3600 s; here it is the second between two reads. The
microphone's sensitivity is set in the Teensy.

What the numbers are: LAeq is the energetic mean of the interval. LAmax is the highest of the sensor's own short windows
(125 ms in later firmware), not an exponentially time-weighted maximum: that is the quantity lamax, not lafmax.
"""

import asyncio
import struct

from firmware.sensing.drivers import SensorError
from firmware.sensing.drivers.sensirion import Words
from firmware.wire import quality
from firmware.wire.quantities import QUANTITIES

ADDRESS = 0x55
RESET, CALCULATE, DATA_READY, READ_LEVELS = 0x0001, 0x0003, 0x0004, 0x0005
POLL_MS, POLLS = 2, 20
RESET_MS = 100
SETTLE_READS = 1  # the first interval reaches back to the reset
# ICS-43434: self-noise 29 dBA adds more than 1 dB below 35 dBA; overload at 120 dB SPL, usable to 116 dBA.
MIN_DB, MAX_DB = 35.0, 116.0


def open(row: dict, buses):
    """The driver for `{"driver": "dnms", "bus": N}`."""
    return Dnms(buses.i2c(row["bus"]))


class Dnms:
    """See `firmware.sensing.drivers` for the protocol. The percentiles come from the LAeq of each second."""

    inputs = ("laeq", "lamax")
    channels = (("lamax", 1), ("la10", 0), ("laeq", 0), ("la50", 0), ("la90", 0), ("la99", 0))

    def __init__(self, i2c) -> None:
        self._words = Words(i2c, ADDRESS, 6)
        self._float = bytearray(4)
        self._reads = 0

    async def start(self) -> None:
        """Reset the sensor and begin the first interval."""
        self._words.command(RESET)
        await asyncio.sleep_ms(RESET_MS)
        self._words.command(CALCULATE)
        self._reads = 0

    async def read(self, values: list, flags: list, at: int) -> None:
        """Close the interval since the last read and fill its LAeq and maximum; SensorError when it is never ready."""
        self._reads += 1
        self._words.command(CALCULATE)
        await self._ready()
        await self._words.query(READ_LEVELS, 6, POLL_MS)
        self._convert(0, values, flags, at, "laeq")
        self._convert(4, values, flags, at + 1, "lamax")

    async def _ready(self) -> None:
        for _ in range(POLLS):
            await self._words.query(DATA_READY, 1, POLL_MS)
            if self._words.unsigned(0):
                return
        raise SensorError("expected levels within %d ms, got none" % (POLLS * POLL_MS))

    def _convert(self, word: int, values: list, flags: list, at: int, name: str) -> None:
        self._words.copy_bytes(word, self._float)
        level_db = struct.unpack(">f", self._float)[0]
        if self._reads <= SETTLE_READS:
            flags[at] |= quality.WARM_UP
        elif not 0.0 < level_db < 200.0:  # NaN and infinity too: no comparison with them is true
            flags[at] |= quality.FAULT
        else:
            flags[at] |= 0 if MIN_DB <= level_db <= MAX_DB else quality.OUT_OF_RANGE
            values[at] = int(level_db * QUANTITIES[name][1] + 0.5)
