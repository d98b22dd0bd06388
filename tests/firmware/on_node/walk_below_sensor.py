"""Let generated walks happen below the VL53L1X model and count them with the driver; runs on MicroPython.

`walk_below_sensor.py FILE STEP_MS`: FILE as in tests/benchmarks/on_micropython/count_ranges.py. Time passes only while
somebody sleeps. Prints the totals after each episode.
"""

import asyncio
import struct
import sys
from array import array

from firmware.sensing.drivers.vl53l1x import Vl53l1x
from firmware.virtual.models.vl53l1x import Vl53l1x as Model

STEP_MS = int(sys.argv[2])
real_sleep_ms = asyncio.sleep_ms


class Board:
    """Time that is moved by sleeping, and a sound sensor."""

    seed, now = 3, 0

    def elapsed_ms(self):
        return self.now

    def fault(self, part):
        return ""


class Scene:
    """The ranges of an episode by zone, part of the view and time."""

    def __init__(self):
        self.parts, self.start = None, 0

    def range_mm(self, centre, size, now):
        column = (centre - 128) // 8 if centre > 127 else (127 - centre) // 8
        rows = 0 if size >> 4 == 15 else 1 if centre > 127 else 2
        at = (now - self.start) // STEP_MS // 2 * 2 + (column > 7)
        return self.parts[rows][min(at, len(self.parts[0]) - 1)]


class Bus:
    """An I2C bus with the model alone."""

    def __init__(self, model):
        self.model = model

    def writeto(self, address, data):
        self.model.write(bytes(data))

    def readfrom_into(self, address, buf):
        buf[:] = self.model.read(len(buf))


async def main(path):
    board, scene = Board(), Scene()

    async def sleep_ms(ms):
        board.now += ms
        await real_sleep_ms(0)

    asyncio.sleep_ms = sleep_ms
    driver = Vl53l1x(Bus(Model(board, scene)), ticks=board.elapsed_ms)
    with open(path, "rb") as file:
        while True:
            head = file.read(4)
            if len(head) < 4:
                return
            count = struct.unpack("<I", head)[0]
            scene.parts = [array("H", file.read(2 * count)) for _ in range(3)]
            scene.start = board.now
            if not driver.counter.zones[0].learnt:
                await driver.start()
            while board.now < scene.start + count * STEP_MS:
                await real_sleep_ms(0)
            print(driver.counter.entered, driver.counter.left)


asyncio.run(main(sys.argv[1]))
