"""What a node says, at the level of the protocol: a node's certificate at the broker, and no node behind it.

speaker = Speaking(settings, "spoken-1", clock); speaker.start()
speaker.tick()                       # again and again; says what is due
speaker.now_say(rssi=-91)            # from the next health message on
"""

from __future__ import annotations

import base64
import ssl
import zlib
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho

from device_manager.adapters.broker_paho import BrokerTls, tls_context
from device_manager.ports import Clock, Incoming
from device_manager.sessions import address
from device_manager.settings import Settings
from firmware.wire import messages
from tests.fakes.speaker import Speaker

BOOT, EVERY_S, RECORDS = 5, 300, 5
PATIENCE_S = 90.0
CHANNELS = (["temperature", "Cel", 10, "air"],)


class Speaking:
    """One node's connection; `start` and `stop` once each. The node is registered and has a directory."""

    def __init__(self, settings: Settings, node: str, clock: Clock) -> None:
        self._clock, self._log = clock, Speaker(node, log=zlib.crc32(node.encode()))
        self._where = address(settings)
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, node, protocol=paho.MQTTv5)
        self._client.tls_set_context(tls_context(_files(settings.node_directory(node), self._where.tls)))
        self._begin_s = self._now_s()
        self._due_s = 0
        self._says: dict[str, Any] = {}
        self._spoilt = False

    def start(self) -> None:
        """Connect, and say who it is."""
        self._client.connect(self._where.host, self._where.port)
        self._client.loop_start()
        self._say(self._log.channels(CHANNELS))
        state = {"online": True, "boot": BOOT, "log": self._log.log, "head": 1, "tail": 0, "time": self._now_s(),
                 "firmware": "1.0"}  # fmt: skip
        self._say(self._log.message("state", messages.encode("state", state)))

    def stop(self) -> None:
        """End the connection."""
        self._client.disconnect()
        self._client.loop_stop()

    def now_say(self, **fields: Any) -> None:
        """Change what health says; `clock_s` is how far its clock is ahead."""
        self._says.update(fields)
        self._due_s = 0

    def ping(self) -> bool:
        """Ask for a part of a release that does not exist, which changes nothing; True once the broker has it."""
        message = self._log.message("want", messages.encode("want", {"sha256": bytes(32), "offset": 0, "count": 1}))
        try:
            said = self._client.publish(message.topic, message.payload, qos=1)
            said.wait_for_publish(PATIENCE_S)
            return said.is_published()
        except RuntimeError:  # not connected: the broker is away
            return False

    def spoil_frames(self) -> None:
        """Send frames that end in the middle from now on."""
        self._spoilt = True

    def tick(self) -> None:
        """Say what is due."""
        now_s = self._now_s()
        if now_s < self._due_s:
            return
        self._due_s = now_s + EVERY_S
        self._say(self._log.message("health", messages.encode("health", self._health(now_s))))
        while self._begin_s + EVERY_S * self._log.seq <= now_s:
            start_s = self._begin_s + EVERY_S * (self._log.seq - 1)
            frame = self._log.frame([[200 + (start_s // 60 + at) % 7] for at in range(RECORDS)], start_s)
            self._say(frame._replace(payload=frame.payload[:9]) if self._spoilt else frame)

    def _health(self, now_s: int) -> dict[str, Any]:
        says = dict(self._says)
        well = {
            "boot": BOOT, "uptime_s": now_s - self._begin_s, "time": now_s + says.pop("clock_s", 0),
            "reset_cause": "power on", "heap_free": 90_000, "heap_floor": 60_000, "buffered": 0, "lost": 0, "resent": 0,
            "bad_watermarks": 0, "rssi": -61, "faults": [], "last_error": "", "unknown": 0,
        }  # fmt: skip
        return {**well, **says}

    def _say(self, message: Incoming) -> None:
        self._client.publish(message.topic, message.payload, qos=1)

    def _now_s(self) -> int:
        return self._clock.now_ms() // 1000


def _files(directory: Path, manager: BrokerTls | None) -> BrokerTls:
    """Return the node's identity as the PEM files that OpenSSL reads."""
    assert manager is not None
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    certificate.write_text(ssl.DER_cert_to_PEM_cert((directory / "certificate.der").read_bytes()), "ascii")
    lines = base64.encodebytes((directory / "key.der").read_bytes()).decode("ascii")
    key.write_text(f"-----BEGIN EC PRIVATE KEY-----\n{lines}-----END EC PRIVATE KEY-----\n", "ascii")
    return BrokerTls(manager.ca, certificate, key, manager.server_name)
