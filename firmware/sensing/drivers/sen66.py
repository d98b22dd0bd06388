"""Sensirion SEN66: as SEN55, and CO2, I2C 0x6B at 100 kHz at most. See `sen5x6x`. Model only: no captured answers.

Source: PyPI sensirion-i2c-sen66 1.3.1, docs.rs sen66-interface 1.1.0 and sen6x-driver 0.0.4 (commands, order of words,
unknown codes, 6736 altitude); the stop takes 1000 ms in one, 1400 ms in the other. CO2 is given for the air pressure of
sea level unless the sensor is told its altitude (which the channels record's calibration then says): 8 % at 700 m. It
is unknown for the first 5 to 6 s. The fan is cleaned only in idle, so no reading falls into a cleaning.
"""

from firmware.sensing.drivers.sen5x6x import Sen
from firmware.wire import quality

ADDRESS, READ_VALUES, ALTITUDE = 0x6B, 0x0300, 0x6736
STOP_READS = 3  # at least two seconds
# input: (quantity, raw counts a unit, signed)
_WORDS = (
    ("pm1", 10, False),
    ("pm2_5", 10, False),
    ("pm4", 10, False),
    ("pm10", 10, False),
    ("relative_humidity", 100, True),
    ("temperature", 200, True),
    ("voc_index", 10, True),
    ("nox_index", 10, True),
    ("co2", 1, False),
)
_PM, _CLIMATE, _GAS, _CO2 = (0, 1, 2, 3), (4, 5), (6, 7), (8,)
# status bit: (inputs, flags, value is missing); fan, RHT, gas, CO2-2, PM, CO2-1, fan speed
_STATUS = (
    (4, _PM, quality.FAULT, False),
    (6, _CLIMATE, quality.FAULT, False),
    (7, _GAS, quality.FAULT, False),
    (9, _CO2, quality.FAULT, False),
    (11, _PM, quality.FAULT, False),
    (12, _CO2, quality.FAULT, False),
    (21, _PM, quality.FAULT, False),
)


def open(row: dict, buses):
    """The driver for `{"driver": "sen66", "bus": N}`; optional "altitude_m"."""
    return Sen66(buses.i2c(row["bus"]), row.get("altitude_m"))


class Sen66(Sen):
    """See `firmware.sensing.drivers` for the protocol."""

    inputs = tuple([word[0] for word in _WORDS])
    channels = (
        ("nox_index", 7),
        ("pm1", 0),
        ("pm2_5", 1),
        ("pm4", 2),
        ("pm10", 3),
        ("temperature", 5),
        ("relative_humidity", 4),
        ("co2", 8),
        ("voc_index", 6),
    )

    def __init__(self, i2c, altitude_m: int | None = None) -> None:
        super().__init__(i2c, ADDRESS, _WORDS, READ_VALUES, _STATUS, STOP_READS)
        self._altitude_m = altitude_m
        self.calibration = "" if altitude_m is None else "altitude %d m" % altitude_m

    def begin(self, words) -> None:
        """Set the altitude, which is forgotten without power, and begin to measure."""
        if self._altitude_m is not None:
            words.write(ALTITUDE, self._altitude_m)
        super().begin(words)
