"""What survives a reset, who is alive, what the LED says: on real MicroPython."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from firmware.hal import led
from firmware.health import note
from tests.conftest import ROOT, Run, find_micropython, micropython_path
from tests.firmware.test_app import READ_OUTBOX, SENSORS
from tests.waiting import wait_for

RTC = """
from firmware.hal.rtc import Rtc
kept = [b""]
def memory(data=None):
    if data is None:
        return kept[0]
    kept[0] = bytes(data)
"""


def passes(micropython: Run, body: str, cwd: Path | None = None) -> None:
    done = micropython(body, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rtc_keeps_note_and_frame_whole(micropython: Run) -> None:
    passes(micropython, RTC + """
rtc = Rtc(memory)
assert (rtc.note, rtc.frame) == (b"", b"")
buf = rtc.reserve(1000)
buf[:3] = b"abc"
assert rtc.keep(b"note", 3)
again = Rtc(memory)
assert (again.note, again.frame) == (b"note", b"abc")
assert rtc.keep(b"", 0) and Rtc(memory).frame == b""
""")  # fmt: skip


def test_rtc_damaged_anywhere_is_empty(micropython: Run) -> None:
    passes(micropython, RTC + """
rtc = Rtc(memory)
rtc.reserve(8)[:] = b"12345678"
rtc.keep(b"note", 8)
good = kept[0]
for at in range(len(good)):
    kept[0] = good[:at] + bytes((good[at] ^ 4,)) + good[at + 1:]
    assert (Rtc(memory).note, Rtc(memory).frame) == (b"", b""), at
    kept[0] = good[:at]
    assert Rtc(memory).note == b"", at
""")  # fmt: skip


def test_rtc_frame_that_is_too_long_leaves_the_note(micropython: Run) -> None:
    passes(micropython, RTC + """
rtc = Rtc(memory)
rtc.reserve(2100)
assert not rtc.keep(b"note", 2100)
assert (Rtc(memory).note, Rtc(memory).frame) == (b"note", b"")
""")  # fmt: skip


def test_virtual_rtc_memory_survives_a_reset_and_no_power_cut(micropython: Run, tmp_path: Path) -> None:
    keep = "import machine\nprint(machine.RTC().memory())\nmachine.RTC().memory(b'kept')\n"
    assert micropython(keep + "machine.reset()", cwd=tmp_path).returncode == 75
    assert micropython(keep, cwd=tmp_path).stdout == "b'kept'\n"
    assert micropython(keep, cwd=tmp_path).stdout == "b''\n"


def test_note_is_read_back_and_damage_is_an_empty_one() -> None:
    packed = note.pack(1800000000, True, 4000, [["link", 9]], "ValueError: no")
    read = note.Note(packed)
    assert (read.last_time, read.guessed, read.last_heap_floor) == (1800000000, True, 4000)
    assert (read.last_lateness, read.last_crash, read.found) == ([["link", 9]], "ValueError: no", True)
    for damaged in (b"", packed[:-1], b"\x80", b"\x86\x02\x00\x00\x00\x00\x00"):
        assert not note.Note(damaged).found


def test_traceback_is_shortened_to_its_last_calls(micropython: Run) -> None:
    passes(micropython, """
import io, sys
from firmware.health.note import shorten
def deep(n):
    return deep(n - 1) if n else {}["missing"]
try:
    deep(9)
except KeyError as error:
    out = io.StringIO()
    sys.print_exception(error, out)
short = shorten(out.getvalue())
assert short.startswith("KeyError: missing | <stdin>:") and short.count("|") == 5 and len(short) < 256, short
""")  # fmt: skip


def test_supervisor_names_the_silent_task_right_across_a_wrap(micropython: Run) -> None:
    passes(micropython, """
