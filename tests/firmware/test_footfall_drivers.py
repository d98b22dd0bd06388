"""VL53L1X and LD2450 on real MicroPython: against their models, captured frames, and every fault.

The answers of the LD2450 to commands are the examples of Hi-Link's protocol V1.03.
"""

from pathlib import Path

import pytest

DATA = Path(__file__).parent.parent / "data" / "ld2450"
PRELUDE = """
import asyncio, time
from firmware.sensing.drivers import SensorError
from firmware.sensing.drivers.ld2450 import FRAME_BYTES, Frames, Ld2450, signed
from firmware.sensing.drivers.vl53l1x import Vl53l1x
from firmware.sensing.sensor import Sensor
from firmware.virtual.models import ld2450 as radar_model, vl53l1x as tof_model
from firmware.wire import quality

DATA = %r
VECTOR = bytes.fromhex("aaff03000e03b186100040010000000000000000000000000000000055cc")

class Board:
    "time that passes only while somebody sleeps, and one fault"
    seed = 5
    def __init__(self): self.now, self.bad = 0, ""
    def elapsed_ms(self): return self.now
    def fault(self, part): return self.bad

BOARD = Board()

async def sleep_ms(ms):
    BOARD.now += ms
    await real_sleep_ms(0)

real_sleep_ms = asyncio.sleep_ms
asyncio.sleep_ms = sleep_ms

class Doorway:
    "a walker every 5 s, in and out in turn; zone 0 is columns 0..5"
    def range_mm(self, centre, size, now):
        column = (centre - 128) // 8 if centre > 127 else (127 - centre) // 8
        zone = 0 if column < 8 else 1
        at, out = now %% 5000, now // 5000 %% 2
        first = 1000 if zone == out else 1250
        return 800 if first <= at < first + 500 else 2500

class OneBus:
    "an I2C bus with the model, as the shim of machine has it"
    def __init__(self, model): self.model = model
    def check(self):
        if BOARD.bad in ("nack", "timeout"):
            raise OSError(19 if BOARD.bad == "nack" else 116)
    def writeto(self, address, data):
        self.check()
        self.model.write(bytes(data))
    def readfrom_into(self, address, buf):
        self.check()
        buf[:] = self.model.read(len(buf))

class Path:
    "one target that walks along x, to and fro in 8 s"
    def targets(self, now):
        at = now %% 8000
        x = -2000 + at if at < 4000 else 6000 - at
        return [(x, 2500, 40 + now // 89 %% 3 * 8)]

class Port:
    "a UART with the model"
    def __init__(self, model): self.model, self.held = model, b""
    def write(self, data): self.model.write(data)
    def readinto(self, buf):
        self.held += self.model.take()
        out, self.held = self.held[:len(buf)], self.held[len(buf):]
        buf[:len(out)] = out
        return len(out) or None

def tof():
    model = tof_model.Vl53l1x(BOARD, Doorway())
    return Vl53l1x(OneBus(model), ticks=BOARD.elapsed_ms)

def radar():
    model = radar_model.Ld2450(BOARD, Path())
    return Ld2450(Port(model), (0, 4000, 0, 1000)), model

def watch(driver, errors):
    return Sensor("x", driver, 0, errors.append)

async def second(sensor):
    "one poll a second of virtual time; (values, flags)"
    values, flags = [None, None], [0, 0]
    end = BOARD.now + 1000
    while BOARD.now < end:
        before = BOARD.now
        await real_sleep_ms(0)
        await real_sleep_ms(0)
        if BOARD.now == before:
            BOARD.now += 5
    await sensor.poll(values, flags, BOARD.now // 1000)
    return values, flags

async def seconds(sensor, count):
    rows = []
    for _ in range(count):
        rows.append(await second(sensor))
    return rows
"""


@pytest.fixture
def passes(micropython):
    def run(body: str) -> None:
        done = micropython(PRELUDE % str(DATA) + body, timeout_s=60)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def test_ld2450_published_vector_decodes(passes):
    passes("""
frames = Frames()
assert [frames.push(byte) for byte in VECTOR].count(True) == 1
assert (frames.count, frames.xs[0], frames.ys[0], frames.speeds[0]) == (1, -782, 1713, -16)
assert signed(VECTOR, 4) == -782 and frames.garbage == 0
""")


def test_ld2450_captured_streams_decode_whole(passes):
    passes("""
for name, count, with_target in (("office-desk-30s.bin", 337, 252), ("office-empty-15s.bin", 180, 0)):
    frames, seen, xs, ys = Frames(), 0, [], []
    with open(DATA + "/" + name, "rb") as file:
        for byte in file.read():
            if frames.push(byte) and frames.count:
                seen += 1
                xs.append(frames.xs[0]); ys.append(frames.ys[0])
    assert (frames.frames, seen, frames.garbage, frames.rejected) == (count, with_target, 0, 0)
    assert not xs or (min(xs), max(xs), min(ys), max(ys)) == (91, 1043, 138, 2154)
""")


