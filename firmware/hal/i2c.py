"""An I2C bus that clears itself: a part that was reset in the middle of a byte may hold SDA down for ever.

Nine clocks let it finish its byte, a stop condition ends it (I2C-bus specification UM10204, 3.1.16). That is done after
every error but "nobody answers"; the error still goes to the driver, whose sensor tries again later.
"""

from errno import ENODEV
from time import sleep_us

from machine import I2C, Pin

I2C_HZ = 100000  # SEN66 allows no more, and a metre of cable in a street cabinet likes it too
CLOCKS = 9
HALF_US = 5


class Bus:
    """Bus number `bus` on the pins of `row`, a row of the node's configuration; without pins on the port's own."""

    def __init__(self, bus: int, row: dict) -> None:
        self._bus, self._row = bus, row
        self.cleared = 0
        self._open()

    def writeto(self, address: int, data) -> None:
        """Write to a device; OSError when it does not answer."""
        try:
            self._i2c.writeto(address, data)
        except OSError as error:
            self._look(error)
            raise

    def readfrom_into(self, address: int, buf) -> None:
        """Fill `buf` from a device; OSError when it does not answer."""
        try:
            self._i2c.readfrom_into(address, buf)
        except OSError as error:
            self._look(error)
            raise

    def _look(self, error: OSError) -> None:
        if error.errno != ENODEV:
            self.clear()

    def clear(self) -> None:
        """Clock until nobody holds SDA, send a stop, and open the bus anew."""
        self.cleared += 1
        if "scl" in self._row:
            scl = Pin(self._row["scl"], Pin.OPEN_DRAIN, value=1)
            sda = Pin(self._row["sda"], Pin.OPEN_DRAIN, value=1)
            for _ in range(CLOCKS):
                if sda.value():
                    break
                _set(scl, 0)
                _set(scl, 1)
            _set(sda, 0)
            _set(sda, 1)
        self._open()

    def _open(self) -> None:
        row = self._row
        hz = row.get("hz", I2C_HZ)
        if "scl" in row:
            self._i2c = I2C(self._bus, scl=Pin(row["scl"]), sda=Pin(row["sda"]), freq=hz)
        else:
            self._i2c = I2C(self._bus, freq=hz)


def _set(pin: Pin, level: int) -> None:
    pin.value(level)
    sleep_us(HALF_US)
