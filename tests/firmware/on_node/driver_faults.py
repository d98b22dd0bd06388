"""Runs on MicroPython: one driver, one fault, beside a healthy twin of the same site; see test_driver_faults.

Three phases: healthy; the fault; healthy again. In none may an exception escape or a "bug" be noted. A value without a
flag must be what the twin reads, within the noise of its kind; after `hidden_s` seconds of the fault there must be
nothing without a flag, when the fault is one that can be noticed ("fan": no particulate matter), and before that a
frozen value may be an old one; in the end all must be good again.
"""

import asyncio
import json
import sys

from slow_board import SlowBoard, open_sensor, second

CASE = json.loads(sys.argv[1])
BUSES = [{"bus": 0, "scl": 9, "sda": 8}]
NOISE = {
    "temperature": 3,
    "relative_humidity": 4,
    "pressure": 3,
    "pm1": 15,
    "pm2_5": 15,
    "pm4": 15,
    "pm10": 15,
    "co2": 3,
}
NOISE.update({"voc_index": 5, "nox_index": 5, "laeq": 400, "lamax": 400})


def build(fault_of_board, errors):
    board = SlowBoard(dict(CASE["wiring"], seed=4, offset_s=30000))
    return board, open_sensor(board, dict(CASE["row"], name="x"), BUSES, errors)


def check(row, twin, names, must_flag, may_be_old, when):
    """How many values of a second are good; AssertionError for a wrong one."""
    good = 0
    for value, flag, true, name in zip(row[0], row[1], twin[0], names):
        if value is None or flag:
            continue
        excused = CASE["fault"] == "fan" and name[:2] != "pm"
        assert excused or not must_flag, f"{when}: {name} = {value} passes as good"
        good += 1
        if true is not None and not may_be_old:
            assert abs(value - true) <= NOISE[name], f"{when}: {name} = {value}, true is {true}"
    return good


async def phase(board, sensors, seconds, must_flag_after, when):
    """The good values of the last ten seconds."""
    names, last = sensors[0].driver.inputs, []
    may_be_old = when[:5] == "under" and CASE["fault"] in ("frozen", "still")
    for i in range(seconds):
        row, twin = await second(sensors)
        last.append(check(row, twin, names, i >= must_flag_after, may_be_old, f"{when}, second {i}"))
    return last[-10:]


async def main():
    errors, none = [], []
    healthy, twin = build(None, none)
    board, sensor = build(None, errors)
    sensors = (sensor, twin)
    fault, hidden_s = CASE["fault"], CASE["hidden_s"]
    good = await phase(board, sensors, 100, 9999, "before")
    assert sum(good) and not errors, (good, errors)
    board.fault_of[CASE["part"]] = fault
    seconds = 120 + (hidden_s if hidden_s < 9999 else 0)
    await phase(board, sensors, seconds, hidden_s, "under " + fault)
    board.fault_of.clear()
    good = await phase(board, sensors, 200, 9999, "after")
    assert sum(good) >= CASE["least_good"], good
    assert not [error for error in errors if "bug" in error], errors
    assert not none, none
    if CASE["heard"]:
        assert [error for error in errors if CASE["heard"] in error], errors


asyncio.run(main())
