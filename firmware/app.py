"""The composition root: the only file that knows every part of the node. See README.md for how it is started.

The way of a reading: sampler -> Recorder -> outbox -> link. If a task dies or falls silent, the reason is kept in RTC
memory and the node resets itself: nobody is there to look at a traceback on a lamp post.
"""

import asyncio
import gc
import io
import sys

from firmware import VERSION, ConfigError, forget
from firmware.hal import system
from firmware.hal.buses import Buses
from firmware.hal.clock import Clock
from firmware.hal.flash import Flash
from firmware.hal.rtc import Rtc
from firmware.hal.wifi import Wifi
from firmware.health import note
from firmware.health.commands import Commands, Maintenance
from firmware.health.log import Log, describe_sensors
from firmware.health.report import Health
from firmware.health.supervisor import Supervisor
from firmware.link import Link
from firmware.outbox import Outbox
from firmware.recorder import Recorder
from firmware.sensing.record import Record
from firmware.sensing.sampler import Sampler
from firmware.wire import const, messages, quality
from firmware.wire.batch import Batch, capacity_for

_REBOOT_MS = const(2000)  # long enough for the reply to leave
_WATCH_MS = const(5000)
_TIME_OFF_S = const(30)  # the manager's time may be this old; a clock that differs more is wrong
_NVS_TIME_S = const(86400)  # a write of flash
_IDLE_MS = const(600)  # after the change of the second: sensors have been read, and none is due
_LINK_MS = const(600000)  # its longest step: a rest


