"""Plantower PMS5003T: as PMS5003, with temperature and humidity in place of two counts (bytes 24 and 26, in tenths).

Captured frames are in the tests.
"""

from firmware.sensing.drivers.dust import RX_BYTES
from firmware.sensing.drivers.pms5003 import BAUD, Pms

CLIMATE_AT = 24


def open(row: dict, buses):
    """The driver for `{"driver": "pms5003t", "uart": N}`; optional pins "tx" and "rx"."""
    return Pms5003T(buses.uart(row, BAUD, RX_BYTES))


class Pms5003T(Pms):
    """See `firmware.sensing.drivers` for the protocol."""

    inputs = ("pm1", "pm2_5", "pm10", "temperature", "relative_humidity")
    channels = (("pm1", 0), ("pm2_5", 1), ("pm10", 2), ("temperature", 3), ("relative_humidity", 4))

    def fill(self, frame: bytearray, values: list, flags: list, at: int) -> None:
        """Decode a good frame."""
        for i in range(2):
            raw = frame[CLIMATE_AT + 2 * i] << 8 | frame[CLIMATE_AT + 2 * i + 1]
            values[at + 3 + i] = raw - 65536 if raw & 0x8000 else raw
        super().fill(frame, values, flags, at)
