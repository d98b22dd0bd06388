"""Bosch BME280: temperature, humidity and pressure, I2C 0x76 or 0x77, in forced mode. Model only: no captured answers.

Source: BME280 Data sheet 1.6 (BST-BME280-DS002-15): chip id D0 = 60, reset E0 <- B6, calibration 88..A1 and E1..E7
(4.2.2), ctrl_hum F2, status F3, ctrl_meas F4, data F7..FE (5.4), compensation (4.2.3). A BMP280 (58), which is often
sold as one, has no humidity and is refused. Measured once and then asleep, for it heats itself. A skipped channel
reads 80000 or 8000. There is no CRC: what the bus spoils, the ranges and the next reading must show.

Integers only, exact ones: t_fine is the data sheet's, pressure its 64-bit form, which MicroPython's integers carry.
"""

import asyncio

from firmware.sensing.drivers import SensorError, scaled
from firmware.sensing.drivers.repeats import Repeats, blank
from firmware.wire import quality

ADDRESSES = (0x76, 0x77)
CHIP_ID, BME280, BMP280 = 0xD0, 0x60, 0x58
RESET, RESET_ORDER = 0xE0, 0xB6
CTRL_HUM, STATUS, CTRL_MEAS, DATA = 0xF2, 0xF3, 0xF4, 0xF7
HUMIDITY_ONCE, ALL_ONCE_FORCED = 1, 1 << 5 | 1 << 2 | 1  # oversampling 1
RESET_MS, MEASURE_MS, POLL_MS, POLLS = 3, 10, 3, 5  # at oversampling 1 at most 9.3 ms
SKIPPED_20, SKIPPED_16 = 0x80000, 0x8000
STUCK_READS = 30  # pressure has a noise of 1.3 Pa, and 20 bits
LEAST_CELSIUS, MOST_CELSIUS, LEAST_HPA, MOST_HPA = -40, 85, 300, 1100


def open(row: dict, buses):
    """The driver for `{"driver": "bme280", "bus": N}`; optional "address" (118, else 119) and "every_s" (1)."""
    address = row.get("address", ADDRESSES[0])
    if address not in ADDRESSES:
        raise ValueError("expected address 118 or 119, got %s" % address)
    return Bme280(buses.i2c(row["bus"]), address, row.get("every_s", 1))


def word(buf: bytearray, at: int) -> int:
    """Unsigned 16 bits, little-endian."""
    return buf[at] | buf[at + 1] << 8


def signed(value: int, bits: int) -> int:
    """A number of so many bits as two's complement."""
    return value - (1 << bits) if value >> bits - 1 & 1 else value


def fine_temperature(t: tuple, raw: int) -> int:
    """t_fine of a raw temperature: 5120 a degree. `t` are dig_T1 to T3."""
    a = ((raw >> 3) - (t[0] << 1)) * t[1] >> 11
    b = (raw >> 4) - t[0]
    return a + ((b * b >> 12) * t[2] >> 14)


def pressure_q8(p: tuple, fine: int, raw: int) -> int:
    """Pressure in 1/256 Pa; 0 for a calibration that cannot be. `p` are dig_P1 to P9."""
    a = fine - 128000
    b = a * a * p[5] + (a * p[4] << 17) + (p[3] << 35)
    a = (a * a * p[2] >> 8) + (a * p[1] << 12)
    a = ((1 << 47) + a) * p[0] >> 33
    if not a:
        return 0
    q = ((1048576 - raw << 31) - b) * 3125 // a
    c = p[8] * (q >> 13) * (q >> 13) >> 25
    d = p[7] * q >> 19
    return (q + c + d >> 8) + (p[6] << 4)


def humidity_q10(h: tuple, fine: int, raw: int) -> int:
    """Relative humidity in 1/1024 %, clamped to 0..100 %. `h` are dig_H1 to H6."""
    v = fine - 76800
    left = (raw << 14) - (h[3] << 20) - h[4] * v + 16384 >> 15
    right = ((v * h[5] >> 10) * ((v * h[2] >> 11) + 32768) >> 10) + 2097152
    v = left * (right * h[1] + 8192 >> 14)
    v -= ((v >> 15) * (v >> 15) >> 7) * h[0] >> 4
    return min(max(v, 0), 419430400) >> 12


