"""The composition root: the only file that knows every part of the node. See README.md for how it is started.

The way of a reading: sampler -> Recorder -> outbox -> link. If a task dies or falls silent, the reason is kept in RTC
memory and the node resets itself: nobody is there to look at a traceback on a lamp post.
"""

import asyncio
import gc
import io
import os
import sys

import firmware
from firmware import VERSION, ConfigError
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
from firmware.sensing.drivers import open_driver
from firmware.sensing.record import Record
from firmware.sensing.sampler import Sampler
from firmware.sensing.sensor import Sensor
from firmware.wire import const, messages, quality
from firmware.wire.batch import Batch, capacity_for
from firmware.wire.quantities import QUANTITIES

_REBOOT_MS = const(2000)  # long enough for the reply to leave
_IDENTIFY_BLINKS = const(20)
_BLINK_MS = const(500)
_WATCH_MS = const(5000)
_TIME_S = const(6 * 3600)  # the crystal drifts by less than a second in this time
_TIME_RETRY_S = const(15)
_TIME_OFF_S = const(30)  # the manager's time may be this old; a clock that differs more is wrong
_NVS_TIME_S = const(86400)  # a write of flash
_IDLE_MS = const(600)  # after the change of the second: sensors have been read, and none is due
_LINK_MS = const(600000)  # its longest step: a rest


