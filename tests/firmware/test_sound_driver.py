"""The microphone's driver on MicroPython: against the byte-level model on the virtual board, and under every fault."""

from __future__ import annotations

import json

PRELUDE = """
import asyncio, json, time
from machine import BOARD
from firmware.hal.buses import Buses
from firmware.sensing.drivers import SensorError
from firmware.sensing.drivers.microphone import open as open_microphone
from firmware.wire import quality

ROW = {"name": "noise", "driver": "microphone", "model": "ics43434", "bus": 0, "sck": 5, "ws": 6, "sd": 7}
async def second(driver, ms=1000):
    await asyncio.sleep_ms(ms)
    values, flags = [None] * 3, [0] * 3
    await driver.read(values, flags, 0)
    return values, flags
def fails(driver, words):
    async def go():
        await driver.start()
        for _ in range(2):
            await second(driver, 600)
    try:
        asyncio.run(go())
    except SensorError as error:
        assert words in str(error), error
        return
    raise AssertionError("expected SensorError: " + words)
"""


def passes(micropython, tmp_path, body: str, **virtual: object) -> None:
    (tmp_path / "virtual.json").write_text(json.dumps(virtual))
    done = micropython(PRELUDE + body, cwd=tmp_path, heap="224k")
    assert done.returncode == 0, done.stdout + done.stderr


def test_driver_reads_the_level_that_the_model_makes(micropython, tmp_path):
    passes(micropython, tmp_path, """
async def main():
    driver = open_microphone(ROW, Buses([]))
    await driver.start()
    assert await second(driver) == ([None] * 3, [quality.WARM_UP] * 3)
    before = driver._i2s._model.level_db()
    (laeq, lafmax, lafmin), flags = await second(driver)
    after = driver._i2s._model.level_db()
    assert min(before, after) - 0.3 < laeq / 10 < max(before, after) + 0.3, (laeq, before, after)
    assert lafmin <= laeq <= lafmax and flags == [0] * 3
    assert driver.calibration == "ics43434, equaliser 2 at 32000 Hz, -26.0 dBFS at 94 dB"
asyncio.run(main())
""", seed=3)  # fmt: skip


def test_stalled_loop_is_flagged_as_lost_samples_and_recovers(micropython, tmp_path):
    passes(micropython, tmp_path, """
async def main():
    driver = open_microphone(ROW, Buses([]))
    await driver.start()
    await second(driver); await second(driver)
    time.sleep_ms(400)
    values, flags = await second(driver, 700)
    assert values[0] is not None and flags == [quality.FAULT] * 3, (values, flags)
    assert 200 < driver.meter.lost_ms < 400, driver.meter.lost_ms
    for _ in range(2):
        values, flags = await second(driver)
    assert flags == [0] * 3
asyncio.run(main())
""")  # fmt: skip


def test_missing_and_frozen_microphone_are_errors(micropython, tmp_path):
    for fault in ("nack", "frozen"):
        passes(micropython, tmp_path, """
fails(open_microphone(ROW, Buses([])), "a dead line")
""", faults={"microphone": fault})  # fmt: skip


def test_microphone_in_the_other_slot_is_named(micropython, tmp_path):
    passes(micropython, tmp_path, """
fails(open_microphone(dict(ROW, slot=1), Buses([])), "expected the microphone in slot 1, found it in slot 0")
""")  # fmt: skip


def test_microphone_that_starts_anew_is_flagged_and_is_good_again(micropython, tmp_path):
    passes(micropython, tmp_path, """
async def main():
    driver = open_microphone(ROW, Buses([]))
    await driver.start()
    for _ in range(3): values, flags = await second(driver)
    assert flags == [0] * 3
    BOARD._config = {"faults": {"microphone": "brown_out"}}
    seen = []
    for _ in range(4):
        values, flags = await second(driver)
        seen.append(flags[0])
    anew = quality.FAULT | quality.WARM_UP
    assert anew in seen[:2] and seen[0] in (0, anew) and seen[-1] == 0 and values[0], seen
asyncio.run(main())
""")  # fmt: skip


def test_silent_bus_is_an_error_and_a_new_start_recovers(micropython, tmp_path):
    passes(micropython, tmp_path, """
async def main():
    driver = open_microphone(ROW, Buses([]))
    await driver.start()
    await second(driver); await second(driver)
    driver._i2s.deinit()
    try:
        await second(driver)
        await second(driver)
        raise AssertionError("expected SensorError")
    except SensorError as error:
        assert "got none in a second" in str(error), error
    await driver.start()
    await second(driver)
    values, flags = await second(driver)
    assert values[0] and flags == [0] * 3
asyncio.run(main())
""")  # fmt: skip


def test_wrong_rows_say_what_is_expected(micropython, tmp_path):
    passes(micropython, tmp_path, """
for change, words in (({"model": "x"}, "expected a model of ics43434, inmp441"), ({"rate_hz": 16000}, "at 16000")):
    try:
        open_microphone(dict(ROW, **change), Buses([]))
        raise AssertionError(words)
    except ValueError as error:
        assert words in str(error), error
""")  # fmt: skip


def test_seconds_of_sound_hold_no_more_memory(micropython, tmp_path):
    passes(micropython, tmp_path, """
import gc
async def main():
    driver = open_microphone(ROW, Buses([]))
    await driver.start()
    await second(driver); await second(driver)
    gc.collect(); before = gc.mem_alloc()
    for _ in range(6): await second(driver)
    gc.collect()
    assert gc.mem_alloc() - before < 512, gc.mem_alloc() - before
asyncio.run(main())
""")  # fmt: skip


def test_model_starts_with_zeros_and_keeps_the_other_slot_silent(micropython, tmp_path):
    passes(micropython, tmp_path, """
from firmware.virtual.models.microphone import Microphone
from array import array
model = Microphone(BOARD, 32000)
frames = array("i", bytes(8 * 640))
model.fill(frames, 0, 640)
assert not any(frames)
model.fill(frames, 200, 640)
ramp = max(frames)
model.fill(frames, 840, 640)
assert 0 < ramp < max(frames) and not any(frames[i] for i in range(1, 1280, 2))
assert not any(frames[i] & 255 for i in range(0, 1280, 2))   # 24 bits
""")  # fmt: skip
