"""Sensirion SEN55: particulate matter, humidity, temperature, VOC and NOx index, I2C 0x69.

Source: Sensirion's embedded-i2c-sen5x and a captured transcript (tests). Rules that other drivers learned the hard way:

- "Unknown" has two codes: FFFF in unsigned words, 7FFF in signed ones. Both become None.
- The sensor repeats old values; only "data ready" says that there is a new one.
- Status bits stay set until read and cleared, so they are read and cleared with every reading.
- The weekly fan cleaning blows dust through the chamber: particulate matter is missing while it runs.
- FFFE in a particulate word is a saturated or broken unit, not 6553.4 ug/m3.
"""

import asyncio

from firmware.sensing.drivers import SensorError, scaled
from firmware.sensing.drivers.sensirion import Words
from firmware.wire import quality
from firmware.wire.quantities import QUANTITIES

ADDRESS = 0x69
START, STOP, DATA_READY, READ_VALUES, READ_AND_CLEAR_STATUS = 0x0021, 0x0104, 0x0202, 0x03C4, 0xD210
STOP_MS, START_MS, READ_MS = 200, 50, 20
WARM_UP_READS = 30  # NOx is unknown for 10-11 s; particulate matter settles within 30 s
STALE_READS = 20  # a fan cleaning takes about 10 s; longer silence is a fault
PM_RAW_MAX = 10000  # 1000 ug/m3, the end of the specified range

# input: (quantity, word, raw counts a unit, signed)
_WORDS = (
    ("pm1", 0, 10, False),
    ("pm2_5", 1, 10, False),
    ("pm4", 2, 10, False),
    ("pm10", 3, 10, False),
    ("relative_humidity", 4, 100, True),
    ("temperature", 5, 200, True),
    ("voc_index", 6, 10, True),
    ("nox_index", 7, 10, True),
)
_PM, _CLIMATE, _GAS = (0, 1, 2, 3), (4, 5), (6, 7)
# status bit: (inputs, flags, value is missing); fan, laser, RHT, gas, cleaning, fan speed
_STATUS = (
    (4, _PM, quality.FAULT, False),
    (5, _PM, quality.FAULT, False),
    (6, _CLIMATE, quality.FAULT, False),
    (7, _GAS, quality.FAULT, False),
    (19, _PM, quality.WARM_UP, True),
    (21, _PM, quality.FAULT, False),
)


def open(row: dict, buses):
    """The driver for `{"driver": "sen55", "bus": N}`."""
    return Sen55(buses.i2c(row["bus"]))


class Sen55:
    """See `firmware.sensing.drivers` for the protocol."""

    inputs = tuple(word[0] for word in _WORDS)
    channels = (
        ("nox_index", 7),
        ("pm1", 0),
        ("pm2_5", 1),
        ("pm4", 2),
        ("pm10", 3),
        ("temperature", 5),
        ("relative_humidity", 4),
        ("voc_index", 6),
    )

    def __init__(self, i2c) -> None:
        self._words = Words(i2c, ADDRESS, 8)
        self._reads = self._stale = 0

    async def start(self) -> None:
        """Start measuring; a sensor that still measures from before our reset is stopped first."""
        try:
            self._words.command(STOP)
            await asyncio.sleep_ms(STOP_MS)
        except OSError:
            pass  # an idle sensor may refuse the stop; a missing one refuses the start as well
        self._words.command(START)
        await asyncio.sleep_ms(START_MS)
        self._reads = self._stale = 0

    async def read(self, values: list, flags: list, at: int) -> None:
        """Fill 8 inputs; all missing while there is no new measurement, SensorError when there is none for 20 s."""
        self._reads += 1
        await self._words.query(DATA_READY, 1, READ_MS)
        if not self._words.unsigned(0) & 0xFF:
            return self._not_ready(flags, at)
        self._stale = 0
        await self._words.query(READ_VALUES, 8, READ_MS)
        for i in range(8):
            self._convert(i, values, flags, at + i)
        await self._words.query(READ_AND_CLEAR_STATUS, 2, READ_MS)
        self._apply_status(values, flags, at)

    def _not_ready(self, flags: list, at: int) -> None:
        self._stale += 1
        if self._stale > STALE_READS:
            raise SensorError("expected new data every second, got none for %d s" % self._stale)
        for i in range(8):
            flags[at + i] |= self._settling()

    def _settling(self) -> int:
        return quality.WARM_UP if self._reads <= WARM_UP_READS else 0

    def _convert(self, i: int, values: list, flags: list, at: int) -> None:
        name, word, per_unit, is_signed = _WORDS[i]
        raw = self._words.signed(word) if is_signed else self._words.unsigned(word)
        flags[at] |= self._settling()
        if raw == (0x7FFF if is_signed else 0xFFFF):
            flags[at] |= 0 if self._settling() else quality.FAULT
        elif not is_signed and raw == 0xFFFE:
            flags[at] |= quality.OUT_OF_RANGE
        else:
            flags[at] |= quality.OUT_OF_RANGE if not is_signed and raw > PM_RAW_MAX else 0
            values[at] = scaled(raw, per_unit, QUANTITIES[name][1])

    def _apply_status(self, values: list, flags: list, at: int) -> None:
        high, low = self._words.unsigned(0), self._words.unsigned(1)
        if not high and not low:
            return
        for bit, inputs, flag, missing in _STATUS:
            if (high >> bit - 16 if bit > 15 else low >> bit) & 1:
                for i in inputs:
                    flags[at + i] |= flag
                    values[at + i] = None if missing else values[at + i]
