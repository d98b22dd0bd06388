"""Sensirion SHT45: temperature and humidity, I2C 0x44, one reading an order. Model only: no captured answers.

Source: Datasheet SHT4x (T = -45 + 175 w/65535, RH = -6 + 125 w/65535, clamped to 0..100; FD measures for at most
8.3 ms); docs.rs sht4x-rs 0.1.0. A sensor that is read while it measures does not acknowledge.
"""

import asyncio

from firmware.sensing.drivers import SensorError, scaled
from firmware.sensing.drivers.repeats import Repeats, blank
from firmware.sensing.drivers.sensirion import crc8

ADDRESS = 0x44
MEASURE, MEASURE_MS = b"\xfd", 10
RESET, RESET_MS = b"\x94", 2
STUCK_READS = 30  # 16 bits, and noise of several of them


def open(row: dict, buses):
    """The driver for `{"driver": "sht45", "bus": N}`; optional "every_s" (1)."""
    return Sht45(buses.i2c(row["bus"]), row.get("every_s", 1))


class Sht45:
    """See `firmware.sensing.drivers` for the protocol."""

    inputs = ("temperature", "relative_humidity")
    channels = (("temperature", 0), ("relative_humidity", 1))

    def __init__(self, i2c, period_s: int = 1) -> None:
        self._i2c = i2c
        self.period_s = period_s
        self._answer = bytearray(6)
        self._repeats = Repeats(6, STUCK_READS)
        self._second = 0

    async def start(self) -> None:
        """Reset the sensor; it waits for orders then."""
        self._i2c.writeto(ADDRESS, RESET)
        await asyncio.sleep_ms(RESET_MS)
        self._second = 0
        self._repeats.restart()

    async def read(self, values: list, flags: list, at: int) -> None:
        """Measure and fill 2 inputs, every `period_s` calls; SensorError for a wrong CRC."""
        self._second += 1
        if (self._second - 1) % self.period_s:
            return
        self._i2c.writeto(ADDRESS, MEASURE)
        await asyncio.sleep_ms(MEASURE_MS)
        self._i2c.readfrom_into(ADDRESS, self._answer)
        answer = self._answer
        for i in (0, 3):
            crc = crc8(answer, i, i + 2)
            if crc != answer[i + 2]:
                raise SensorError("word %d: expected CRC %02x, got %02x" % (i // 3, crc, answer[i + 2]))
        values[at] = scaled(1750 * (answer[0] << 8 | answer[1]) - 450 * 65535, 65535, 1)
        values[at + 1] = min(1000, max(0, scaled(1250 * (answer[3] << 8 | answer[4]) - 60 * 65535, 65535, 1)))
        if self._repeats.stuck(answer):
            blank(values, flags, at, 2)
