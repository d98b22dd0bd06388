"""The composition root: the only file that knows every part of the node. See README.md for how it is started.

The way of a reading: sampler -> Recorder -> outbox -> link. If a task dies, its reason is kept in a file and the node
resets itself: nobody is there to look at a traceback on a lamp post.
"""

import asyncio
import os
import sys

import firmware
from firmware import VERSION, ConfigError
from firmware.hal import system
from firmware.hal.buses import Buses
from firmware.hal.clock import Clock
from firmware.hal.flash import Flash
from firmware.hal.wifi import Wifi
from firmware.health.commands import Commands
from firmware.health.report import Health
from firmware.link import Link
from firmware.outbox import CHANNELS, FRAME, Outbox
from firmware.sensing.drivers import open_driver
from firmware.sensing.record import Record
from firmware.sensing.sampler import Sampler
from firmware.sensing.sensor import Sensor
from firmware.wire import messages, records
from firmware.wire.batch import Batch, bytes_for, capacity_for
from firmware.wire.quantities import QUANTITIES

CRASH_FILE = "crash.txt"
REBOOT_MS = 2000  # long enough for the reply to leave
IDENTIFY_BLINKS = 20
BLINK_MS = 500
WATCH_MS = 5000
TIME_S = 6 * 3600  # the crystal drifts by less than a second in this time
TIME_RETRY_S = 15


class Recorder:
    """Numbers closed batches into the outbox, and keeps their epoch (the channels record of this boot) in it.

    `describe()` returns the fields of that record.

    When the ring overflows before the manager has had the channels record, it is written again under a new number, so
    that every frame that survives can be read.
    """

    def __init__(self, outbox: Outbox, describe, batch: Batch) -> None:
        self._outbox = outbox
        self._describe = describe
        self._buf = bytearray(bytes_for(batch.channels, batch.capacity))
        self._announce()

    def keep(self, batch: Batch) -> None:
        """Append a closed batch."""
        length = batch.encode_into(self._buf, self._outbox.log, self._outbox.head, self._epoch)
        self._outbox.append(FRAME, self._buf, length)
        if self._outbox.released <= self._epoch < self._outbox.tail:
            self._announce()

    def _announce(self) -> None:
        self._epoch = self._outbox.head
        payload = records.encode_channels(self._outbox.log, self._epoch, self._describe())
        self._outbox.append(CHANNELS, payload, len(payload))


class Node:
    """All parts of one node, made from a checked configuration."""

    def __init__(self, settings: dict) -> None:
        self._settings = settings
        self.boot = system.random_u32()
        self._clock = Clock()
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
        )
        self._health = Health(
            self.boot,
            system.reset_cause(),
            self._clock,
            system.heap_free_bytes,
            self._wifi.rssi,
            self._outbox,
            self._link,
        )
        self._health.note(_take_crash())
        self._make_sampler(self._open_sensors())
        actions = {"health": self._report_now, "identify": self._identify, "reboot": self._reboot}
        self._commands = Commands(self._clock, actions)

    def _open_sensors(self) -> list:
        inputs = 0
        for row in self._settings["sensors"]:
            driver = self._open_driver(row)
            self._health.sensors.append(Sensor(row["name"], driver, inputs, self._health.note))
            inputs += len(driver.inputs)
        return self._health.sensors

    def _open_driver(self, row: dict):
        try:
            return open_driver(row, self._buses)
        except KeyError as error:
            raise ConfigError("node.json: expected %s of sensor %s, got none: add it" % (error.args[0], row["name"]))
        except ValueError as error:
            raise ConfigError("node.json: sensor %s: %s" % (row["name"], error))

    def _make_sampler(self, sensors: list) -> None:
        settings = self._settings
        record = Record(sensors)
        channels = len(record.names)
        records = min(settings["frame_records"], max(1, settings["frame_s"] // settings["record_s"]))
        batch = Batch(channels, min(records, capacity_for(channels)))
        self._recorder = Recorder(self._outbox, lambda: _describe(settings, record.names), batch)
        self._sampler = Sampler(sensors, record, self._clock, batch, settings["record_s"], self.boot, self._keep)

    def _keep(self, batch: Batch) -> None:
        self._recorder.keep(batch)
        self._link.notify()

    async def run(self) -> None:
        """Run until a task dies or a reset is ordered."""
        parts = [self._sampler.run(), self._link.run(), self._report_for_ever()]
        if self._settings["ntp"]:
            parts.append(self._keep_time())
        if self._settings["watchdog_s"]:
            parts.append(self._feed_watchdog())
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
        else:
            self._link.unknown += 1

    def _report_now(self, _: dict) -> str:
        self._link.publish_latest("health", messages.encode("health", self._health.fields()))
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
                self._clock.set_unix_s(unix_s)
                self._link.announce()
            await asyncio.sleep(TIME_S if unix_s else TIME_RETRY_S)

    async def _feed_watchdog(self) -> None:
        """Feed while the sampler counts seconds: a loop that turns without measuring is no living node."""
        watchdog = system.watchdog(1000 * self._settings["watchdog_s"])
        seen = -1
        while True:
            if self._sampler.seconds != seen:
                seen = self._sampler.seconds
                watchdog.feed()
            await asyncio.sleep_ms(WATCH_MS)

    def _reboot(self, _: dict) -> str:
        self._reboot_task = asyncio.create_task(self._reset_soon())
        return ""

    async def _reset_soon(self) -> None:
        await asyncio.sleep_ms(REBOOT_MS)
        self._sampler.flush()
        system.reset()

    def _identify(self, _: dict) -> str:
        if self._settings["led_pin"] < 0:
            return "this node has no LED"
        self._blink_task = asyncio.create_task(self._blink(self._buses.output(self._settings["led_pin"])))
        return ""

    async def _blink(self, led) -> None:
        for i in range(IDENTIFY_BLINKS):
            led.value(1 - i % 2)
            await asyncio.sleep_ms(BLINK_MS)


def _describe(settings: dict, names: list) -> dict:
    """The fields of the channels record: what the columns of this boot's frames mean."""
    channels = [[name, QUANTITIES[name][0], QUANTITIES[name][1], sensor] for name, sensor in names]
    return {
        "firmware": VERSION,
        "configuration": settings["revision"],
        "interval_s": settings["record_s"],
        "channels": channels,
    }


def _read_settings() -> dict:
    """The checked configuration; the code that checks it is needed once and its memory is wanted back."""
    from firmware import config

    settings = config.read()
    del sys.modules["firmware.config"], firmware.config
    return settings


def _take_crash() -> str:
    """Why this node reset itself last time, once; '' when it did not."""
    try:
        with open(CRASH_FILE) as file:
            reason = file.read()
        os.remove(CRASH_FILE)
        return reason
    except OSError:
        return ""


def _keep_crash(error: Exception) -> None:
    print("citynode: resetting after", type(error).__name__, error)
    sys.print_exception(error)
    with open(CRASH_FILE, "w") as file:
        file.write("reset after %s %s" % (type(error).__name__, error))


def main() -> None:
    """Run the node of the current directory; returns never, except by exit code (see README.md)."""
    try:
        settings = _read_settings()
        node = Node(settings)
        print("citynode: %s, firmware %s, boot %d" % (settings["node"], VERSION, node.boot))
        asyncio.run(node.run())
    except ConfigError as error:
        print("citynode:", error)
        sys.exit(1)
    except Exception as error:  # whatever killed a task: on a lamp post only a restart helps
        _keep_crash(error)
        system.reset()
