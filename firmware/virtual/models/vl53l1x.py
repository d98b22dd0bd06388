"""VL53L1X at register level, model only: no captured frames of the part exist here.

What it keeps to, each from ST's ultra lite driver STSW-IMG009 (UM2510): 16-bit register addresses that move on while
bytes follow; soft reset at 0000; model EACC at 010F; booted bit at 00E5; oscillator at 00DE; the interrupt at bit 0 of
0031, active high while bit 4 of 0030 is 0, cleared by 0086; ranging starts with 40 in 0087; time-outs at 005E and 0061
say the timing budget; results at 0089: status, ambient at +7, range at +13, signal at +15. Without its configuration
(0046 = 20, 0081 = 9B) it never finishes a range, and a region of less than 4 x 4 SPADs gives none.

Faults: nack, timeout (the bus), frozen (results repeat), silent (no range ever ends), blind (no echo: status 4), broken
(laser watchdog: status 2).
"""

from firmware.virtual.models import ENODEV, Draws
from firmware.virtual.models.passers import Passers, top_mm

SIZE = 0x0200
FLOOR_MM = 2500
BUDGETS = {0x001E: 20, 0x0060: 33, 0x00AD: 50}
COMPLETE, NO_TARGET, LASER_WATCHDOG = 9, 4, 2
BOOT_MS = 2


def make(board: object) -> object:
    """The model on `board`, over a street with people."""
    return Vl53l1x(board, Street(board))


class Street:
    """What is below: `range_mm(centre, size, now_ms)` of a region of the array, 0 for no echo."""

    def __init__(self, board: object) -> None:
        self._passers = Passers(board)

    def range_mm(self, centre: int, size: int, now_ms: int) -> int:
        """Range of the nearest below the columns of the region, 1.2 degrees each."""
        column = (centre - 128) // 8 if centre > 127 else (127 - centre) // 8
        width = (size & 15) + 1
        low, high = column - width // 2 - 8, column + width - width // 2 - 8
        people = self._passers.at(now_ms)
        return FLOOR_MM - top_mm(people, low * 20, high * 20)  # 1.2 degrees are 20 mm at a metre


class Vl53l1x:
    """One sensor; `board` gives time, seed and faults, `scene` the ranges."""

    def __init__(self, board: object, scene: object) -> None:
        self._board = board
        self._scene = scene
        self._draws = Draws(board.seed, 8)
        self._registers = bytearray(SIZE)
        self._pointer = 0
        self._ready_at = None
        self._booted_at = 0
        self._reset()

    def fault(self) -> str:
        """The fault of this part now."""
        return self._board.fault("vl53l1x")

    def write(self, data: bytes) -> None:
        """Set the pointer, and the registers from there on."""
        if len(data) < 2:
            raise OSError(ENODEV)
        self._pointer = data[0] << 8 | data[1]
        for byte in data[2:]:
            self._set(self._pointer, byte)
            self._pointer += 1

    def read(self, count: int) -> bytes:
        """Registers from the pointer on."""
        now = self._board.elapsed_ms()
        if now < self._booted_at:
            raise OSError(ENODEV)
        self._finish(now)
        answer = bytes(self._registers[self._pointer : self._pointer + count])
        self._pointer += count
        return answer + bytes(count - len(answer))

    def _reset(self) -> None:
        for i in range(SIZE):
            self._registers[i] = 0
        self._registers[0x010F], self._registers[0x0110] = 0xEA, 0xCC
        self._registers[0x00DE], self._registers[0x00DF] = 0x02, 0x91
        self._registers[0x00E5] = 3
        self._ready_at = None
        self._booted_at = self._board.elapsed_ms() + BOOT_MS

    def _set(self, register: int, value: int) -> None:
        if register >= SIZE:
            return
        if register == 0x0000 and value == 1 and self._registers[0] == 0:
            return self._reset_end()
        if register == 0x0000 and value == 0:
            return self._reset()
        self._registers[register] = value
        if register == 0x0086 and value & 1:
            self._registers[0x0031] &= 0xFE
        elif register == 0x0087:
            self._ready_at = self._begin() if value == 0x40 else None

    def _reset_end(self) -> None:
        self._registers[0] = 1
        self._booted_at = self._board.elapsed_ms() + BOOT_MS

    def _begin(self) -> object:
        """When the range that begins now will be ready, None for never."""
        registers = self._registers
        budget = BUDGETS.get(registers[0x5E] << 8 | registers[0x5F])
        if self.fault() == "silent" or registers[0x46] != 0x20 or registers[0x81] != 0x9B:
            return None
        if (registers[0x80] & 15) < 3 or registers[0x80] >> 4 < 3:
            return None
        return self._board.elapsed_ms() + (budget or 30)

    def _finish(self, now_ms: int) -> None:
        if self._ready_at is None or now_ms < self._ready_at:
            return
        if self.fault() != "frozen":
            self._measure(now_ms)
        self._registers[0x0031] |= 1
        self._ready_at = None

    def _measure(self, now_ms: int) -> None:
        registers = self._registers
        range_mm = self._scene.range_mm(registers[0x7F], registers[0x80], now_ms)
        status = {"blind": NO_TARGET, "broken": LASER_WATCHDOG}.get(self.fault(), COMPLETE if range_mm else NO_TARGET)
        noise = self._draws.between(-1, 1) + self._draws.between(-1, 1)
        range_mm = max(0, range_mm + int(noise * (4 + range_mm // 300)))
        self._put(0x0089, status, 1)
        self._put(0x0089 + 7, int(self._draws.between(40, 60)), 2)
        self._put(0x0089 + 13, range_mm, 2)
        self._put(0x0089 + 15, int(self._draws.between(900, 1000)) * 1000 // (range_mm + 1), 2)

    def _put(self, register: int, value: int, count: int) -> None:
        for i in range(count):
            self._registers[register + i] = value >> 8 * (count - 1 - i) & 0xFF
