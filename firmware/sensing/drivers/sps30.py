"""Sensirion SPS30: particulate matter, I2C 0x69, mass concentrations as big-endian float32.

Source: Sensirion's sps30 driver as quoted in public code (commands, status bits 4 fan, 5 laser, 21 fan speed),
ESPHome's component sps30. Four of the ten floats are read (24 bytes with CRCs): a master may end the answer
early, and reads of more than 32 bytes break small I2C buffers. I2C transcripts are missing (model only); the floats are
held against frames that were captured on its UART (tests). Status exists from its firmware 2.2 on.
"""

import asyncio
import struct

from firmware.sensing.drivers import SensorError
from firmware.sensing.drivers.repeats import Repeats, blank
from firmware.sensing.drivers.sensirion import Words
from firmware.wire import quality
from firmware.wire.quantities import QUANTITIES

ADDRESS = 0x69
START, FLOATS, STOP, DATA_READY, READ_VALUES = 0x0010, 0x0300, 0x0104, 0x0202, 0x0300
STATUS, CLEAR_STATUS, VERSION = 0xD206, 0xD210, 0xD100
STATUS_SINCE = 0x0202
STOP_MS, READ_MS = 20, 5
WARM_UP_READS = 30  # 8 s at many particles, 30 s at few
STALE_READS = 20  # the weekly cleaning takes 10 s
STUCK_READS = 60
MOST_UG = 1000.0  # the end of the specified range
ERRORS_HIGH, ERRORS_LOW = 1 << 5, 1 << 5 | 1 << 4  # fan speed (21); laser, fan


def open(row: dict, buses):
    """The driver for `{"driver": "sps30", "bus": N}`."""
    return Sps30(buses.i2c(row["bus"]))


class Sps30:
    """See `firmware.sensing.drivers` for the protocol."""

    inputs = ("pm1", "pm2_5", "pm4", "pm10")
    channels = (("pm1", 0), ("pm2_5", 1), ("pm4", 2), ("pm10", 3))

    def __init__(self, i2c) -> None:
        self._words = Words(i2c, ADDRESS, 8)
        self._float = bytearray(4)
        self._repeats = Repeats(24, STUCK_READS)
        self._has_status = False
        self._reads = self._stale = 0

    async def start(self) -> None:
        """Start measuring; a sensor that still measures from before our reset is stopped first."""
        try:
            self._words.command(STOP)
            await asyncio.sleep_ms(STOP_MS)
        except OSError:
            pass  # an idle sensor may refuse the stop; a missing one refuses the next command as well
        await self._words.query(VERSION, 1, READ_MS)
        self._has_status = self._words.unsigned(0) >= STATUS_SINCE
        self._words.write(START, FLOATS)
        await asyncio.sleep_ms(STOP_MS)
        self._reads = self._stale = 0
        self._repeats.restart()

    async def read(self, values: list, flags: list, at: int) -> None:
        """Fill 4 inputs; all missing while there is no new measurement, SensorError when there is none for 20 s."""
        self._reads += 1
        settling = quality.WARM_UP if self._reads <= WARM_UP_READS else 0
        for i in range(at, at + 4):
            flags[i] |= settling
        await self._words.query(DATA_READY, 1, READ_MS)
        if not self._words.unsigned(0) & 0xFF:
            return self._not_ready()
        self._stale = 0
        await self._words.query(READ_VALUES, 8, READ_MS)
        for i in range(4):
            self._convert(i, values, flags, at + i)
        if self._repeats.stuck(self._words.answer):
            blank(values, flags, at, 4)
        if self._has_status:
            await self._read_status(flags, at)

    def _not_ready(self) -> None:
        self._stale += 1
        if self._stale > STALE_READS:
            raise SensorError("expected new data every second, got none for %d s" % self._stale)

    def _convert(self, i: int, values: list, flags: list, at: int) -> None:
        self._words.copy_bytes(2 * i, self._float)
        mass_ug = struct.unpack(">f", self._float)[0]
        if not 0.0 <= mass_ug < 6553.0:  # NaN and infinity too: no comparison with them is true
            flags[at] |= quality.FAULT
            return
        flags[at] |= quality.OUT_OF_RANGE if mass_ug > MOST_UG else 0
        values[at] = int(mass_ug * QUANTITIES["pm1"][1] + 0.5)

    async def _read_status(self, flags: list, at: int) -> None:
        """Bits stay set until they are cleared; a fan that comes back clears its own."""
        await self._words.query(STATUS, 2, READ_MS)
        if self._words.unsigned(0) & ERRORS_HIGH or self._words.unsigned(1) & ERRORS_LOW:
            for i in range(at, at + 4):
                flags[i] |= quality.FAULT
            self._words.command(CLEAR_STATUS)
