"""Sensirion SEN55: particulate matter, humidity, temperature, VOC and NOx index, I2C 0x69. See `sen5x6x`.

Source: Sensirion's embedded-i2c-sen5x and a captured transcript (tests). The weekly fan cleaning blows dust through the
chamber while it measures: particulate matter is missing while it runs.
"""

from firmware.sensing.drivers.sen5x6x import Sen
from firmware.wire import quality

ADDRESS, READ_VALUES = 0x69, 0x03C4
STOP_READS = 2  # at least a second; the stop takes 200 ms
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


class Sen55(Sen):
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
        ("voc_index", 6),
    )

    def __init__(self, i2c) -> None:
        super().__init__(i2c, ADDRESS, _WORDS, READ_VALUES, _STATUS, STOP_READS)