def test_ld2450_captured_desk_crosses_no_line_in_front_of_the_door(passes):
    passes("""
from firmware.sensing.footfall.line import LineCounter
counter, frames = LineCounter((-1500, 3500, 1500, 3500)), Frames()
with open(DATA + "/office-desk-30s.bin", "rb") as file:
    for byte in file.read():
        if frames.push(byte):
            counter.step(frames.count, frames.xs, frames.ys, frames.speeds, 89)
assert (counter.entered, counter.left) == (0, 0)
""")


def test_ld2450_resynchronises_after_every_cut_and_insertion(passes):
    passes("""
for cut in range(1, FRAME_BYTES):
    frames = Frames()
    stream = VECTOR + VECTOR[:cut] + VECTOR + VECTOR[cut:] + VECTOR
    good = sum(frames.push(byte) for byte in stream)
    assert good == 3 and frames.xs[0] == -782, (cut, good)
for noise in (b"\\xaa", b"\\xaa\\xff", b"\\xaa\\xff\\x03\\x00", b"\\x55\\xcc", b"\\xaa\\xff\\x03\\x00" * 9):
    frames = Frames()
    assert sum(frames.push(byte) for byte in noise + VECTOR + noise + VECTOR) == 2, noise
    assert frames.garbage == 2 * len(noise)
""")


def test_ld2450_impossible_numbers_are_rejected(passes):
    passes("""
for at, pair in ((4, b"\\xff\\xff"), (6, b"\\x10\\x00"), (8, b"\\xff\\x7f"), (10, b"\\xff\\xff")):
    frames = Frames()
    bad = VECTOR[:at] + pair + VECTOR[at + 2:]
    assert not any(frames.push(byte) for byte in bad) and frames.rejected == 1, at
""")


def test_ld2450_random_bytes_give_no_frame_and_no_error(passes):
    passes("""
state, frames = 1, Frames()
for _ in range(60000):
    state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
    frames.push(state >> 24)
assert frames.frames == 0
assert sum(frames.push(byte) for byte in VECTOR * 2) >= 1
""")


def test_ld2450_start_switches_bluetooth_off_once_and_counts(passes):
    passes("""
async def go():
    driver, model = radar()
    errors = []
    sensor = watch(driver, errors)
    rows = await seconds(sensor, 20)
    assert model.bluetooth is False and driver.bluetooth_off and errors == []
    assert rows[-1][0] in ([2, 2], [3, 2], [2, 1]) and rows[-1][1] == [0, 0], rows[-1]
    assert rows[0][0] == [None, None] and rows[0][1][0] & quality.WARM_UP
    restarts = []
    model._restart = lambda value: restarts.append(value) or b""
    await driver.start()
    assert restarts == []  # it was off already
asyncio.run(go())
""")


def test_ld2450_answers_are_those_of_the_protocol(passes):
    passes("""
model = radar_model.Ld2450(BOARD, Path())
model.write(bytes.fromhex("fdfcfbfa0400ff00010004030201"))
assert model.take().find(bytes.fromhex("fdfcfbfa0800ff0100000100400004030201")) >= 0
model.write(bytes.fromhex("fdfcfbfa0400a500010004030201"))
assert model.take().find(bytes.fromhex("fdfcfbfa0a00a50100008f272eb80f6504030201")) >= 0
model.write(bytes.fromhex("fdfcfbfa0400a400000004030201"))
assert model.take().find(bytes.fromhex("fdfcfbfa0400a401000004030201")) >= 0
model.write(bytes.fromhex("fdfcfbfa0200fe0004030201"))
assert model.take().find(bytes.fromhex("fdfcfbfa0400fe01000004030201")) >= 0
""")


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("silent", "got none"),
        ("half", "got none"),
        ("frozen", "got the same frame"),
    ],
)
def test_ld2450_fault_is_flagged_without_a_number_and_recovery_is_automatic(passes, fault, text):
    passes(f"""
async def go():
    driver, model = radar()
    errors = []
    sensor = watch(driver, errors)
    rows = await seconds(sensor, 6)
    before = rows[-1][0]
    assert before != [None, None]
    BOARD.bad = {fault!r}
    rows = await seconds(sensor, 40)
    late = rows[8:]
    assert all(values == [None, None] and flags[0] & (quality.FAULT | quality.STUCK | quality.WARM_UP)
               for values, flags in late), late[:3]
    assert any({text!r} in error for error in errors), errors
    assert not any("bug" in error for error in errors), errors
    BOARD.bad = ""
    rows = await seconds(sensor, 80)
    assert rows[-1][0] != [None, None] and rows[-1][1] == [0, 0]
    assert rows[-1][0][0] >= before[0]
    first = [flags for values, flags in rows if values != [None, None]][0]
    assert first[0] & quality.FAULT  # the interval holds time without counting
asyncio.run(go())
""")