class Bme280:
    """See `firmware.sensing.drivers` for the protocol."""

    inputs = ("temperature", "relative_humidity", "pressure")
    channels = (("temperature", 0), ("relative_humidity", 1), ("pressure", 2))

    def __init__(self, i2c, address: int, period_s: int = 1) -> None:
        self._i2c, self._address = i2c, address
        self.period_s = period_s
        self._pair = bytearray(2)
        self._register, self._byte = bytearray(1), bytearray(1)
        self._data = bytearray(8)
        self._repeats = Repeats(8, STUCK_READS)
        self._t: tuple = ()
        self._p: tuple = ()
        self._h: tuple = ()
        self._second = 0

    async def start(self) -> None:
        """Check the chip, reset it and read its calibration; SensorError when it is another."""
        found = self._read(CHIP_ID, self._byte)[0]
        if found != BME280:
            raise SensorError("expected chip 60 (BME280), got %02x%s" % (found, " (BMP280)" if found == BMP280 else ""))
        self._write(RESET, RESET_ORDER)
        await asyncio.sleep_ms(RESET_MS)
        self._take_calibration(self._read(0x88, bytearray(26)), self._read(0xE1, bytearray(7)))
        self._second = 0
        self._repeats.restart()

    def _take_calibration(self, a: bytearray, b: bytearray) -> None:
        """`a` is 88..A1, `b` is E1..E7; H4 and H5 share a byte by nibbles."""
        self._t = (word(a, 0), signed(word(a, 2), 16), signed(word(a, 4), 16))
        self._p = (word(a, 6),) + tuple([signed(word(a, i), 16) for i in range(8, 24, 2)])
        h4, h5 = signed(b[3] << 4 | b[4] & 15, 12), signed(b[5] << 4 | b[4] >> 4, 12)
        self._h = (a[25], signed(word(b, 0), 16), b[2], h4, h5, signed(b[6], 8))
        if not self._t[0] or not self._p[0]:
            raise SensorError("expected a calibration, got zeros")

    async def read(self, values: list, flags: list, at: int) -> None:
        """Measure and fill 3 inputs, every `period_s` calls; SensorError when the chip does not finish."""
        self._second += 1
        if (self._second - 1) % self.period_s:
            return
        self._write(CTRL_HUM, HUMIDITY_ONCE)  # in force with the next write of ctrl_meas
        self._write(CTRL_MEAS, ALL_ONCE_FORCED)
        await asyncio.sleep_ms(MEASURE_MS)
        await self._finish()
        self._fill(values, flags, at, self._read(DATA, self._data))
        if self._repeats.stuck(self._data):
            blank(values, flags, at, 3)

    async def _finish(self) -> None:
        for _ in range(POLLS):
            if not self._read(STATUS, self._byte)[0] & 8:
                break
            await asyncio.sleep_ms(POLL_MS)
        else:
            raise SensorError("expected a measurement within %d ms, got none" % (MEASURE_MS + POLLS * POLL_MS))
        if self._read(CTRL_MEAS, self._byte)[0] != ALL_ONCE_FORCED & ~3:  # asleep, settings kept
            raise SensorError("expected ctrl_meas 24 after a measurement, got %02x: it was reset" % self._byte[0])

    def _fill(self, values: list, flags: list, at: int, d: bytearray) -> None:
        raw_p, raw_t = d[0] << 12 | d[1] << 4 | d[2] >> 4, d[3] << 12 | d[4] << 4 | d[5] >> 4
        raw_h = d[6] << 8 | d[7]
        if raw_t == SKIPPED_20:
            for i in range(at, at + 3):
                flags[i] |= quality.FAULT
            return
        fine = fine_temperature(self._t, raw_t)
        values[at] = scaled(fine, 512, 1)
        _limit(values, flags, at, 10 * LEAST_CELSIUS, 10 * MOST_CELSIUS)
        if raw_h == SKIPPED_16:
            flags[at + 1] |= quality.FAULT
        else:
            values[at + 1] = scaled(humidity_q10(self._h, fine, raw_h), 1024, 10)
        pascal_q8 = 0 if raw_p == SKIPPED_20 else pressure_q8(self._p, fine, raw_p)
        if not pascal_q8:
            flags[at + 2] |= quality.FAULT
        else:
            values[at + 2] = scaled(pascal_q8, 2560, 1)
            _limit(values, flags, at + 2, 10 * LEAST_HPA, 10 * MOST_HPA)

    def _read(self, register: int, into: bytearray) -> bytearray:
        self._register[0] = register
        self._i2c.writeto(self._address, self._register)
        self._i2c.readfrom_into(self._address, into)
        return into

    def _write(self, register: int, value: int) -> None:
        self._pair[0], self._pair[1] = register, value
        self._i2c.writeto(self._address, self._pair)


def _limit(values: list, flags: list, at: int, least: int, most: int) -> None:
    """Flag a value beyond what the chip is specified for."""
    if not least <= values[at] <= most:
        flags[at] |= quality.OUT_OF_RANGE
