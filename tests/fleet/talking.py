"""A node at protocol level with a mind for updates: real MQTT 5 over mutual TLS, real frames, the firmware's own
judging and fetching; what its release does to it is a `Fault`. All of its logic runs where `take` and `live` are
called.

Readings come every five minutes on the clock that is handed in, each ten minutes make a frame. What was measured while
nobody listened is sent afterwards, as from an outbox.
"""

from __future__ import annotations

import queue
import ssl
from dataclasses import dataclass
from typing import Any

import numpy as np
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import PacketTypes, ReasonCode

from firmware.update import UpdateError, plan
from firmware.update.fetch import Fetch
from firmware.wire import frame, messages, records, releases, topics
from firmware.wire.quantities import QUANTITIES

BOARD, FAMILY, INTERPRETER = "esp32-s3-devkitc-1", "x64", 1 << 8 | 29
CHANNELS = ("pm2_5", "laeq", "footfall_in", "footfall_out")
RECORD_S, FRAME_RECORDS, WEEK_RECORDS = 300, 2, 30
HEAP_BYTES, HEALTH_S = 60 * 1024, 1200
CHUNK_BYTES = releases.CHUNK_BYTES
_WITH_WILL = ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message")


@dataclass(frozen=True)
class Fault:
    """What a release does to a node that runs it; without anything: nothing."""

    name: str
    returns: str = ""
    """The reason with which the node itself takes it back, after `away_s` without a word."""

    away_s: int = 0
    crash_s: int = 0
    """It crashes each time that it has run for so long."""

    leak_kb: float = 0.0
    """So much free memory less an hour; it crashes when none is left."""

    silent: bool = False
    """It is connected and sends no frames."""

    quantity: str = ""
    factor: float | None = 1.0
    """By which the quantity is wrong; None: it does not come, 0: it stands still."""


GOOD = Fault("good")


