"""BME280 at register level: chip id, calibration, forced measurements, status. Model only: no captured answers.

Registers: BME280 Data sheet 1.6, section 5. The calibration is one of a real kind (temperature and pressure: the worked
example of Bosch's BMP280 data sheet, humidity: usual numbers). What a temperature, pressure or humidity reads as raw is
sought with the data sheet's floating-point formulas (8.1), which the driver does not use.

Faults: nack, timeout, stuck (the bus), frozen and still (always the same), skipped (measures nothing), brown_out.
"""

from firmware.virtual.models import ENODEV, Draws, Part
from firmware.virtual.models.air import HUMIDITY, PRESSURE, TEMPERATURE, Air

T = (27504, 26435, -1000)
P = (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
H = (75, 362, 0, 313, 50, 30)
MEASURE_MS = 9
SKIPPED = b"\x80\x00\x00\x80\x00\x00\x80\x00"


def make(board: object) -> object:
    """The model on `board`."""
    return Bme280(board)


def fine(raw: int) -> float:
    """t_fine: 5120 a degree."""
    a = (raw / 16384 - T[0] / 1024) * T[1]
    b = raw / 131072 - T[0] / 8192
    return a + b * b * T[2]


def pascal(t_fine: float, raw: int) -> float:
    """Pressure in Pa."""
    a = t_fine / 2 - 64000
    b = (a * a * P[5] / 32768 + a * P[4] * 2) / 4 + P[3] * 65536
    a = (1 + (P[2] * a * a / 524288 + P[1] * a) / 524288 / 32768) * P[0]
    p = (1048576 - raw - b / 4096) * 6250 / a
    return p + (P[8] * p * p / 2147483648 + p * P[7] / 32768 + P[6]) / 16


def percent(t_fine: float, raw: int) -> float:
    """Relative humidity in %."""
    h = t_fine - 76800
    h = (raw - (H[3] * 64 + H[4] / 16384 * h)) * (H[1] / 65536 * (1 + H[5] / 67108864 * h * (1 + H[2] / 67108864 * h)))
    return h * (1 - H[0] * h / 524288)


def raw_for(wanted: float, top: int, formula: object) -> int:
    """The raw number whose reading comes next to `wanted`: `formula` rises or falls all the way."""
    low, high = 0, top
    rises = formula(top) > formula(0)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if (formula(middle) < wanted) == rises else (low, middle)
    return low


class Bme280(Part):
    """One chip; `board` gives time, seed and faults."""

    name = "bme280"

    def __init__(self, board: object) -> None:
        super().__init__(board)
        self._air = Air(board)
        self._noise = Draws(board.seed, 15)
        self.power_on()

    def power_on(self) -> None:
        """Asleep, nothing measured."""
        self._registers = bytearray(256)
        self._pointer = 0
        self._ready_at_ms = None
        self._humidity_on = False
        r = self._registers
        r[0xD0] = 0x60
        for i, value in enumerate(T + P):
            r[0x88 + 2 * i], r[0x89 + 2 * i] = value & 0xFF, value >> 8 & 0xFF
        r[0xA1], r[0xE1], r[0xE2], r[0xE3] = H[0], H[1] & 0xFF, H[1] >> 8, H[2]
        r[0xE4], r[0xE5], r[0xE6], r[0xE7] = H[3] >> 4, (H[3] & 15) | (H[4] & 15) << 4, H[4] >> 4, H[5]
        r[0xF7:0xFF] = SKIPPED

    def write(self, data: bytes) -> None:
        """Set the pointer, and registers by pairs."""
        self._finish()
        self._pointer = data[0]
        for i in range(0, len(data) - 1, 2):
            self._set(data[i], data[i + 1])

    def read(self, count: int) -> bytes:
        """Registers from the pointer on."""
        self._finish()
        answer = bytes(self._registers[self._pointer : self._pointer + count])
        self._pointer += count
        return answer + bytes(count - len(answer))

    def _set(self, register: int, value: int) -> None:
        if register == 0xE0 and value == 0xB6:
            return self.power_on()
        if register not in (0xF2, 0xF4, 0xF5):
            raise OSError(ENODEV)
        self._registers[register] = value
        if register == 0xF4 and value & 3 in (1, 2):
            self._humidity_on = self._registers[0xF2] & 7 != 0
            self._ready_at_ms = self._board.elapsed_ms() + MEASURE_MS
            self._registers[0xF3] |= 8

    def _finish(self) -> None:
        fault = self.fault()
        if self._ready_at_ms is None or self._board.elapsed_ms() < self._ready_at_ms:
            return
        self._ready_at_ms = None
        self._registers[0xF3] &= 0xF7
        self._registers[0xF4] &= 0xFC
        if fault == "skipped":
            self._registers[0xF7:0xFF] = SKIPPED
        elif fault not in ("frozen", "still"):
            self._measure()

    def _measure(self) -> None:
        air = self._air.now()
        raw_t = raw_for(51.2 * air[TEMPERATURE], 0xFFFFF, fine) + int(self._noise.between(-20, 20))
        t = fine(raw_t)
        raw_p = raw_for(10.0 * air[PRESSURE], 0xFFFFF, lambda raw: pascal(t, raw)) + int(self._noise.between(-20, 20))
        raw_h = raw_for(air[HUMIDITY] / 100, 0xFFFF, lambda raw: percent(t, raw)) if self._humidity_on else 0x8000
        r = self._registers
        r[0xF7], r[0xF8], r[0xF9] = raw_p >> 12, raw_p >> 4 & 0xFF, raw_p << 4 & 0xF0
        r[0xFA], r[0xFB], r[0xFC] = raw_t >> 12, raw_t >> 4 & 0xFF, raw_t << 4 & 0xF0
        r[0xFD], r[0xFE] = raw_h >> 8, raw_h & 0xFF
