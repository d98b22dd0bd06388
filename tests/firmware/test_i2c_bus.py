"""A held I2C bus is clocked free, and only the sensor that held it has noticed. On real MicroPython, virtual board."""

from __future__ import annotations

from pathlib import Path

FAKES = Path(__file__).parent.parent / "fakes"
PRELUDE = """
import asyncio
from slow_board import SlowBoard, open_sensor, second
import machine
from firmware.hal.i2c import Bus

PINS = {"bus": 0, "scl": 9, "sda": 8}

def held(row):
    board = SlowBoard({"i2c": {"0": {"68": "sht45", "98": "scd41"}}})
    machine.BOARD = board
    bus = Bus(0, row)
    board.fault_of["sht45"] = "stuck"
    try:
        bus.writeto(0x44, b"\\xfd")
        raise AssertionError
    except OSError as error:
        assert error.errno == 116
    return bus

def works(bus, address, data):
    try:
        bus.writeto(address, data)
    except OSError as error:
        return error.errno
    return 0
"""


def passes(micropython, tmp_path, body: str) -> None:
    done = micropython(PRELUDE + body, path=[FAKES], cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_held_bus_is_clocked_free_at_once(micropython, tmp_path):
    passes(micropython, tmp_path, """
bus = held(PINS)
assert bus.cleared == 1
assert works(bus, 0x44, b"\\xfd") == 0 and works(bus, 0x62, b"\\x3f\\x86") == 0 and bus.cleared == 1
""")  # fmt: skip


def test_bus_without_known_pins_cannot_be_clocked_and_stays_held(micropython, tmp_path):
    passes(micropython, tmp_path, """
bus = held({"bus": 0})
assert works(bus, 0x62, b"\\x3f\\x86") == 116 and bus.cleared == 2
""")  # fmt: skip


def test_absent_device_does_not_clear_the_bus(micropython, tmp_path):
    passes(micropython, tmp_path, """
machine.BOARD = SlowBoard({"i2c": {"0": {"68": "sht45"}}})
bus = Bus(0, PINS)
assert works(bus, 0x10, b"\\x00") == 19 and bus.cleared == 0
""")  # fmt: skip


def test_sensor_that_holds_the_bus_stops_no_other(micropython, tmp_path):
    passes(micropython, tmp_path, """
board, errors = SlowBoard({"i2c": {"0": {"68": "sht45", "118": "bme280"}}}), []
sensors = [open_sensor(board, {"name": n, "driver": n, "bus": 0}, [PINS], errors) for n in ("sht45", "bme280")]
async def main():
    for _ in range(5): await second(sensors)
    board.fault_of["sht45"] = "stuck"
    (values, flags), (others, other_flags) = await second(sensors)
    assert values == [None, None] and flags[0] and None not in others and not any(other_flags), (values, others)
    for _ in range(3): rows = await second(sensors)
    assert None not in rows[0][0] and not any(rows[0][1]), rows
    assert [error.split(":")[0] for error in errors] == ["sht45"], errors
asyncio.run(main())
""")  # fmt: skip
