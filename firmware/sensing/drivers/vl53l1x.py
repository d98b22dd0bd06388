"""VL53L1X, a time-of-flight sensor that looks down at a passage and counts who walks through: I2C 0x29.

Two zones of 6 x 16 SPADs at the two edges of the array are ranged in turn, 20 ms each; `footfall.path` makes crossings
of them. The sensor hangs so that columns of the array lie across the passage; IN is from the low columns to the high.
Hang it where no door swings below it, over a lane no wider than one person: two abreast are one to it.

Sources. Registers, their defaults from 2D to 87 ("not user-modifiable"), timing codes, the meaning of the status byte
and the order of calls: ST's VL53L1X ultra lite driver STSW-IMG009 (UM2510); two zones and their sizes: UM2600; numbers
of the SPADs: AN5191 (the centre of an even region is the SPAD right of and above its middle). Facts only.

Every range is started and stopped on its own, so that a result can never belong to the other zone. A range without an
echo, or one that the sensor distrusts, is a dropped range. The noise of light never gives the same range, signal and
ambient light for seconds, so that is a frozen sensor.
"""

import asyncio
import time

from firmware.sensing.drivers import SensorError
from firmware.sensing.footfall.path import PathCounter
from firmware.sensing.footfall.view import View
from firmware.wire import quality
from firmware.wire.batch import TOTAL_MODULUS

ADDRESS = 0x29
MODEL = 0xEACC
SOFT_RESET, VHV_BOUND, VHV_START, INTERRUPT, TIMEOUT_A, TIMEOUT_B = 0x0000, 0x0008, 0x000B, 0x0031, 0x005E, 0x0061
PERIOD, ROI, CLEAR, MODE, RESULT, OSCILLATOR = 0x006C, 0x007F, 0x0086, 0x0087, 0x0089, 0x00DE
FIRMWARE_STATUS, MODEL_ID = 0x00E5, 0x010F
DEFAULTS_AT = 0x002D
DEFAULTS = (
    b"\x00\x00\x00\x01\x02\x00\x02\x08\x00\x08\x10\x01\x01\x00\x00\x00\x00\xff\x00\x0f\x00\x00\x00\x00\x00\x20"
    b"\x0b\x00\x00\x02\x0a\x21\x00\x00\x05\x00\x00\x00\x00\xc8\x00\x00\x38\xff\x01\x00\x08\x00\x00\x01\xcc\x0f"
    b"\x01\xf1\x0d\x01\x68\x00\x80\x08\xb8\x00\x00\x00\x00\x0f\x89\x00\x00\x00\x00\x00\x00\x00\x01\x0f\x0d\x0e"
    b"\x0e\x00\x00\x02\xc7\xff\x9b\x00\x00\x00\x01\x00\x00"
)
# timing budget in ms: codes of the two time-outs in long distance mode (the defaults are long distance)
BUDGETS = {20: (0x001E, 0x0022), 33: (0x0060, 0x006E), 50: (0x00AD, 0x00C6)}
# zone: centre and size of the whole and of its two halves; columns 0..5 and 10..15, rows 0..15, 0..7, 8..15
REGIONS = (
    (b"\x9f\xf5", b"\x9b\x75", b"\x64\x75"),
    (b"\xef\xf5", b"\xeb\x75", b"\x14\x75"),
)
RESULT_BYTES, STATUS_MASK = 17, 0x1F
GOOD = (9, 19)  # complete; complete without check for wrap-around, which the first range after a start may be
BROKEN = (0, 1, 2, 3, 17)  # no update, laser continuity, laser watchdog, no reference voltage, multiple clipping
BROKEN_MOST = 10
FARTHEST_MM = 5000
BOOT_MS, POLL_MS = 120, 2
STUCK_RANGES = 20  # half a second
STUCK_ERROR_READS = 10
FEW_RANGES = 20  # of some 40 a second: the node was busy, and people may have walked through unseen


def open(row: dict, buses):
    """The driver for `{"driver": "vl53l1x", "bus": N}`; optional "floor_mm", "budget_ms" (20, 33, 50)."""
    budget_ms = row.get("budget_ms", 20)
    if budget_ms not in BUDGETS:
        raise ValueError("expected budget_ms of 20, 33 or 50, got %s" % budget_ms)
    return Vl53l1x(buses.i2c(row["bus"]), row.get("floor_mm", 0), budget_ms)