def test_ld2450_garbage_in_the_stream_never_escapes_as_an_error(passes):
    passes("""
async def go():
    driver, model = radar()
    errors = []
    sensor = watch(driver, errors)
    await seconds(sensor, 5)
    BOARD.bad = "garbage"
    await seconds(sensor, 30)
    assert driver.frames.garbage > 100 and not any("bug" in error for error in errors), errors
asyncio.run(go())
""")


def test_ld2450_that_refuses_to_go_silent_on_bluetooth_is_not_used(passes):
    passes("""
async def go():
    BOARD.bad = "refuse"
    driver, model = radar()
    errors = []
    sensor = watch(driver, errors)
    rows = await seconds(sensor, 5)
    assert all(values == [None, None] and flags[0] & quality.FAULT for values, flags in rows)
    assert "expected status 0 for command ff, got 0001" in errors[0], errors
asyncio.run(go())
""")


def test_vl53l1x_counts_what_walks_through_its_model(passes):
    passes("""
async def go():
    errors = []
    driver = tof()
    sensor = watch(driver, errors)
    rows = await seconds(sensor, 40)
    assert errors == [] and rows[-1][1] == [0, 0], (errors, rows[-1])
    assert rows[0][0] == [None, None] and rows[0][1][0] & quality.WARM_UP
    total = rows[-1][0]
    assert 6 <= sum(total) <= 8 and abs(total[0] - total[1]) <= 1, total
asyncio.run(go())
""")


def test_vl53l1x_wrong_model_is_named(passes):
    passes("""
async def go():
    model = tof_model.Vl53l1x(BOARD, Doorway())
    model._reset = lambda: None
    model._registers[0x10F] = 0xEE
    try:
        await Vl53l1x(OneBus(model), ticks=BOARD.elapsed_ms).start()
    except SensorError as error:
        assert "expected model eacc, got eecc" in str(error)
    else:
        raise AssertionError
asyncio.run(go())
""")


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("nack", "19"),
        ("timeout", "116"),
        ("silent", "got none"),
        ("frozen", "got the same"),
        ("broken", "status 2 (hardware)"),
    ],
)
def test_vl53l1x_fault_is_flagged_without_a_number_and_recovery_is_automatic(passes, fault, text):
    passes(f"""
async def go():
    errors = []
    driver = tof()
    sensor = watch(driver, errors)
    rows = await seconds(sensor, 12)
    before = rows[-1][0]
    assert sum(before) >= 1, rows
    BOARD.bad = {fault!r}
    rows = await seconds(sensor, 20)
    late = rows[3:]
    assert all(values == [None, None] and flags[0] & (quality.FAULT | quality.STUCK) for values, flags in late), rows
    assert any({text!r} in error for error in errors), errors
    assert not any("bug" in error for error in errors), errors
    BOARD.bad = ""
    rows = await seconds(sensor, 90)
    good = [(values, flags) for values, flags in rows if values != [None, None]]
    assert good[0][1][0] & quality.FAULT and good[-1][1] == [0, 0], good
    assert good[-1][0][0] >= before[0] and good[-1][0][1] >= before[1]
asyncio.run(go())
""")


def test_vl53l1x_without_echo_counts_nothing_and_stays_alive(passes):
    passes("""
async def go():
    errors = []
    driver = tof()
    sensor = watch(driver, errors)
    rows = await seconds(sensor, 12)
    before = rows[-1][0]
    BOARD.bad = "blind"
    rows = await seconds(sensor, 10)
    assert errors == [] and rows[-1][0] == before
asyncio.run(go())
""")


def test_vl53l1x_busy_node_flags_the_second_it_missed(passes):
    passes("""
async def go():
    errors = []
    driver = tof()
    sensor = watch(driver, errors)
    await seconds(sensor, 12)
    BOARD.now += 3000  # something blocked the node
    driver._ranges = 1
    values, flags = [None, None], [0, 0]
    await sensor.poll(values, flags, BOARD.now // 1000)
    assert flags == [quality.FAULT] * 2 and values != [None, None]
asyncio.run(go())
""")


def test_both_drivers_do_not_grow(passes):
    passes("""
import gc
async def go():
    driver, model = radar()
    errors = []
    sensors = [watch(tof(), errors), watch(driver, errors)]
    for sensor in sensors: await seconds(sensor, 60)
    gc.collect(); before = gc.mem_alloc()
    for sensor in sensors: await seconds(sensor, 60)
    gc.collect()
    assert gc.mem_alloc() - before < 500, gc.mem_alloc() - before
    assert errors == []
asyncio.run(go())
""")
