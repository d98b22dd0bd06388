"""Health message and commands on real MicroPython."""

from pathlib import Path

FAKES = Path(__file__).parent.parent / "fakes"
PRELUDE = """
from node_parts import SetClock
from firmware.health.commands import Commands, Maintenance
from firmware.health.log import KEPT, Log
from firmware.health.note import Note, clip, pack, shorten
from firmware.health.report import Health
from firmware.health.supervisor import Supervisor
from firmware.wire import messages

class Part:
    def __init__(self, **fields):
        for name, value in fields.items():
            setattr(self, name, value)

def health(clock, free=lambda: 50000, rssi=lambda: -61, before=b""):
    link = Part(resent=1, bad_watermarks=0, unknown=2, last_error="")
    box = Part(buffered=3, lost=0)
    health = Health(7, "power on", clock, free, rssi, box, link, Note(before), lambda: [["link", 9]], lambda: 41)
    health.sensors.append(Part(name="air", faults=4))
    health.sensors.append(Part(name="gate", faults=0))
    return health

def command(name, id=1, expires=2000):
    return {"id": id, "name": name, "arguments": {}, "expires": expires}
"""


def passes(micropython, body: str) -> None:
    done = micropython(PRELUDE + body, path=[FAKES])
    assert done.returncode == 0, done.stdout + done.stderr


def test_health_fields_are_a_message_of_the_contract(micropython):
    passes(micropython, """
report = health(SetClock(None, 12), rssi=lambda: None)
report.note("air: [Errno 19] ENODEV")
fields = messages.decode("health", messages.encode("health", report.fields()))
assert fields["time"] is None and fields["rssi"] is None and fields["uptime_s"] == 12
assert fields["faults"] == [["air", 4]] and fields["last_error"] == "air: [Errno 19] ENODEV", fields
assert (fields["buffered"], fields["resent"], fields["unknown"]) == (3, 1, 2)
assert fields["chip_temperature"] == 41
""")  # fmt: skip


def test_health_reports_a_new_trouble_of_the_link_once(micropython):
    passes(micropython, """
report = health(SetClock(1))
report._link.last_error = "open: refused"
assert report.fields()["last_error"] == "link: open: refused"
report.note("air: word 1")
assert report.fields()["last_error"] == "air: word 1"
""")  # fmt: skip


def test_health_heap_floor_is_the_lowest_seen(micropython):
    passes(micropython, """
free = [50000, 40000, 45000]
report = health(SetClock(1), lambda: free.pop(0))
assert [report.fields()["heap_floor"] for _ in range(3)] == [50000, 40000, 40000]
""")  # fmt: skip


def test_health_last_error_of_any_length_and_script_fits_the_message(micropython):
    passes(micropython, """
report = health(SetClock(1))
report.note("\\u00e4\\U0001f600" * 400)
messages.encode("health", report.fields())
""")  # fmt: skip


def test_unknown_command_is_answered_with_its_name(micropython):
    passes(micropython, """
reply = Commands(SetClock(1000), {}, {}).handle(command("format_flash"))
assert reply == {"command": 1, "ok": False, "reason": "unknown command: format_flash"}, reply
messages.encode("reply", reply)
messages.encode("reply", Commands(SetClock(1000), {}, {}).handle(command("\\u00e4" * 120)))
""")  # fmt: skip


def test_command_that_comes_twice_is_done_once_and_answered_twice(micropython):
    passes(micropython, """
done = []
commands = Commands(SetClock(1000), {"reboot": lambda arguments: done.append(1) or ""}, {})
assert [commands.handle(command("reboot", 5))["ok"] for _ in range(2)] == [True, True] and done == [1]
for id in range(6, 30):
    commands.handle(command("reboot", id))
assert len(done) == 25
""")  # fmt: skip


def test_expired_command_is_refused_and_not_done(micropython):
    passes(micropython, """
commands = Commands(SetClock(2001), {"reboot": lambda arguments: 1 / 0}, {})
reply = commands.handle(command("reboot"))
assert not reply["ok"] and reply["reason"] == "expired at 2000, now it is 2001", reply
""")  # fmt: skip


def test_action_that_cannot_be_done_gives_its_reason(micropython):
    passes(micropython, """
commands = Commands(SetClock(None), {"identify": lambda arguments: "this node has no LED"}, {})
assert commands.handle(command("identify")) == {"command": 1, "ok": False, "reason": "this node has no LED"}
""")  # fmt: skip


def test_look_is_answered_with_lines_each_time(micropython):
    passes(micropython, """
commands = Commands(SetClock(1000), {}, {"log": lambda arguments: ["one", "two"]})
for _ in range(2):
    reply = commands.handle(command("log", 5))
    assert reply == {"command": 5, "ok": True, "reason": "", "lines": ["one", "two"]}, reply
messages.encode("reply", reply)
assert "lines" not in Commands(SetClock(2001), {}, {"log": lambda arguments: 1 / 0}).handle(command("log", 6))
""")  # fmt: skip


def test_log_keeps_the_newest_lines_with_their_time(micropython):
    passes(micropython, """
log = Log(SetClock(7))
for n in range(KEPT + 3):
    log.say("line %d %s" % (n, "x" * 200))
lines = log.lines({})
assert len(lines) == KEPT and "line 3 " in lines[0] and ("line %d " % (KEPT + 2)) in lines[-1], lines
messages.encode("reply", {"command": 1, "ok": True, "reason": "", "lines": lines})
""")  # fmt: skip


def test_maintenance_ends_by_itself_or_by_order_and_takes_no_nonsense(micropython):
    passes(micropython, """
class Running:
    now_s = 100
    def uptime_s(self):
        return self.now_s
clock = Running()
maintenance = Maintenance(clock)
assert not maintenance.on
assert maintenance.set({"minutes": 2}) == "" and maintenance.on
clock.now_s = 219
assert maintenance.on
clock.now_s = 220
assert not maintenance.on
maintenance.set({"minutes": 2})
assert maintenance.set({"minutes": 0}) == "" and not maintenance.on
for wrong in ({}, {"minutes": 1441}, {"minutes": -1}, {"minutes": "5"}):
    assert maintenance.set(wrong).startswith("expected minutes from 0 to 1440"), wrong
assert not maintenance.on
""")  # fmt: skip