from firmware.hal.clock import Clock
from firmware.health.supervisor import Supervisor
WRAP = 1 << 30
now = [WRAP - 3000]
def diff(a, b):
    return (a - b + WRAP // 2) % WRAP - WRAP // 2
clock = Clock(seconds=lambda: 0, epoch_year=2000, ticks=lambda: now[0] % WRAP, diff=diff)
signs = {"a": 0, "b": 0}
supervisor = Supervisor(clock)
supervisor.watch("a", lambda: signs["a"], 4000)
supervisor.watch("b", lambda: signs["b"], 60000)
for second in range(10):
    now[0] += 1000
    signs["a"] += 1
    assert supervisor.look() == "", second
for second in range(4):
    now[0] += 1000
    assert supervisor.look() == ""
now[0] += 1000
assert supervisor.look() == "a"
assert supervisor.lateness() == [["a", 5000], ["b", 15000]], supervisor.lateness()
assert clock.uptime_s() == 15
""")  # fmt: skip


def test_clock_believes_no_time_below_its_floor_and_never_a_guess(micropython: Run, tmp_path: Path) -> None:
    (tmp_path / "virtual.json").write_text('{"clock": {"unix_s": 0}}')
    passes(micropython, """
import time
from firmware.hal.clock import CEILING_UNIX_S, Clock
clock = Clock()
clock.raise_floor(1800000000)
clock.raise_floor(1790000000)
clock.raise_floor(CEILING_UNIX_S + 1)
assert clock.floor_s == 1800000000 and clock.unix_s() is None
assert not clock.set_unix_s(1799999999) and clock.unix_s() is None
clock.guess()
assert clock.unix_s() is None and abs(time.time() - 1800000000) < 30
again = Clock()
again.guessed = True
assert again.unix_s() is None
assert clock.set_unix_s(1800000500) and abs(clock.unix_s() - 1800000500) < 30
""", tmp_path)  # fmt: skip


def test_virtual_clock_runs_as_fast_as_its_factor_and_says_so(micropython: Run, tmp_path: Path) -> None:
    (tmp_path / "virtual.json").write_text('{"factor": 60}')
    began = time.monotonic()
    done = micropython("""
import asyncio, time
from firmware.hal.clock import Clock
clock = Clock()
start, unix = clock.ticks_ms(), clock.unix_s()
async def wait():
    await asyncio.sleep(90)
asyncio.run(wait())
time.sleep(30)
print(clock.ticks_diff(clock.ticks_ms(), start) // 1000, clock.unix_s() - unix, clock.uptime_s())
""", cwd=tmp_path)  # fmt: skip
    took_s = time.monotonic() - began
    said, times = done.stdout.splitlines()
    assert said == "citynode: virtual clock, 60 times as fast"
    assert all(120 <= int(seconds) + 1 <= 60 * took_s + 2 for seconds in times.split()), (times, took_s)
    assert took_s < 100


@pytest.mark.parametrize("name", led.TABLE)
def test_led_code_flashes_as_often_as_its_table_says(name: str) -> None:
    flashes, light, dark, pause = led.TABLE[name]
    lit = [led.is_lit(name, ms) for ms in range(0, 2 * (flashes * (light + dark) - dark + pause), 10)]
    rises = sum(now and not before for before, now in zip([False, *lit], lit))
    assert (rises, 10 * sum(lit)) == (2 * flashes, 2 * flashes * light)


def test_led_shows_the_worst_that_is_true_and_the_readme_has_its_table() -> None:
    assert led.code(False, False, False, False, False) == led.POWER
    assert led.code(True, False, False, False, False) == led.WIFI
    assert led.code(True, True, False, False, False) == led.BROKER
    assert led.code(True, True, True, False, False) == led.COMMITTED
    assert led.code(True, True, True, True, False) == led.FAULT
    assert led.code(False, True, True, True, True) == led.MAINTENANCE
    readme = (ROOT / "firmware" / "README.md").read_text("utf-8")
    for name, (flashes, light, _, pause) in led.TABLE.items():
        assert re.search(rf"^\| `{name}` \| {flashes} x {light} ms, {pause} ms dark \|", readme, re.M), name


def test_open_frame_survives_a_reset_and_is_kept_once(micropython: Run, tmp_path: Path) -> None:
    config = {
        "node": "test-01", "brokers": [{"host": "127.0.0.1", "port": 1}], "tls": None, "sensors": SENSORS,
        "wifi": {"ssid": "a", "password": "b"}, "record_s": 1, "frame_s": 600, "frame_records": 200,
    }  # fmt: skip
    (tmp_path / "node.json").write_text(json.dumps(config))
    (tmp_path / "virtual.json").write_text('{"flash_bytes": 65536}')

    memory = tmp_path / "rtc.memory"

    def kept() -> bytes:
        return memory.read_bytes() if memory.exists() else b""

    def outbox(copied: Path) -> list[str]:
        copied.mkdir(exist_ok=True)
        shutil.copy(tmp_path / "outbox.flash", copied)
        done = micropython(READ_OUTBOX, cwd=copied, heap="1m")
        return [line.split()[0] for line in done.stdout.splitlines()]

    def run_until(kinds: list[str], reset: bool) -> None:
        before = kept()
        command = [find_micropython(), "-X", "heapsize=400k", "-m", "firmware.main"]
        node = subprocess.Popen(command, cwd=tmp_path, env={"MICROPYPATH": micropython_path()})
        wait_for(lambda: kept()[10:12] not in (b"", b"\0\0") and kept() != before)  # an open frame of this start
        node.kill()
        node.wait()
        if reset:
            (tmp_path / "reset.cause").write_text("3")
        assert outbox(tmp_path / "copy") == kinds

    run_until(["channels"], reset=True)
    run_until(["channels", "frame", "channels"], reset=False)
    run_until(["channels", "frame", "channels", "channels"], reset=False)  # the power cut cost the open frame
