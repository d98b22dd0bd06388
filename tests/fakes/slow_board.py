"""A virtual board whose time passes only while somebody sleeps, for tests of drivers that run on MicroPython.

`SlowBoard` is a real `firmware.virtual.board.Board` with ticks of its own; importing this replaces asyncio.sleep_ms.
"""

import asyncio

import machine

from firmware.sensing.opening import open_driver
from firmware.sensing.sensor import Sensor
from firmware.virtual.board import Board
from firmware.virtual.i2c import I2C

_real_sleep_ms = asyncio.sleep_ms
_now = [0]


async def _sleep_ms(ms):
    _now[0] += ms
    await _real_sleep_ms(0)


asyncio.sleep_ms = _sleep_ms


def now_ms():
    """Virtual milliseconds since the start."""
    return _now[0]


class SlowBoard(Board):
    """Faults are set by `fault_of[part] = fault`; `wiring` is the content of virtual.json."""

    def __init__(self, wiring):
        super().__init__(wiring, now_ms)
        self.fault_of = {}
        I2C._states = {}  # another board has other lines

    def fault(self, part):
        return self.fault_of.get(part, "")


def open_sensor(board, row, rows, errors):
    """The sensor of a row of node.json on that board; `rows` are its buses."""
    machine.BOARD = board
    from firmware.hal.buses import Buses

    return Sensor(row["name"], open_driver(row, Buses(rows)), 0, errors.append)


async def second(sensors):
    """Let a second pass and poll all; [(values, flags)]."""
    end = (_now[0] // 1000 + 1) * 1000
    while _now[0] < end:
        before = _now[0]
        await _real_sleep_ms(0)
        await _real_sleep_ms(0)
        if _now[0] == before:
            _now[0] = min(end, _now[0] + 5)
    out = []
    for sensor in sensors:
        values, flags = [None] * len(sensor.driver.inputs), [0] * len(sensor.driver.inputs)
        await sensor.poll(values, flags, _now[0] // 1000)
        out.append((values, flags))
    return out
