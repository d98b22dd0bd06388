"""Drivers of air sensors on real MicroPython: captured frames, hand-made answers, worked examples.

What they do under faults: test_driver_faults.

The captured frames are in tests/data/uart_frames (MIT). Where a part has none, its test says what it is held against.
"""

from __future__ import annotations

import csv
import json
import struct
from pathlib import Path

import pytest

FAKES = Path(__file__).parent.parent / "fakes"
DATA = Path(__file__).parent.parent / "data" / "uart_frames"
PRELUDE = """
import asyncio, json, struct
from node_parts import TableI2C, crc_words
from firmware.sensing.drivers import SensorError
from firmware.sensing.opening import open_driver
from firmware.wire import quality

READY = crc_words(b"\\x00\\x01")

class Buses:
    def __init__(self, bus): self.bus = bus
    def i2c(self, number): return self.bus
    def uart(self, row, baud, rx_bytes): return self.bus

class Port:
    def __init__(self): self.sent, self.waiting = [], b""
    def write(self, data): self.sent.append(data)
    def readinto(self, buf):
        out, self.waiting = self.waiting[:len(buf)], self.waiting[len(buf):]
        buf[:len(out)] = out
        return len(out) or None

def opened(driver, bus, **more):
    return open_driver(dict({"name": "x", "driver": driver, "bus": 0, "uart": 1}, **more), Buses(bus))

def read(driver, times=1):
    async def go():
        for _ in range(times):
            values, flags = [None] * len(driver.inputs), [0] * len(driver.inputs)
            await driver.read(values, flags, 0)
        return dict(zip(driver.inputs, values)), dict(zip(driver.inputs, flags))
    return asyncio.run(go())

def expect(error, text, action, *arguments):
    try:
        action(*arguments)
    except error as caught:
        assert text in str(caught), str(caught)
    else:
        raise AssertionError("expected " + text)
"""


def frames(sensor: str) -> list[bytes]:
    """The captured frames of a sensor."""
    with (DATA / "pm_frames.csv").open() as file:
        return [bytes.fromhex(row["hex"]) for row in csv.DictReader(file) if row["sensor"] == sensor]


def decoded(sensor: str) -> list[dict[str, float]]:
    """What the captured frames mean."""
    with (DATA / f"decoded_{sensor}.csv").open() as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    return [{name: float(value) for name, value in row.items()} for row in rows]


