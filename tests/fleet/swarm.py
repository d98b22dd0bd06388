"""Many nodes in one process: the contract and MQTT 5 over mutual TLS, without a MicroPython each.

    swarm = Swarm(settings, names, backlog)   # backlog: payloads of one node, the log id is put in for each
    seconds = asyncio.run(swarm.run(timeout_s=300))

They keep the delivery protocol of the firmware: state, up to 3 s for the watermark, the newest record first, then all
from the watermark on in order, at most WINDOW in flight and PER_S a second, again from the watermark on when it stands
still. A node is done when its watermark has reached its head.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from device_manager.identities import Authority
from device_manager.settings import Settings
from firmware.link.client import WINDOW
from firmware.link.delivery import BACKLOG_PER_S
from firmware.wire import messages, topics
from tests.fleet.filling import LOG_AT

AWAIT_S = 3.0
RESEND_S = 30.0
_PUBLISH, _PUBACK, _SUBACK, _CONNACK = 3, 4, 9, 2
_FIRST_LOG = 1 << 30


class Swarm:
    """`names` are registered nodes; each returns with the same `backlog` under a log of its own."""

    def __init__(self, settings: Settings, names: Sequence[str], backlog: Sequence[bytes]) -> None:
        authority = Authority.open(settings.identities)
        self._settings = settings
        self.nodes = [
            SwarmNode(settings, name, node_context(settings, authority, name), _FIRST_LOG + index, backlog)
            for index, name in enumerate(names)
        ]

    async def run(self, timeout_s: float) -> float:
        """Return all at once, and wait until all are caught up; return the seconds, TimeoutError after `timeout_s`."""
        began = time.monotonic()
        await asyncio.wait_for(asyncio.gather(*(node.run() for node in self.nodes)), timeout_s)
        return time.monotonic() - began


class SwarmNode:
    """One node."""

    def __init__(
        self, settings: Settings, name: str, context: ssl.SSLContext, log: int, backlog: Sequence[bytes]
    ) -> None:
        self.name, self.log, self.head, self.mark = name, log, len(backlog), 0
        self.connections = self.sent = 0
        self.first_done_s: float | None = None  # from the start until the newest record was at the broker
        self._broker = settings.broker
        self._context = context
        self._backlog = backlog
        self._frame = topics.up(name, "frame").encode()
        self._channels = topics.up(name, "channels").encode()
        self._flight: set[int] = set()
        self._room = asyncio.Event()
        self._moved = asyncio.Event()
        self._writer: asyncio.StreamWriter

    async def run(self) -> None:
        """Connect and deliver until the manager has everything."""
        while self.mark < self.head:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._deliver()
            if self.mark < self.head:
                await asyncio.sleep(random.uniform(0.5, 2))

    async def _deliver(self) -> None:
        reader = await self._connect()
        reading = asyncio.create_task(self._read(reader))
        sending = asyncio.create_task(self._send())
        done, rest = await asyncio.wait((reading, sending), return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        self._writer.close()
        for task in done:
            task.result()

    async def _connect(self) -> asyncio.StreamReader:
        host, port = self._broker.connect_host, self._broker.port
        reader, self._writer = await asyncio.open_connection(
            host, port, ssl=self._context, server_hostname=self._broker.server_name, ssl_handshake_timeout=180
        )
        self.connections += 1
        self._flight.clear()
        self._moved.clear()
        client = self.name.encode()
        body = b"\x00\x04MQTT\x05\x02\x00\x3c\x00" + len(client).to_bytes(2, "big") + client
        self._writer.write(bytes([0x10, len(body)]) + body)
        kind, answer = await _packet(reader)
        if kind >> 4 != _CONNACK or answer[1]:
            raise ConnectionRefusedError(f"CONNACK {answer[:2].hex()}")
        orders = f"{topics.ROOT}/{self.name}/down/#".encode()
        body = b"\xff\xff\x00" + len(orders).to_bytes(2, "big") + orders + b"\x01"
        self._writer.write(bytes([0x82, len(body)]) + body)
        return reader

    async def _send(self) -> None:
        began = time.monotonic()
        state = {"online": True, "boot": 1, "log": self.log, "head": self.head, "tail": 0, "time": int(time.time())}
        self._publish(topics.up(self.name, "state").encode(), messages.encode("state", {**state, "firmware": "1.0"}), 0)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._moved.wait(), AWAIT_S)
        await self._record(self.head - 1)
        self.first_done_s = time.monotonic() - began
        await asyncio.sleep(random.random())
        while self.mark < self.head:
            await self._all_from(self.mark)
            await self._stand_still()

    async def _stand_still(self) -> None:
        """Return when all is delivered, or when the watermark has not moved for RESEND_S."""
        while self.mark < self.head:
            self._moved.clear()
            try:
                await asyncio.wait_for(self._moved.wait(), RESEND_S)
            except TimeoutError:
                return

    async def _all_from(self, first: int) -> None:
        began = time.monotonic()
        for index, seq in enumerate(range(first, self.head)):
            early_s = began + index / BACKLOG_PER_S - time.monotonic()
            if early_s > 0.01:
                await asyncio.sleep(early_s)
            await self._record(seq)

    async def _record(self, seq: int) -> None:
        while len(self._flight) >= WINDOW:
            self._room.clear()
            await self._room.wait()
        payload = self._backlog[seq]
        payload = payload[:LOG_AT] + self.log.to_bytes(4, "big") + payload[LOG_AT + 4 :]
        self._flight.add(seq + 1)
        self.sent += 1
        self._publish(self._frame if seq else self._channels, payload, seq + 1)
        await self._writer.drain()

    def _publish(self, topic: bytes, payload: bytes, packet_id: int) -> None:
        """Publish at QoS 1 under `packet_id`, at QoS 0 with 0."""
        ids = packet_id.to_bytes(2, "big") if packet_id else b""
        body = len(topic).to_bytes(2, "big") + topic + ids + b"\x00" + payload
        self._writer.write(bytes([0x32 if packet_id else 0x30]) + _length(len(body)) + body)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while self.mark < self.head:
            kind, body = await _packet(reader)
            if kind >> 4 == _PUBACK:
                self._flight.discard(int.from_bytes(body[:2], "big"))
                self._room.set()
            elif kind >> 4 == _PUBLISH:
                self._take(kind, body)

    def _take(self, kind: int, body: bytes) -> None:
        size = int.from_bytes(body[:2], "big")
        at = 2 + size + (2 if kind & 0x06 else 0)
        if topics.parse(body[2 : 2 + size].decode())[2] != "watermark":
            return
        fields = messages.decode("watermark", body[at + 1 + body[at] :])
        if fields["log"] == self.log:
            self.mark = fields["next"]
            self._moved.set()


def node_context(settings: Settings, authority: Authority, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.root_file))
    identity = authority.issue_node(name, time.time())
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder) / "crt", Path(folder) / "key"
        certificate.write_bytes(identity.certificate_pem())
        key.write_bytes(identity.key_pem())
        context.load_cert_chain(certificate, key)
    return context


def _length(size: int) -> bytes:
    """Return a remaining length [MQTT 5, 1.5.5]."""
    out = bytearray()
    while True:
        size, low = size >> 7, size & 0x7F
        out.append(low | (0x80 if size else 0))
        if not size:
            return bytes(out)


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    kind = (await reader.readexactly(1))[0]
    size = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        size |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return kind, await reader.readexactly(size)
