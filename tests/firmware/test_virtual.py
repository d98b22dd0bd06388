"""The virtual hardware: models byte by byte, faults, traces, shims. All on real MicroPython."""

import json
import struct
from pathlib import Path

import pytest

TRACES = Path(__file__).parents[2] / "firmware" / "virtual" / "traces"
PRELUDE = """
import json, struct
from firmware.virtual.board import Board
from firmware.virtual.models import dnms, pulse_counter, sen55
from firmware.virtual.models import with_crc

class Ticks:
    def __init__(self): self.now = 0
    def __call__(self): return self.now

ticks = Ticks()

def board(**config):
    ticks.now = 0
    return Board(config, ticks)

def ask(model, command, count):
    model.write(bytes((command >> 8, command & 255)))
    answer = model.read(3 * count)
    words = b"".join(answer[i : i + 2] for i in range(0, len(answer), 3))
    assert with_crc(words) == answer, answer
    return words

def tell(model, command):
    model.write(bytes((command >> 8, command & 255)))

def refused(action, *arguments):
    try:
        action(*arguments)
    except OSError as error:
        return error.errno
    raise AssertionError("expected OSError")
"""


def passes(micropython, body: str, cwd: Path) -> None:
    done = micropython(PRELUDE + body, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr


def trace(name: str) -> list[tuple[int, ...]]:
    body = (TRACES / f"{name}.bin").read_bytes()
    columns, _, rows = struct.unpack_from("<HHI", body)
    return list(struct.iter_unpack(f"<{columns}h", body[8 : 8 + 2 * columns * rows]))


def test_sen55_model_follows_commands_and_data_ready(micropython, tmp_path):
    passes(micropython, """
model = sen55.make(board())
assert refused(model.read, 3) == 19 and refused(tell, model, 0x1234) == 19
assert ask(model, 0xD014, 16)[:5] == b"SEN55"
tell(model, 0x0021)
assert ask(model, 0x0202, 1) == bytes(2)
assert ask(model, 0x03C4, 8) == bytes.fromhex("ffff" * 4 + "7fff" * 4)
ticks.now = 1000
assert ask(model, 0x0202, 1) == bytes((0, 1))
first = ask(model, 0x03C4, 8)
assert struct.unpack(">4H4h", first)[7] == 0x7FFF
assert ask(model, 0x0202, 1) == bytes(2) and ask(model, 0x03C4, 8) == first
ticks.now = 11000
assert struct.unpack(">4H4h", ask(model, 0x03C4, 8))[7] == 10
tell(model, 0x0104)
ticks.now = 12000
assert ask(model, 0x0202, 1) == bytes(2)
""", tmp_path)  # fmt: skip


def test_sen55_model_status_is_sticky_until_cleared(micropython, tmp_path):
    passes(micropython, """
b = board(faults={"sen55": "fan"})
model = sen55.make(b)
tell(model, 0x0021)
assert refused(tell, sen55.make(b), 0x5607) == 19  # fan cleaning only while measuring
assert ask(model, 0xD206, 2) == bytes((0, 0, 0, 16))
b._config = {}
assert ask(model, 0xD206, 2) == bytes((0, 0, 0, 16)) == ask(model, 0xD210, 2)
assert ask(model, 0xD210, 2) == bytes(4)
tell(model, 0x5607)
assert ask(model, 0xD210, 2) == bytes((0, 8, 0, 0))
ticks.now = 10001
ask(model, 0xD210, 2)
assert ask(model, 0xD210, 2) == bytes(4)
""", tmp_path)  # fmt: skip


def test_sen55_model_frozen_repeats_old_values_without_ready(micropython, tmp_path):
    passes(micropython, """
b = board()
model = sen55.make(b)
tell(model, 0x0021)
ticks.now = 1000
first = ask(model, 0x03C4, 8)
b._config = {"faults": {"sen55": "frozen"}}
ticks.now = 3600000
assert ask(model, 0x0202, 1) == bytes(2) and ask(model, 0x03C4, 8) == first
""", tmp_path)  # fmt: skip


def test_sen55_model_replays_the_measured_rows(micropython, tmp_path):
    rows = trace("air")
    (tmp_path / "rows.json").write_text(json.dumps([rows[0], rows[1], rows[100]]))
    passes(micropython, """
rows = json.load(open("rows.json"))
for offset_s, row in ((0, rows[0]), (150, rows[1]), (15000, rows[2])):
    model = sen55.make(board(speed=0, offset_s=offset_s))
    tell(model, 0x0021)
    ticks.now = 1000
    raw = struct.unpack(">4H4h", ask(model, 0x03C4, 8))
    assert 0.8 * row[0] - 1 <= raw[1] <= 1.25 * row[0] and 0.8 * row[1] - 1 <= raw[3] <= 1.25 * row[1], (raw, row)
    assert abs(raw[4] - row[3]) <= 4 and abs(raw[5] - 2 * row[2]) <= 304
    assert raw[0] <= raw[1] <= raw[2] <= raw[3]
model = sen55.make(board(speed=0, offset_s=75))
assert model._air._trace.at(75000)[2] == (rows[0][2] + rows[1][2]) // 2
""", tmp_path)  # fmt: skip


def test_dnms_model_interval_is_the_energetic_mean_of_its_seconds(micropython, tmp_path):
    (tmp_path / "rows.json").write_text(json.dumps([row[0] for row in trace("levels")[:60]]))
    passes(micropython, """
import math
rows = json.load(open("rows.json"))
model = dnms.make(board())
assert ask(model, 0x0004, 1) == bytes(2)
for seconds in (1, 59):
    ticks.now += 1000 * seconds
    tell(model, 0x0003)
    assert ask(model, 0x0004, 1) == bytes(2)
    ticks.now += 5
    assert ask(model, 0x0004, 1) == bytes((0, 1))
    laeq, lamin, lamax = struct.unpack(">3f", ask(model, 0x0005, 6))
    now = [r + model._louder for r in (rows[:1] if seconds == 1 else rows[1:60])]
    energy = sum(10 ** (r / 100) for r in now) / len(now)
    assert abs(laeq - 10 * math.log10(energy)) < 1e-4 and abs(lamin - min(now) / 10) < 1e-4
    assert abs(lamax - max(now) / 10) < 1e-4
""", tmp_path)  # fmt: skip


def test_counter_model_draws_about_the_counted_people(micropython, tmp_path):
    people = [list(row) for row in trace("footfall")[12:18]]
    (tmp_path / "rows.json").write_text(json.dumps(people))
    passes(micropython, """
people = json.load(open("rows.json"))
b = board(offset_s=12 * 3600)
both = [pulse_counter.make(b, part) for part in ("footfall_in", "footfall_out")]
twin = pulse_counter.make(b, "footfall_in")
last = [0, 0]
for hour in people:
    for _ in range(60):
        ticks.now += 60000
        now = [model.pulses() for model in both]
        assert now[0] >= last[0] and now[1] >= last[1]
    seen, counted = sum(now) - sum(last), hour[both[0]._street]
    assert abs(seen - counted) < 4.5 * counted ** 0.5, (seen, counted)
    last = now
assert twin.pulses() == both[0].pulses() != both[1].pulses()
""", tmp_path)  # fmt: skip


def test_counter_model_frozen_stands_still_and_goes_on(micropython, tmp_path):
    passes(micropython, """
b = board(offset_s=12 * 3600)
model = pulse_counter.make(b, "footfall_in")
ticks.now = 600000
count = model.pulses()
b._config = {"faults": {"footfall_in": "frozen"}}
assert count == model.pulses() > 0
ticks.now = 1200000
assert model.pulses() == count
b._config = {}
assert model.pulses() > count
""", tmp_path)  # fmt: skip


def test_sites_with_other_seeds_look_different(micropython, tmp_path):
    passes(micropython, """
seen = set()
for seed in range(1, 13):
    b = board(seed=seed)
    air, level = sen55.make(b), dnms.make(b)
    seen.add((int(air._air._pm_gain * 100), air._air._warmer, level._louder))
assert len(seen) == 12, seen
""", tmp_path)  # fmt: skip


def test_bus_answers_like_esp32_and_faults_switch_while_running(micropython, tmp_path):
    passes(micropython, """
import machine, time
bus = machine.I2C(0)
assert bus.scan() == [85, 105] and machine.I2C(1).scan() == []
assert refused(bus.writeto, 0x42, b"ab") == 19
buf = bytearray(48)
bus.writeto(0x69, bytes.fromhex("d014"))
bus.readfrom_into(0x69, buf)
assert with_crc(b"SE") == bytes(buf[:3])
for fault, errno in (("nack", 19), ("timeout", 116), ("bad_crc", 0)):
    json.dump({"faults": {"sen55": fault}}, open("virtual.json", "w"))
    time.sleep_ms(1100)
    if errno:
        assert refused(bus.writeto, 0x69, bytes.fromhex("d014")) == errno
    else:
        bus.writeto(0x69, bytes.fromhex("d014"))
        bus.readfrom_into(0x69, buf)
        assert with_crc(b"SE") != bytes(buf[:3])
    bus.writeto(0x55, bytes.fromhex("0003"))
""", tmp_path)  # fmt: skip


def test_reset_ends_the_process_and_is_the_next_cause(micropython, tmp_path):
    first = micropython("import machine; print(machine.reset_cause()); machine.reset()", cwd=tmp_path)
    second = micropython("import machine; print(machine.reset_cause())", cwd=tmp_path)
    third = micropython("import machine; print(machine.reset_cause())", cwd=tmp_path)
    assert (first.returncode, first.stdout, second.stdout, third.stdout) == (75, "1\n", "2\n", "1\n")


def test_watchdog_bites_when_it_is_fed_too_late(micropython, tmp_path):
    script = "import machine, time\nw = machine.WDT(timeout=30)\nw.feed(); time.sleep_ms(%d); w.feed()"
    assert micropython(script % 1, cwd=tmp_path).returncode == 0
    assert micropython(script % 60, cwd=tmp_path).returncode == 75
    assert micropython("import machine; print(machine.reset_cause())", cwd=tmp_path).stdout == "3\n"


@pytest.mark.parametrize(("text", "joined"), [("{}", True), ('{"wifi": "down"}', False)])
def test_wifi_is_joined_unless_the_file_says_otherwise(micropython, tmp_path, text, joined):
    (tmp_path / "virtual.json").write_text(text)
    passes(micropython, f"""
import asyncio
from firmware.hal.wifi import Wifi
wifi = Wifi({{"ssid": "a", "password": "b"}})
assert wifi.rssi() is None
assert asyncio.run(wifi.join(300)) is {joined} is wifi.connected()
assert (wifi.rssi() == -61) is {joined}
""", tmp_path)  # fmt: skip


def test_clock_in_1970_is_none_until_it_is_set(micropython, tmp_path):
    (tmp_path / "virtual.json").write_text('{"clock": {"unix_s": 0, "sync_after_s": 1}}')
    passes(micropython, """
import time
from firmware.hal.clock import Clock
clock = Clock()
assert clock.unix_s() is None
time.sleep_ms(1100)
assert clock.unix_s() > 1767225600
""", tmp_path)  # fmt: skip


def test_hal_clock_hides_epoch_wrap_and_impossible_years(micropython, tmp_path):
    passes(micropython, """
from firmware.hal.clock import Clock, FLOOR_UNIX_S
assert Clock(lambda: 820540800, 2000).unix_s() == FLOOR_UNIX_S
assert Clock(lambda: 820540799, 2000).unix_s() is None
assert Clock(lambda: 1800000000.9, 1970).unix_s() == 1800000000
assert Clock(lambda: 4294967296, 1970).unix_s() is None
period = 1 << 30
ticks.now = period - 1500
import time
try:
    assert time.ticks_diff(0, period - 1) == 1
except AssertionError:
    period = 1 << 62  # this port's counter is wider; its wrap is the same arithmetic
    ticks.now = period - 1500
clock = Clock(lambda: 0, 1970, ticks)
ticks.now = 700
ticks.now = (period + 700) % period
assert clock.uptime_s() == 2, clock.uptime_s()
ticks.now += 800
assert clock.uptime_s() == 3, clock.uptime_s()
assert 1 <= clock.ms_to_next_second() <= 1000
""", tmp_path)  # fmt: skip