@pytest.fixture
def passes(micropython, tmp_path):
    def run(body: str, **data: object) -> None:
        (tmp_path / "data.json").write_text(json.dumps(data))
        done = micropython(PRELUDE + "DATA = json.load(open('data.json'))\n" + body, path=[FAKES], cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


UART_CASES = [
    ("PMSx003", "pms5003", {}, {"pm01": "pm1", "pm25": "pm2_5", "pm10": "pm10"}),
    ("PMS3003", "pms5003", {"model": "pms3003"}, {"pm01": "pm1", "pm25": "pm2_5", "pm10": "pm10"}),
    (
        "PMS5003T", "pms5003t", {},
        {"pm01": "pm1", "pm25": "pm2_5", "pm10": "pm10", "temp": "temperature", "rhum": "relative_humidity"},
    ),
    ("SDS01x", "sds011", {}, {"pm25": "pm2_5", "pm10": "pm10"}),
]  # fmt: skip


@pytest.mark.parametrize(("sensor", "driver", "more", "names"), UART_CASES, ids=lambda word: str(word)[:12])
def test_captured_frames_decode_whole_and_behind_garbage(passes, sensor, driver, more, names):
    wanted = [{names[key]: round(10 * row[key]) for key in names} for row in decoded(sensor)]
    passes("""
for junk in (b"", b"\\x42", b"\\x42\\x4d\\x00\\x1c\\x42", b"\\xaa", b"\\xaa\\xc0\\xaa", bytes(40)):
    port = Port()
    driver = opened(DATA["driver"], port, **DATA["more"])
    asyncio.run(driver.start())
    assert port.sent
    for frame, wanted in zip(DATA["frames"], DATA["wanted"]):
        port.waiting = junk + bytes(frame)
        values, flags = read(driver)
        assert {name: values[name] for name in wanted} == wanted, (values, wanted)
        assert set(flags.values()) == {quality.WARM_UP}
""", frames=[list(frame) for frame in frames(sensor)], wanted=wanted, driver=driver, more=more)  # fmt: skip


def test_frames_of_relatives_and_spoilt_frames_are_refused(passes):
    others = [list(frame) for frame in frames("SDS198") + frames("PMS3003") + frames("SPS30")]
    spoilt = []
    for frame in (frames("SDS01x")[0], frames("PMSx003")[0]):
        for i in range(len(frame)):
            spoilt.append(list(frame[:i] + bytes([frame[i] ^ 1]) + frame[i + 1 :]))
    passes("""
for driver in ("sds011", "pms5003"):
    for frame in DATA["others"] + DATA["spoilt"]:
        port = Port()
        made = opened(driver, port)
        port.waiting = bytes(frame)
        values, _ = read(made)
        assert set(values.values()) == {None}, (driver, frame)
""", others=others, spoilt=spoilt)  # fmt: skip


def test_sds011_without_data_yet_is_missing(passes):
    passes("""
port = Port()
driver = opened("sds011", port)
asyncio.run(driver.start())
assert port.sent[0] == bytes.fromhex("aab406010100000000000000000000ffff06ab")
frame = bytes.fromhex("aac00000000058d931ab")
for _ in range(20):
    port.waiting = frame
    values, flags = read(driver)
assert values == {"pm2_5": None, "pm10": None} and flags["pm10"] == quality.FAULT
""")  # fmt: skip


def test_pms5003_error_code_and_range_are_flagged(passes):
    frame = bytearray(frames("PMSx003")[0])
    frame[29] = 2
    frame[14:16] = struct.pack(">H", 1001)
    frame[30:32] = struct.pack(">H", sum(frame[:30]))
    passes("""
port = Port()
driver = opened("pms5003", port)
driver._settle = 0
port.waiting = bytes(DATA["frame"])
values, flags = read(driver)
assert values["pm10"] == 10010 and flags["pm10"] == quality.OUT_OF_RANGE | quality.FAULT, (values, flags)
assert flags["pm1"] == quality.FAULT
expect(ValueError, "expected a model of pms3003, pms5003, pms7003", lambda: opened("pms5003", Port(), model="x"))
""", frame=list(frame))  # fmt: skip


def sps30_floats() -> list[list[int]]:
    """The bytes of four floats in each captured frame, without SHDLC's frame and stuffing."""
    out = []
    for frame in frames("SPS30"):
        body, i = bytearray(), 1
        while frame[i] != 0x7E:
            step = 2 if frame[i] == 0x7D else 1
            body.append(frame[i + 1] ^ 0x20 if step == 2 else frame[i])
            i += step
        out.append(list(body[4:20]))
    return out


def test_sps30_floats_are_those_of_captured_frames(passes):
    names = {"pm01": "pm1", "pm25": "pm2_5", "pm04": "pm4", "pm10": "pm10"}
    wanted = [{names[key]: row[key] for key in names} for row in decoded("SPS30")]
    passes("""
for floats, wanted in zip(DATA["floats"], DATA["wanted"]):
    bus = TableI2C({0xD100: crc_words(b"\\x02\\x03"), 0x0202: READY, 0x0300: crc_words(bytes(floats)),
                    0xD206: crc_words(bytes(4))})
    driver = opened("sps30", bus)
    values, flags = read(driver)
    assert all(abs(values[name] - 10 * wanted[name]) <= 1 for name in wanted), (values, wanted)
""", floats=sps30_floats(), wanted=wanted)  # fmt: skip


def test_sps30_impossible_floats_and_status_bits_are_faults(passes):
    passes("""
def go(floats, status):
    bus = TableI2C({0xD100: crc_words(b"\\x02\\x03"), 0x0202: READY, 0x0300: crc_words(struct.pack(">4f", *floats)),
                    0xD206: crc_words(struct.pack(">I", status))})
    driver = opened("sps30", bus)
    asyncio.run(driver.start())
    driver._reads = 99
    return read(driver)
for bad in (float("nan"), float("inf"), -1.0, 1e30):
    values, flags = go((1, bad, 2, 3), 0)
    assert values["pm2_5"] is None and flags["pm2_5"] == quality.FAULT and not flags["pm1"]
for bit in (4, 5, 21):
    values, flags = go((1, 1, 2, 3), 1 << bit)
    assert set(flags.values()) == {quality.FAULT} and values["pm1"] == 10
assert go((1, 1, 2, 1001), 0)[1]["pm10"] == quality.OUT_OF_RANGE
""")  # fmt: skip


def test_sen66_words_status_and_altitude(passes):
    """Model only: hand-made words."""
    passes("""
from firmware.sensing.drivers import sen5x6x
words = struct.pack(">4H4hH", 43, 46, 46, 46, 5726, 4898, 980, 10, 421)
for status, bad in ((0, ()), (1 << 9, ("co2",)), (1 << 11, ("pm1", "pm2_5", "pm4", "pm10"))):
    bus = TableI2C({0x0202: READY, 0x0300: crc_words(words), 0xD210: crc_words(struct.pack(">I", status))})
    driver = opened("sen66", bus)
    driver._reads = 99
    values, flags = read(driver)
    assert values["co2"] == 421 and values["temperature"] == 245 and values["relative_humidity"] == 573, values
    assert tuple(sorted(n for n in flags if flags[n])) == tuple(sorted(bad)), flags
unknown = struct.pack(">4H4hH", 43, 46, 46, 46, 5726, 4898, 980, 10, 0xFFFF)
bus = TableI2C({0x0202: READY, 0x0300: crc_words(unknown), 0xD210: crc_words(bytes(4))})
driver = opened("sen66", bus, altitude_m=690)
asyncio.run(driver.start())
read(driver, 3)
assert bus.commands == [(0x6B, 0x0104), (0x6B, 0x6736), (0x6B, 0x0021)], bus.commands
assert driver.calibration == "altitude 690 m"
driver._reads = 99
values, flags = read(driver)
assert values["co2"] is None and flags["co2"] == quality.FAULT
""")  # fmt: skip


def test_scd41_scales_masks_and_sets_the_altitude(passes):
    """Model only: the data sheet's formulas at both ends."""
    passes("""
def go(ready, co2, t, rh):
    bus = TableI2C({0xE4B8: crc_words(struct.pack(">H", ready)), 0xEC05: crc_words(struct.pack(">3H", co2, t, rh))})
    driver = opened("scd41", bus, altitude_m=690)
    asyncio.run(driver.start())
    read(driver, 2)
    assert bus.commands == [(0x62, 0x3F86), (0x62, 0x2427), (0x62, 0x21B1)], bus.commands
    driver._readings = 99
    return read(driver) + (driver,)
values, flags, driver = go(0x8006, 500, 0x6667, 0x5EB9)
assert values == {"co2": 500, "temperature": 250, "relative_humidity": 370} and not any(flags.values()), values
assert driver.calibration == "altitude 690 m" and driver.period_s == 5
assert go(0x8000, 500, 0x6667, 0x5EB9)[0]["co2"] is None       # not ready: only the lower 11 bits speak
assert go(6, 500, 0, 0xFFFF)[0] == {"co2": 500, "temperature": -450, "relative_humidity": 1000}
values, flags, _ = go(6, 0xFFFF, 0x6667, 0x5EB9)
assert values["co2"] is None and flags["co2"] == quality.FAULT
assert go(6, 5001, 0x6667, 0x5EB9)[1]["co2"] == quality.OUT_OF_RANGE
""")  # fmt: skip


def test_sht45_scales_clamps_and_checks(passes):
    """Model only: the data sheet's formulas at both ends, CRC vector BE EF 92."""
    passes("""
class Bus:
    answer = b""
    def writeto(self, address, data): self.last = bytes(data)
    def readfrom_into(self, address, buf): buf[:] = self.answer
def go(t, rh, **more):
    bus = Bus()
    bus.answer = crc_words(struct.pack(">2H", t, rh))
    driver = opened("sht45", bus, **more)
    asyncio.run(driver.start())
    return driver, bus
driver, bus = go(0xBEEF, 0x8000)
values, flags = read(driver)
assert bus.answer[2] == 0x92 and values == {"temperature": 855, "relative_humidity": 565}, values
assert read(go(0, 0)[0])[0] == {"temperature": -450, "relative_humidity": 0}
assert read(go(0xFFFF, 0xFFFF)[0])[0] == {"temperature": 1300, "relative_humidity": 1000}
bus.answer = bus.answer[:5] + bytes((bus.answer[5] ^ 1,))
expect(SensorError, "word 1: expected CRC", read, driver)
driver, bus = go(0x6666, 0x8000, every_s=10)
assert [read(driver)[0]["temperature"] for _ in range(11)] == [250] + [None] * 9 + [250]
""")  # fmt: skip


def test_bme280_compensates_bosch_worked_example(passes):
    """T and P: BMP280 data sheet 3.12 (25.08 degrees, 100653.27 Pa); all: beside the floating-point formulas of 8.1."""
    passes("""
from firmware.sensing.drivers import bme280 as driver
from firmware.virtual.models import bme280 as model
fine = driver.fine_temperature(model.T, 519888)
assert fine == 128422 and abs(driver.pressure_q8(model.P, fine, 415148) / 256 - 100653.27) < 0.05
for celsius in range(-40, 86, 5):
    raw = model.raw_for(5120 * celsius, 0xFFFFF, model.fine)
    fine, true = driver.fine_temperature(model.T, raw), model.fine(raw)
    assert abs(fine - true) < 26, (celsius, fine, true)
    for raw in range(200000, 600000, 20000):
        pascal = model.pascal(true, raw)
        if 30000 <= pascal <= 110000:
            assert abs(driver.pressure_q8(model.P, fine, raw) / 256 - pascal) < 1, (celsius, raw)
    for raw in range(10000, 50000, 1000):
        percent = max(0, min(100, model.percent(true, raw)))
        assert abs(driver.humidity_q10(model.H, fine, raw) / 1024 - percent) < 0.05, (celsius, raw, percent)
assert driver.pressure_q8((0,) * 9, 128422, 415148) == 0
""")  # fmt: skip


def test_bme280_refuses_a_bmp280(passes):
    passes("""
class Bus:
    def writeto(self, address, data): self.register = data[0]
    def readfrom_into(self, address, buf): buf[:] = bytes((0x58,)) * len(buf)
driver = opened("bme280", Bus())
expect(SensorError, "expected chip 60 (BME280), got 58 (BMP280)", asyncio.run, driver.start())
expect(ValueError, "expected address 118 or 119", lambda: opened("bme280", Bus(), address=1))
""")  # fmt: skip


def test_stuck_answers_are_missing_then_the_sensor_is_started_again(passes):
    passes("""
words = struct.pack(">4H4h", 1, 2, 3, 4, 5000, 4000, 1000, 10)
bus = TableI2C({0x0202: READY, 0x03C4: crc_words(words), 0xD210: crc_words(bytes(4))})
driver = opened("sen55", bus)
driver._reads = 99
values, flags = read(driver, 60)
assert values["pm1"] == 1 and not flags["pm1"]
values, flags = read(driver)
assert values["pm1"] is None and set(flags.values()) == {quality.STUCK}
expect(SensorError, "expected answers with noise, got the same 121 times", read, driver, 61)
asyncio.run(driver.start())
read(driver, 2)
values, flags = read(driver, 40)
assert set(values.values()) == {None}    # the same after a start is still stuck
""")  # fmt: skip