class Vl53l1x:
    """See `firmware.sensing.drivers` for the protocol. Ranging goes on in a task of its own between the reads."""

    inputs = ("footfall_in", "footfall_out")
    channels = (("footfall_in", 0), ("footfall_out", 1))

    def __init__(self, i2c, floor_mm: int = 0, budget_ms: int = 20, ticks=time.ticks_ms) -> None:
        self._i2c = i2c
        self._budget_ms = budget_ms
        self._ticks = ticks
        self.counter = PathCounter(floor_mm)
        self.views = (View(self.counter.zones[0]), View(self.counter.zones[1]))
        self._out = bytearray(2 + 4)
        self._views = [memoryview(self._out)[: 2 + n] for n in range(5)]
        self._byte = bytearray(1)
        self._result = bytearray(RESULT_BYTES)
        self._last = bytearray(RESULT_BYTES)
        self._task: asyncio.Task | None = None
        self._error: Exception | None = None
        self._stuck = self._repeats = self._broken = self._ranges = self._zone = self._then = 0
        self._missed = False

    async def start(self) -> None:
        """Reset, check and configure the sensor and begin to range; SensorError when it is not one."""
        self._stop_task()
        self._stuck = self._repeats = self._broken = self._ranges = 0
        self._error = None
        await self._boot()
        self._configure()
        await self._one_range()
        self._write(VHV_BOUND, 0x09, 1)
        self._write(VHV_START, 0, 1)
        self._then = self._ticks()
        self._task = asyncio.create_task(self._run())

    async def read(self, values: list, flags: list, at: int) -> None:
        """Fill both totals; missing with STUCK while the sensor repeats itself.

        FAULT beside a total: in the interval that it ends, people may have walked through uncounted.
        """
        if self._error:
            self._missed = True
            raise self._error
        ranges, self._ranges = self._ranges, 0
        self._stuck = self._stuck + 1 if self._repeats >= STUCK_RANGES else 0
        if self._stuck > STUCK_ERROR_READS:
            self._missed = True
            raise SensorError("expected ranges with noise, got the same for %d s" % self._stuck)
        flag = self._quality(ranges)
        flags[at] |= flag
        flags[at + 1] |= flag
        self._missed = not ranges or flag & (quality.STUCK | quality.WARM_UP) != 0
        if not self._missed:
            values[at] = self.counter.entered % TOTAL_MODULUS
            values[at + 1] = self.counter.left % TOTAL_MODULUS

    def _quality(self, ranges: int) -> int:
        if self._stuck:
            return quality.STUCK
        if not (self.counter.zones[0].learnt and self.counter.zones[1].learnt):
            return quality.WARM_UP
        flag = quality.FAULT if self._missed or ranges < FEW_RANGES else 0
        return flag | (quality.OUT_OF_RANGE if self.views[0].blocked or self.views[1].blocked else 0)

    def _stop_task(self) -> None:
        if self._task:
            self._task.cancel()
            self._task = None

    async def _boot(self) -> None:
        self._write(SOFT_RESET, 0, 1)
        await asyncio.sleep_ms(POLL_MS)
        self._write(SOFT_RESET, 1, 1)
        for _ in range(BOOT_MS // POLL_MS):
            await asyncio.sleep_ms(POLL_MS)
            try:
                if self._read(FIRMWARE_STATUS, self._byte)[0] & 1:
                    break
            except OSError:
                pass  # it does not answer while it boots; one that never does is found by the next line
        pair = self._read(MODEL_ID, bytearray(2))
        model = pair[0] << 8 | pair[1]
        if model != MODEL:
            raise SensorError("expected model %04x, got %04x: is it a VL53L1X?" % (MODEL, model))

    def _configure(self) -> None:
        for i in range(len(DEFAULTS)):
            self._write(DEFAULTS_AT + i, DEFAULTS[i], 1)
        a, b = BUDGETS[self._budget_ms]
        self._write(TIMEOUT_A, a, 2)
        self._write(TIMEOUT_B, b, 2)
        pair = self._read(OSCILLATOR, bytearray(2))
        clock = (pair[0] << 8 | pair[1]) & 0x3FF
        self._write(PERIOD, clock * self._budget_ms * 43 // 40, 4)

    async def _run(self) -> None:
        try:
            while True:
                await self._one_range()
                self._take()
        except (OSError, SensorError) as error:
            self._error = error  # the next read() raises it, and the sensor is started anew

    async def _one_range(self) -> None:
        """Range the zone whose turn it is into `_result`."""
        region = REGIONS[self._zone][self.views[self._zone].part]
        self._write(ROI, region[0] << 8 | region[1], 2)
        self._write(CLEAR, 1, 1)
        self._write(MODE, 0x40, 1)
        await asyncio.sleep_ms(self._budget_ms)
        for _ in range(2 * self._budget_ms):
            if self._read(INTERRUPT, self._byte)[0] & 1:
                break
            await asyncio.sleep_ms(POLL_MS)
        else:
            raise SensorError("expected a range within %d ms, got none" % (5 * self._budget_ms))
        self._read(RESULT, self._result)
        self._write(CLEAR, 1, 1)
        self._write(MODE, 0, 1)

    def _take(self) -> None:
        """Give the range to the counter and turn to the other zone."""
        now = self._ticks()
        elapsed_ms = time.ticks_diff(now, self._then)
        self._then = now
        status = self._result[0] & STATUS_MASK
        self._repeats = self._repeats + 1 if self._same() and status in GOOD else 0
        self._check(status)
        self.counter.step(self._zone, self._range_mm(status), elapsed_ms)
        self.views[self._zone].step(2 * elapsed_ms)
        self._zone = 1 - self._zone

    def _check(self, status: int) -> None:
        self._broken = self._broken + 1 if status in BROKEN else 0
        self._ranges += 0 if self._broken else 1
        if self._broken > BROKEN_MOST:
            raise SensorError("expected ranges, got status %d (hardware) %d times" % (status, self._broken))

    def _range_mm(self, status: int) -> int | None:
        """The range, None where there is none to be trusted."""
        range_mm = self._result[13] << 8 | self._result[14]
        return range_mm if status in GOOD and 0 < range_mm < FARTHEST_MM else None

    def _same(self) -> bool:
        """True when range, signal and ambient light are those of the range before, which was the other zone's."""
        same = True
        for i in range(7, RESULT_BYTES):
            if self._result[i] != self._last[i]:
                same = False
                self._last[i] = self._result[i]
        return same

    def _write(self, register: int, value: int, count: int) -> None:
        out = self._out
        out[0], out[1] = register >> 8, register & 0xFF
        for i in range(count):
            out[2 + i] = value >> 8 * (count - 1 - i) & 0xFF
        self._i2c.writeto(ADDRESS, self._views[count])

    def _read(self, register: int, into: bytearray) -> bytearray:
        self._out[0], self._out[1] = register >> 8, register & 0xFF
        self._i2c.writeto(ADDRESS, self._views[0])
        self._i2c.readfrom_into(ADDRESS, into)
        return into