class Node:
    """All parts of one node, made from a checked configuration; `start` is `firmware.start`."""

    def __init__(self, settings: dict, start) -> None:
        self.settings = settings
        self.boot = system.random_u32()
        self.rtc = Rtc(system.rtc_memory())
        before = note.Note(self.rtc.note)
        self.clock = Clock()
        self._log = Log(self.clock)
        self.maintenance = Maintenance(self.clock)
        self.clock.guessed = before.guessed
        self._confirmed = False  # the manager has told the time
        start.raise_floor(self.clock, settings, before.last_time)
        self._wifi = Wifi(settings["wifi"])
        self._buses = Buses(settings["buses"])
        self.outbox = Outbox(Flash("outbox"), system.random_u32)
        self._died = asyncio.Event()
        self._error = Exception()
        self.link = Link(
            settings,
            self.outbox,
            self.clock,
            self._wifi,
            self.boot,
            VERSION,
            self._on_message,
            system.random_u32,
            system.tls_largest_bytes,
            start.about(settings),
        )
        self._updating = None  # while an update is under way
        self.first_frame = -1  # it is committed when the outbox has let go of all below
        self.stalled = False  # flash is erased: sound has holes
        self._supervisor = Supervisor(self.clock)
        self._reports = self._silent = 0
        self._health = Health(
            self.boot,
            system.reset_cause(),
            self.clock,
            system.heap_free_bytes,
            self._wifi.rssi,
            self.outbox,
            self.link,
            before,
            self._supervisor.lateness,
            system.chip_temperature,
        )
        self.sensors = self._health.sensors
        start.open_sensors(settings["sensors"], self._buses, self._health)
        self._make_sampler(self.sensors)
        self._lamp = self._open_lamp() if settings["led_pin"] >= 0 else None
        actions = {
            "health": self._report_now,
            "identify": self._lamp.identify if self._lamp else _no_led,
            "maintenance": self.maintenance.set,
            "reboot": self.reboot,
        }
        looks = {"log": self._log.lines, "self-test": self._look_at_sensors}
        self._commands = Commands(self.clock, actions, looks)

    def _make_sampler(self, sensors: list) -> None:
        settings = self.settings
        record = Record(sensors)
        channels = len(record.names)
        records = min(settings["frame_records"], max(1, settings["frame_s"] // settings["record_s"]))
        self._batch = batch = Batch(channels, min(records, capacity_for(channels)))
        self._recorder = Recorder(self.outbox, lambda: _describe(settings, record.names, sensors), batch, self.rtc)
        self.sampler = Sampler(sensors, record, self.clock, batch, settings["record_s"], self.boot, self._keep)

    def _keep(self, batch: Batch) -> None:
        self._recorder.keep(batch)
        if self.first_frame < 0:
            self.first_frame = self.outbox.head
        self.link.notify()

    async def run(self) -> None:
        """Run until a task dies or a reset is ordered."""
        frame_ms = 1000 * self.settings["frame_s"]
        parts = [self.sampler.run(), self.link.run(), self._report_for_ever(), self._idle_for_ever()]
        self._supervisor.watch("sampler", lambda: self.sampler.seconds, 60000)
        self._supervisor.watch("link", lambda: self.link.turns, _LINK_MS)
        self._supervisor.watch("health", lambda: self._reports, frame_ms + 60000)
        if self.settings["ntp"]:
            parts.append(self._keep_time())
        if self._lamp:
            parts.append(self._lamp.run())
        if "trial" in self.settings:
            parts.append(self._try_settings())
        if "update" in self.settings:
            parts.append(self._update())
        parts.append(self._supervise())
        tasks = [asyncio.create_task(self._live(part)) for part in parts]
        await self._died.wait()
        for task in tasks:
            task.cancel()
        raise self._error

    async def _live(self, part) -> None:
        try:
            await part
        except Exception as error:  # any: the whole node ends with it, see the module
            self._error = error
            self._died.set()

    def _on_message(self, kind: str, fields: dict) -> None:
        """A command came: do it and send its reply. What this firmware has no use for yet is counted."""
        if kind == "command":
            self.answer(self._commands.handle(fields))
        elif kind == "time":
            self._take_time(fields["unix_s"])
        elif kind == "reboot":
            self._restart(fields["reason"])
        elif kind == "order":
            self._obey(fields["signed"])
        elif kind in ("offer", "chunk"):
            self._take_update(kind, fields)
        else:
            self.link.unknown += 1

    def answer(self, reply: dict) -> None:
        """Publish the reply to a command or an order."""
        self.link.publish_latest("reply", messages.encode("reply", reply))

    def _obey(self, signed: bytes) -> None:
        gc.collect()  # the modules that follow need 10 kB, and pieces of 768 bytes for numbers of 3072 bits
        from firmware import orderly

        orderly.obey(self, signed)
        orderly.forget_all()

    def _take_update(self, kind: str, fields: dict) -> None:
        if self._updating is None and kind == "offer":
            self._update_task = asyncio.create_task(self._live(self._update()))
        if self._updating is not None:
            self._updating.take(kind, fields)

    def _update(self):
        """Load what carries out updates, and return the coroutine that does, and forgets it."""
        gc.collect()
        try:
            from firmware import updating

            self._updating = updating.Updating(self)
        except MemoryError:  # half of it loaded would leave even less: the offer comes again
            forget("updating", "update.reports", "update.slots", "update", "hal.files")
            raise
        return self._until_updated(updating)

    async def _until_updated(self, updating) -> None:
        if self._updating is not None:
            await self._updating.run()
        self._updating = None
        updating.forget_all()

    async def _try_settings(self) -> None:
        from firmware import orderly

        await orderly.decide(self)
        orderly.forget_all()

    def _keep_time(self):
        from firmware import timekeeper

        keeper = timekeeper.Timekeeper(self.settings["ntp"], self.clock, self._wifi, self._set_time)
        self._supervisor.watch("time", lambda: keeper.asks, 1000 * timekeeper.EVERY_S + 60000)
        return keeper.run()

    def _open_lamp(self):
        from firmware import lamp

        return lamp.Lamp(self._buses.output(self.settings["led_pin"]), self.clock, self._led_code)

    def _led_code(self) -> str:
        from firmware.hal import led

        fault = any(sensor.failing for sensor in self.sensors)
        link = self.link
        return led.code(self._wifi.connected(), link.connected, link.committed, fault, self.maintenance.on)

    def _take_time(self, unix_s: int) -> None:
        """The manager says what time it is, inside TLS: better than a time server, but some seconds old."""
        self._confirmed = True
        if abs(unix_s - (self.clock.unix_s() or 0)) > _TIME_OFF_S:
            self._set_time(unix_s)

    def _set_time(self, unix_s: int) -> None:
        if self.clock.set_unix_s(unix_s):
            self.link.announce()

    def _report_now(self, _: dict) -> str:
        self.link.publish_latest("health", messages.encode("health", self._health.fields()))
        self._reports += 1
        return ""

    async def _report_for_ever(self) -> None:
        while True:
            self._report_now({})
            await asyncio.sleep(self.settings["frame_s"])

    async def _idle_for_ever(self) -> None:
        """Between seconds: erase ahead, and keep the open frame, so that a reset costs at most the open record."""
        saved, told, kept_s = -1, "", 0
        while True:
            await asyncio.sleep_ms(self.clock.ms_to_next_second() + _IDLE_MS)
            self.outbox.idle()
            self.sampler.marks = quality.MAINTENANCE if self.maintenance.on or self.stalled else 0
            if self._batch.count != saved:
                saved = self._batch.count
                self.remember("")
            if self.link.last_error != told:
                told = self.link.last_error
                self._log.say(told)
            now_s = self.clock.unix_s() or 0
            if self._confirmed and now_s - kept_s > _NVS_TIME_S:
                kept_s = now_s
                _keep_minute(now_s)

    def remember(self, crash: str) -> None:
        """Leave a note for the next boot, and the open frame."""
        time_s = (self.clock.unix_s() or 0) if self._confirmed else 0
        floor = min(self._health.heap_floor, 0xFFFFFFFF)
        data = note.pack(time_s, self.clock.guessed, floor, self._supervisor.lateness(), crash)
        self._recorder.save(self._batch, data)

    async def _supervise(self) -> None:
        """Feed the watchdog while every task is alive: half a node is worse than a restart."""
        watchdog_s = self.settings["watchdog_s"]
        watchdog = system.watchdog(1000 * watchdog_s) if watchdog_s else None
        while True:
            late = self._supervisor.look()
            if watchdog and not late:
                watchdog.feed()
            if late and not self._silent:
                self._silent = 1
                self._log.say("no sign of life from " + late)
                self.remember("watchdog: no sign of life from " + late)
            await asyncio.sleep_ms(_WATCH_MS)

    def reboot(self, _: dict, reason: str = "reboot") -> str:
        """Restart because somebody wants it; the manager counts it as no crash."""
        self._restart(messages.ORDERED + reason)
        return ""

    def _restart(self, reason: str) -> None:
        self._reboot_task = asyncio.create_task(self._reset_soon(note.clip(reason)))

    async def _reset_soon(self, reason: str) -> None:
        await asyncio.sleep_ms(_REBOOT_MS)
        self.sampler.flush()
        self.remember(reason)
        system.reset()

    def _look_at_sensors(self, _: dict) -> list:
        return describe_sensors(self.sensors, self.sampler.values, self.sampler.flags)


def _no_led(_: dict) -> str:
    return "this node has no LED"


def _describe(settings: dict, names: list, sensors: list) -> dict:
    """The fields of the channels record; needed at the start, and when the ring has dropped it."""
    from firmware import start

    fields = start.describe(settings, names, sensors)
    start.forget_all(sensors)
    return fields


def _keep_minute(unix_s: int) -> None:
    from firmware.hal import nvs

    nvs.write("minute", unix_s // 60)
    forget("hal.nvs")


def _keep_crash(node: Node | None, error: Exception) -> None:
    """Leave a short traceback in RTC memory, beside the frame that was open."""
    printed = io.StringIO()
    sys.print_exception(error, printed)
    print("citynode: resetting after", printed.getvalue())
    crash = note.shorten(printed.getvalue())
    if node:
        node.remember(crash)
        return
    rtc = Rtc(system.rtc_memory())
    rtc.reserve(len(rtc.frame))[:] = rtc.frame
    rtc.keep(note.pack(0, False, 0, [], crash), len(rtc.frame))


def main() -> None:
    """Run the node of the current directory; returns never, except by exit code (see README.md)."""
    node = None
    try:
        from firmware import start

        settings = start.read_settings()
        node = Node(settings, start)
        start.forget_all(node.sensors)
        del start
        print("citynode: %s, firmware %s, boot %d" % (settings["node"], VERSION, node.boot))
        asyncio.run(node.run())
    except ConfigError as error:
        print("citynode:", error)
        sys.exit(1)
    except Exception as error:  # whatever killed a task: on a lamp post only a restart helps
        try:
            gc.collect()
            _keep_crash(node, error)
        finally:  # even when there is no memory left to tell it
            system.reset()
