"""Sensirion SCD41: CO2, temperature and humidity, I2C 0x62, a new reading every 5 s. Model only: no captured answers.

Source: PyPI sensirion-i2c-scd4x 1.1.0; ESPHome's component scd4x and its two faults, which this driver does not have:
data is ready when (word & 07FF) is not 0, and RH is 100 * word / 65535. CO2 is given for the air pressure of sea level
unless the sensor knows better: "altitude_m" (row, and in the channels record's calibration) is set in idle before every
start. The sensor's self-calibration stays on: outdoors its 400 ppm a week come true.
"""

from firmware.sensing.drivers import SensorError, scaled
from firmware.sensing.drivers.repeats import Repeats, blank
from firmware.sensing.drivers.sensirion import Words
from firmware.wire import quality

ADDRESS = 0x62
START, STOP, DATA_READY, READ_VALUES, ALTITUDE = 0x21B1, 0x3F86, 0xE4B8, 0xEC05, 0x2427
READY_MASK = 0x07FF
READ_MS = 1
STOP_READS = 2  # the stop takes 500 ms
PERIOD_S = 5
WARM_UP_READINGS = 12  # CO2 answers within 60 s
STALE_READS = 20
STUCK_READINGS = 12
MOST_PPM = 5000  # the end of the specified range


def open(row: dict, buses):
    """The driver for `{"driver": "scd41", "bus": N}`; optional "altitude_m"."""
    return Scd41(buses.i2c(row["bus"]), row.get("altitude_m"))


class Scd41:
    """See `firmware.sensing.drivers` for the protocol."""

    inputs = ("co2", "temperature", "relative_humidity")
    channels = (("temperature", 1), ("relative_humidity", 2), ("co2", 0))
    period_s = PERIOD_S

    def __init__(self, i2c, altitude_m: int | None = None) -> None:
        self._words = Words(i2c, ADDRESS, 3)
        self._altitude_m = altitude_m
        self.calibration = "" if altitude_m is None else "altitude %d m" % altitude_m
        self._repeats = Repeats(9, STUCK_READINGS)
        self._waits = self._readings = self._stale = 0

    async def start(self) -> None:
        """Stop a sensor that still measures from before our reset; `read` sends the start when the stop is over."""
        try:
            self._words.command(STOP)
            self._waits = STOP_READS
        except OSError:
            self._go()  # an idle sensor may refuse the stop; a missing one refuses the start as well
            self._waits = 0
        self._readings = self._stale = 0
        self._repeats.restart()

    async def read(self, values: list, flags: list, at: int) -> None:
        """Fill 3 inputs when a reading is new, every 5 s; SensorError when there is none for 20 s."""
        settling = quality.WARM_UP if self._readings < WARM_UP_READINGS else 0
        for i in range(at, at + 3):
            flags[i] |= settling
        if self._waits:
            return self._wait()
        await self._words.query(DATA_READY, 1, READ_MS)
        if not self._words.unsigned(0) & READY_MASK:
            self._stale += 1
            if self._stale > STALE_READS:
                raise SensorError("expected new data every %d s, got none for %d s" % (PERIOD_S, self._stale))
            return
        self._stale = 0
        self._readings += 1
        await self._words.query(READ_VALUES, 3, READ_MS)
        self._fill(values, flags, at)
        if self._repeats.stuck(self._words.answer):
            blank(values, flags, at, 3)

    def _wait(self) -> None:
        self._waits -= 1
        if not self._waits:
            self._go()

    def _go(self) -> None:
        if self._altitude_m is not None:
            self._words.write(ALTITUDE, self._altitude_m)
        self._words.command(START)

    def _fill(self, values: list, flags: list, at: int) -> None:
        co2_ppm = self._words.unsigned(0)
        if co2_ppm in (0, 0xFFFF):  # not measured yet; unknown
            flags[at] |= 0 if flags[at] else quality.FAULT
        else:
            flags[at] |= quality.OUT_OF_RANGE if co2_ppm > MOST_PPM else 0
            values[at] = co2_ppm
        values[at + 1] = scaled(1750 * self._words.unsigned(1) - 450 * 65535, 65535, 1)
        values[at + 2] = scaled(1000 * self._words.unsigned(2), 65535, 1)