class Node:
    """All parts of one node, made from a checked configuration."""

    def __init__(self, settings: dict) -> None:
        self._settings = settings
        self.boot = system.random_u32()
        self._rtc = Rtc(system.rtc_memory())
        before = note.Note(self._rtc.note)
        self._clock = Clock()
        self._log = Log(self._clock)
        self._maintenance = Maintenance(self._clock)
        self._clock.guessed = before.guessed
        self._confirmed = False  # the manager has told the time
        self._raise_floor(before.last_time)
        self._wifi = Wifi(settings["wifi"])
        self._buses = Buses(settings["buses"])
        self._outbox = Outbox(Flash("outbox"), system.random_u32)
        self._died = asyncio.Event()
        self._error = Exception()
        self._link = Link(
            settings,
            self._outbox,
            self._clock,
            self._wifi,
            self.boot,
            VERSION,
            self._on_message,
            system.random_u32,
            system.tls_largest_bytes,
        )
        self._supervisor = Supervisor(self._clock)
        self._reports = self._asks = self._silent = 0
        self._identify_ms = 0  # for so long the LED identifies the node
        self._health = Health(
            self.boot,
            system.reset_cause(),
            self._clock,
            system.heap_free_bytes,
            self._wifi.rssi,
            self._outbox,
            self._link,
            before,
            self._supervisor.lateness,
        )
        self._make_sampler(self._open_sensors())
        actions = {
            "health": self._report_now,
            "identify": self._identify,
            "maintenance": self._maintenance.set,
            "reboot": self._reboot,
        }
        looks = {"log": self._log.lines, "self-test": self._look_at_sensors}
        self._commands = Commands(self._clock, actions, looks)

    def _raise_floor(self, last_good_s: int) -> None:
        """No time is believed that lies before what is certain; see hal.clock."""
        from firmware import validity
        from firmware.hal import nvs

        tls = self._settings["tls"]
        begin_s = validity.valid_from(tls["certificate"]) if tls else 0
        for unix_s in (self._settings["provisioned"], last_good_s, 60 * nvs.read("minute"), begin_s):
            self._clock.raise_floor(unix_s)
        for name in ("firmware.validity", "firmware.hal.nvs"):  # they are wanted once, their memory is wanted back
            del sys.modules[name]
        del firmware.validity, firmware.hal.nvs

    def _open_sensors(self) -> list:
        inputs = 0
        for row in self._settings["sensors"]:
            sensor = self._open_sensor(row, inputs)
            self._health.sensors.append(sensor)
            inputs += len(sensor.driver.inputs)
        return self._health.sensors

    def _open_sensor(self, row: dict, first: int) -> Sensor:
        try:
            driver = open_driver(row, self._buses)
            return Sensor(row["name"], driver, first, self._health.note, row.get("extremes", ()))
        except KeyError as error:
            raise ConfigError("node.json: expected %s of sensor %s, got none: add it" % (error.args[0], row["name"]))
        except ValueError as error:
            raise ConfigError("node.json: sensor %s: %s" % (row["name"], error))

    def _make_sampler(self, sensors: list) -> None:
        settings = self._settings
        record = Record(sensors)
        channels = len(record.names)
        records = min(settings["frame_records"], max(1, settings["frame_s"] // settings["record_s"]))
        self._batch = batch = Batch(channels, min(records, capacity_for(channels)))
        self._recorder = Recorder(self._outbox, lambda: _describe(settings, record.names, sensors), batch, self._rtc)
        self._sampler = Sampler(sensors, record, self._clock, batch, settings["record_s"], self.boot, self._keep)

    def _keep(self, batch: Batch) -> None:
        self._recorder.keep(batch)
        self._link.notify()

    async def run(self) -> None:
        """Run until a task dies or a reset is ordered."""
        frame_ms = 1000 * self._settings["frame_s"]
        parts = [self._sampler.run(), self._link.run(), self._report_for_ever(), self._idle_for_ever()]
        self._supervisor.watch("sampler", lambda: self._sampler.seconds, 60000)
        self._supervisor.watch("link", lambda: self._link.turns, _LINK_MS)
        self._supervisor.watch("health", lambda: self._reports, frame_ms + 60000)
        if self._settings["ntp"]:
            parts.append(self._keep_time())
            self._supervisor.watch("time", lambda: self._asks, 1000 * _TIME_S + 60000)
        if self._settings["led_pin"] >= 0:
            parts.append(self._show())
        if "trial" in self._settings:
            parts.append(self._try_settings())
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
            self._link.publish_latest("reply", messages.encode("reply", self._commands.handle(fields)))
        elif kind == "time":
            self._take_time(fields["unix_s"])
        elif kind == "reboot":
            self._reboot({}, fields["reason"])
        elif kind == "order":
            self._take_order(fields["signed"])
        else:
            self._link.unknown += 1

    def _take_order(self, signed: bytes) -> None:
        gc.collect()  # the modules that follow need 10 kB, and pieces of 768 bytes for numbers of 3072 bits
        from firmware import orderly

        reply, action = orderly.take(signed, self._settings["node"], self._clock.unix_s())
        if reply:
            self._link.publish_latest("reply", messages.encode("reply", reply))
        if action == orderly.WIPE:
            self._reboot_task = asyncio.create_task(self._wipe_soon(orderly.wipe))
        elif action:
            self._reboot({}, "other settings are tried")
        orderly.forget()

    async def _wipe_soon(self, wipe) -> None:
        await asyncio.sleep_ms(_REBOOT_MS)
        wipe()
        system.reset()

    async def _try_settings(self) -> None:
        """Decide on settings that are tried: the manager's answer keeps them."""
        from firmware import orderly

        reply = await orderly.judge(self._link, self._clock, self._settings["trial"][1])
        self._link.publish_latest("reply", messages.encode("reply", reply))
        if not reply["ok"]:
            self._reboot({}, reply["reason"])
        orderly.forget()

    def _take_time(self, unix_s: int) -> None:
        """The manager says what time it is, inside TLS: better than a time server, but some seconds old."""
        self._confirmed = True
        if abs(unix_s - (self._clock.unix_s() or 0)) > _TIME_OFF_S:
            self._set_time(unix_s)

    def _set_time(self, unix_s: int) -> None:
        if self._clock.set_unix_s(unix_s):
            self._link.announce()

    def _report_now(self, _: dict) -> str:
        self._link.publish_latest("health", messages.encode("health", self._health.fields()))
        self._reports += 1
        return ""

    async def _report_for_ever(self) -> None:
        while True:
            self._report_now({})
            await asyncio.sleep(self._settings["frame_s"])

    async def _keep_time(self) -> None:
        """Set the clock by the time servers, again every six hours."""
        from firmware.hal import ntp  # 1 kB that a node whose clock others set can do without

        while True:
            unix_s = None
            for host in self._settings["ntp"] if self._wifi.connected() else ():
                unix_s = unix_s or await ntp.ask(host)
            if unix_s and abs(unix_s - (self._clock.unix_s() or 0)) > 1:
                self._set_time(unix_s)
            self._asks += 1
            await asyncio.sleep(_TIME_S if unix_s else _TIME_RETRY_S)

    async def _idle_for_ever(self) -> None:
        """Between seconds: erase ahead, and keep the open frame, so that a reset costs at most the open record."""
        saved, told, kept_s = -1, "", 0
        while True:
            await asyncio.sleep_ms(self._clock.ms_to_next_second() + _IDLE_MS)
            self._outbox.idle()
            self._sampler.marks = quality.MAINTENANCE if self._maintenance.on else 0
            if self._batch.count != saved:
                saved = self._batch.count
                self.remember("")
            if self._link.last_error != told:
                told = self._link.last_error
                self._log.say(told)
            now_s = self._clock.unix_s() or 0
            if self._confirmed and now_s - kept_s > _NVS_TIME_S:
                kept_s = now_s
                _keep_minute(now_s)

    def remember(self, crash: str) -> None:
        """Leave a note for the next boot, and the open frame."""
        time_s = (self._clock.unix_s() or 0) if self._confirmed else 0
        floor = min(self._health.heap_floor, 0xFFFFFFFF)
        data = note.pack(time_s, self._clock.guessed, floor, self._supervisor.lateness(), crash)
        self._recorder.save(self._batch, data)

    async def _supervise(self) -> None:
        """Feed the watchdog while every task is alive: half a node is worse than a restart."""
        watchdog_s = self._settings["watchdog_s"]
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

    def _reboot(self, _: dict, reason: str = "reboot was ordered") -> str:
        self._reboot_task = asyncio.create_task(self._reset_soon(reason))
        return ""

    async def _reset_soon(self, reason: str) -> None:
        await asyncio.sleep_ms(_REBOOT_MS)
        self._sampler.flush()
        self.remember(reason)
        system.reset()

    def _look_at_sensors(self, _: dict) -> list:
        return describe_sensors(self._health.sensors, self._sampler.values, self._sampler.flags)

    def _identify(self, _: dict) -> str:
        if self._settings["led_pin"] < 0:
            return "this node has no LED"
        self._identify_ms = _IDENTIFY_BLINKS * _BLINK_MS
        return ""

    async def _show(self) -> None:
        """The LED: identify, or how the node is."""
        from firmware.hal import led  # only nodes with one need it

        pin = self._buses.output(self._settings["led_pin"])
        while True:
            if self._identify_ms > 0:
                self._identify_ms -= led.STEP_MS
                lit = self._identify_ms // _BLINK_MS % 2
            else:
                fault = any(sensor.failing for sensor in self._health.sensors)
                link = self._link
                code = led.code(self._wifi.connected(), link.connected, link.committed, fault, self._maintenance.on)
                lit = led.is_lit(code, self._clock.ticks_ms())
            pin.value(1 if lit else 0)
            await asyncio.sleep_ms(led.STEP_MS)


def _describe(settings: dict, names: list, sensors: list) -> dict:
    """The fields of the channels record: what the columns of this boot's frames mean."""
    channels = [[name, QUANTITIES[name][0], QUANTITIES[name][1], sensor] for name, sensor in names]
    fields = {
        "firmware": VERSION,
        "configuration": settings["revision"],
        "interval_s": settings["record_s"],
        "channels": channels,
    }
    known = [(sensor.name, getattr(sensor.driver, "calibration", "")) for sensor in sensors]
    calibration = "; ".join(["%s: %s" % pair for pair in known if pair[1]])
    if calibration:
        fields["calibration"] = calibration
    return fields


def _read_settings() -> dict:
    """The checked configuration; the code that checks it is needed once and its memory is wanted back."""
    from firmware import config

    settings = config.read()
    if "order" in settings or _exists("trial.json"):
        from firmware import orderly

        settings = orderly.enter(settings, config.check)
        orderly.forget()
    del sys.modules["firmware.config"], firmware.config
    return settings


def _exists(name: str) -> bool:
    try:
        os.stat(name)
        return True
    except OSError:
        return False


def _keep_minute(unix_s: int) -> None:
    from firmware.hal import nvs

    nvs.write("minute", unix_s // 60)


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
        settings = _read_settings()
        node = Node(settings)
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