class TalkingNode:
    """`truth` is (records, channels) of what there is to measure from `since_s` on, in integers of the contract, people
    as counts; `keys` are the moduli whose releases it takes."""

    def __init__(
        self, name: str, log: int, context: ssl.SSLContext, where: tuple[str, int], keys: list[bytes], since_s: int
    ) -> None:
        self.name, self.log, self._where, self._context, self._keys = name, log, where, context, keys
        self.seq = self.mark = self.epoch = 0
        self.next_s, self._since_s = since_s, since_s
        self.confirmed = self.release = 1
        self.fault = GOOD
        self.told: tuple[int, str] = (1, releases.SUCCEEDED)
        self.connected = False
        self._boot, self._boot_s, self._crashed, self._away_until_s = 1, since_s, "", 0
        self._health_s = 0
        self._totals = [0, 0]
        self._trial: int | None = None
        self._fetch: Fetch | None = None
        self._root: dict[str, Any] = {}
        self._inbox: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.max_inflight_messages_set(500)
        self._client.username_pw_set(name)
        self._client.tls_set_context(context)
        self._client.will_set(topics.up(name, "state"), self._state(online=False), qos=1, retain=True)
        self._client.on_message = lambda _, __, message: self._inbox.put((message.topic, message.payload))
        self._client.on_connect = lambda client, *_: client.subscribe(f"{topics.ROOT}/{name}/down/#", qos=1)
        self._client.on_subscribe = lambda *_: self._inbox.put(("", b""))
        self.truth = np.zeros((0, len(CHANNELS)), dtype=np.int64)

    def connect(self) -> None:
        """Begin to connect; `connected` is true once the broker has taken the subscription and `take` was called."""
        self._client.connect(*self._where, clean_start=True)
        self._client.loop_start()

    def close(self, *, lost: bool = False) -> None:
        """Disconnect; `lost`: as when the network fails, and the broker tells it."""
        self._client.disconnect(_WITH_WILL if lost else None)
        self._client.loop_stop()
        self.connected = False

    def take(self, now_s: int) -> bool:
        """Do what came; True when something did."""
        found = False
        while not self._inbox.empty():
            topic, payload = self._inbox.get()
            found = True
            if not topic:
                self.connected = True
                self._hello(now_s)
                continue
            kind = topics.parse(topic)[2]
            fields = messages.decode(kind, payload)
            if kind == "watermark" and fields["log"] == self.log:
                self.mark = fields["next"]
            elif kind == "offer":
                self._offered(fields, now_s)
            elif kind == "chunk" and self._fetch:
                self._took(fields)
        return found

    def live(self, now_s: int, faults: dict[int, Fault]) -> None:
        """Do what was due until now: restart into a trial, crash, measure, say how it is."""
        if now_s < self._away_until_s:
            return
        if self._away_until_s:
            self._away_until_s = 0
            self.connect()
            return
        if not self.connected:
            return
        if self._trial is not None:
            self._try(self._trial, faults.get(self._trial, GOOD), now_s)
            return
        if self.release != self.confirmed and self.mark >= self.epoch + 2:
            self.confirmed = self.release
            self._report(releases.SUCCEEDED, self.release)
        self._crash_if_due(now_s)
        if not self.fault.silent:
            self.measure(now_s, FRAME_RECORDS)
        if now_s - self._health_s >= HEALTH_S:
            self._health(now_s)

    def measure(self, now_s: int, most: int) -> None:
        """Send what was measured until now, `most` records a frame."""
        while self.next_s + most * RECORD_S <= now_s:
            batch = frame.Batch(len(CHANNELS), most)
            batch.start(self.next_s, RECORD_S, boot=self._boot, uptime_s=max(0, self.next_s - self._boot_s))
            for _ in range(most):
                batch.add(self._row())
                self.next_s += RECORD_S
            buffer = bytearray(frame.MAX_BYTES)
            size = batch.encode_into(buffer, self.log, self.seq, self.epoch)
            self._send("frame", bytes(buffer[:size]), record=True)

    def _row(self) -> list[int | None]:
        """The next record: people as the totals of this boot, and wrong as the release makes it."""
        values: list[int | None] = [int(one) for one in self.truth[(self.next_s - self._since_s) // RECORD_S]]
        if self.fault.quantity:
            at, factor = CHANNELS.index(self.fault.quantity), self.fault.factor
            value = values[at]
            values[at] = None if factor is None or value is None else round(value * factor)
        for index, at in enumerate((2, 3)):
            self._totals[index] += values[at] or 0
            values[at] = self._totals[index]
        return values

    def start(self, now_s: int) -> None:
        """Begin a boot: a new epoch, counters at 0."""
        self._boot, self._boot_s, self._totals = self._boot + 1, now_s, [0, 0]
        self._health_s = 0
        self.epoch = self.seq
        rows = [[name, QUANTITIES[name][0], QUANTITIES[name][1], "site"] for name in CHANNELS]
        fields = {"firmware": f"{self.release}.0", "configuration": 1, "interval_s": RECORD_S, "channels": rows}
        self._send("channels", records.encode_channels(self.log, self.seq, fields), record=True)

    def _hello(self, now_s: int) -> None:
        self._send("state", self._state(online=True, time_s=now_s))
        if self.told[1] != releases.SUCCEEDED:
            self._report(self.told[1], self.told[0], self.fault.returns)

    def _try(self, number: int, fault: Fault, now_s: int) -> None:
        """Restart into a release on trial; a fault that the node notices itself ends where it began."""
        self._trial = None
        if fault.returns:
            self.told = (number, releases.ROLLED_BACK)
            self._away_until_s = now_s + fault.away_s
            self.fault = Fault("back again", returns=fault.returns)
            self.close(lost=True)
            return
        self.release, self.fault = number, fault
        self.start(now_s)
        self._hello(now_s)
        self._report(releases.CONFIRMING, number)
        self.measure(now_s, FRAME_RECORDS)

    def _crash_if_due(self, now_s: int) -> None:
        ran_s = now_s - self._boot_s
        if (self.fault.crash_s and ran_s >= self.fault.crash_s) or self._free(now_s) <= 0:
            self._crashed = "MemoryError: " if self.fault.leak_kb else "NameError: "
            self.start(now_s)
            self._hello(now_s)

    def _free(self, now_s: int) -> int:
        return round(HEAP_BYTES - self.fault.leak_kb * 1024 * (now_s - self._boot_s) / 3600)

    def _health(self, now_s: int) -> None:
        self._health_s, free = now_s, max(0, self._free(now_s))
        fields = {
            "boot": self._boot, "uptime_s": now_s - self._boot_s, "time": now_s, "reset_cause": "soft reset",
            "heap_free": free, "heap_floor": free, "buffered": 0, "lost": 0, "resent": 0, "bad_watermarks": 0,
            "rssi": -60, "faults": [], "last_error": "", "unknown": 0,
        }  # fmt: skip
        self._send("health", messages.encode("health", {**fields, "last_crash": self._crashed}))

    def _offered(self, fields: dict[str, Any], now_s: int) -> None:
        """Judge an offer as the firmware does, and fetch what it leads to."""
        node = {"now_s": now_s, "family": FAMILY, "board": BOARD, "interpreter": INTERPRETER,
                "confirmed": self.confirmed}  # fmt: skip
        try:
            root, expires_s = plan.open_offer(fields["root"], fields["offer"], lambda: self._keys)
            why = plan.objection(root, expires_s, node)
        except UpdateError as error:
            root, why = {"number": 0}, str(error)
        if self.told[0] == root["number"]:
            self._report(self.told[1], root["number"], self.fault.returns)
        elif why:
            self._report(releases.REJECTED, root["number"], why)
        elif not self._fetch:
            self._root, self._fetch = root, Fetch(0, releases.TREE_MAX_BYTES)
            self._ask()

    def _took(self, fields: dict[str, Any]) -> None:
        assert self._fetch
        self._fetch.take(fields["offset"], fields["total"], len(fields["data"]), 0)
        if self._fetch.done:
            self._fetch, self._trial = None, self._root["number"]
            self._report(releases.REBOOTING, self._root["number"])
        else:
            self._ask()

    def _ask(self) -> None:
        due = self._fetch.due(0) if self._fetch else None
        if due:
            wanted = {"sha256": self._root["tree"], "offset": due[0], "count": due[1], "from": self.release}
            self._send("want", messages.encode("want", wanted))

    def _report(self, state: str, number: int, reason: str = "") -> None:
        self.told = (number, state)
        self._send("update", messages.encode("update", {"state": state, "number": number, "reason": reason}))

    def _state(self, *, online: bool, time_s: int = 0) -> bytes:
        fields: dict[str, Any] = {"online": online, "boot": self._boot}
        if online:
            fields |= {"log": self.log, "head": self.seq, "tail": 0, "time": time_s, "firmware": f"{self.release}.0"}
            fields |= {"release": self.release, "board": BOARD, "family": FAMILY}
        return messages.encode("state", fields)

    def _send(self, kind: str, payload: bytes, *, record: bool = False) -> None:
        self.seq += record
        self._client.publish(topics.up(self.name, kind), payload, qos=int(record or kind == "state"),
                             retain=kind in ("state", "channels"))  # fmt: skip
