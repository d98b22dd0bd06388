"""A small MQTT 5 client for one lasting connection: asyncio, QoS 0 and 1, a deadline on every operation.

    client = Client(clock, on_publish, on_puback, on_change)
    await client.open(("127.0.0.1", 8883), context, "citynode-broker", connect)  # `connect(buf)` writes CONNECT
    await client.subscribe(buf, b"citynode/1/kempten-01/down/#")
    await client.publish(buf, b"citynode/1/kempten-01/up/frame", length, AT_LEAST_ONCE, token=12)

One task reads, the owner writes from one buffer, and `check()` (call it a few times a second) watches the deadlines:
an answer to PUBLISH and PINGREQ, so that a half-open link ends as an error and not as silence. Whatever goes wrong sets
`error` (a text) and calls `on_change()`; then the owner calls `close`.

Publishes at QoS 1 are answered in any order by `on_puback(token, reason)`; at most `window` are in flight (no more than
the broker's receive maximum). `on_publish(topic, payload)` gets a view that is valid only during the call. The
callbacks are plain functions.

The session outlives the connection: what was not answered when it broke is `flight.stale()` when the broker still has
it; the owner sends each again under the same packet id with `resend`, or lets go of it with `drop` (see `flight`).

A packet longer than RX_BYTES is refused by DISCONNECT with "packet too large" (CONNECT tells the broker the limit).
"""

import asyncio

from firmware.link import packets
from firmware.link.flight import NOBODY, Flight
from firmware.link.receiver import PROTOCOL_ERROR, PacketError, Receiver
from firmware.link.transport import LinkError, Transport, describe
from firmware.wire import const

RX_BYTES = 4352  # the longest message of the contract, its topic and headers
WINDOW = 8
RECEIVE_MAXIMUM = 8
KEEPALIVE_S = 30
EXPIRY_S = 3600
WILL_DELAY_S = 10  # a node that is back by then was never away
OPEN_MS = 20000  # for each of TCP, TLS with CONNECT (seconds on a chip), CONNACK
ANSWER_MS = 15000
WRITE_MS = 10000
_GOODBYE_MS = const(500)
_POLL_MS = const(10)


class Client:
    """See the module; `clock` has ticks_ms and ticks_diff."""

    def __init__(self, clock, on_publish, on_puback, on_change) -> None:
        self.error = ""
        self.session_present = False
        self.disconnect_reason = 0
        self.window = WINDOW
        self._clock = clock
        self._on_publish = on_publish
        self._on_puback = on_puback
        self._on_change = on_change
        self._transport = Transport(clock)
        self._receiver = Receiver(RX_BYTES)
        self._small = bytearray(packets.BODY_AT + 8)  # for what the reader answers
        self._lock = asyncio.Lock()
        self._reader_task: asyncio.Task | None = None
        self.flight = Flight(WINDOW)
        self._aliases: list = []  # topics by alias - 1, as far as the broker was told on this connection
        self._alias_maximum = 0
        self._keepalive_ms = KEEPALIVE_S * 1000
        self._ping_ms = None  # when an unanswered PINGREQ was sent
        self._subscribe_id = NOBODY
        self._subscribe_reason = 0

    async def open(self, address: tuple, context, server_name: str, connect) -> None:
        """Connect up to CONNACK; LinkError, OSError or PacketError after everything was closed again.

        `context` None means plain TCP. `connect(buf)` writes CONNECT into `buf`, lent for that, returns (start, end).
        """
        self._forget()
        try:
            await self._transport.open(address, context, server_name, OPEN_MS)
            buf = self._receiver.space()
            start, end = connect(buf)
            await self._transport.write(buf[start:end], OPEN_MS)  # makes the handshake first
            await self._read_connack()
        except BaseException:  # also when the owner is cancelled: a socket must not leak
            self._transport.close()
            raise
        self._reader_task = asyncio.create_task(self._read_loop())

    async def subscribe(self, buf: bytearray, topic: bytes) -> None:
        """Subscribe at QoS 1 and wait for the answer; LinkError when it is a refusal or does not come."""
        began = self._clock.ticks_ms()
        self._subscribe_id = self.flight.next_id()
        start, end = packets.subscribe(buf, self._subscribe_id, topic, 1)
        await self._send(memoryview(buf)[start:end])
        while self._subscribe_id != NOBODY:
            self._raise_error()
            if self._elapsed(began) > ANSWER_MS:
                raise LinkError("expected SUBACK within %d ms, got none" % ANSWER_MS)
            await asyncio.sleep_ms(_POLL_MS)
        if self._subscribe_reason > 2:
            raise LinkError("expected the subscription to be granted, got reason 0x%02x" % self._subscribe_reason)

    async def publish(self, buf: bytearray, topic: bytes, length: int, flags: int = 0, token: int = 0,
                      expiry_s: int = 0) -> None:  # fmt: skip
        """Send the payload that is at packets.PAYLOAD_AT of `buf`; returns when it is written.

        With AT_LEAST_ONCE there must be room in the window (ValueError); `on_puback(token, reason)` follows.
        """
        packet_id = self._take(token) if flags & packets.AT_LEAST_ONCE else NOBODY
        await self._publish(buf, topic, length, packet_id, flags, expiry_s)

    async def resend(self, buf: bytearray, topic: bytes, length: int, flags: int, token: int) -> None:
        """Send a stale publish again, under its packet id and as a duplicate."""
        packet_id = self.flight.renew(token, self._clock.ticks_ms())
        await self._publish(buf, topic, length, packet_id, flags | packets.DUP, 0)

    def check(self) -> None:
        """Look at the deadlines, ping when the link was idle; never waits."""
        if self.error or self._reader_task is None:
            return
        if self._ping_ms is not None and self._elapsed(self._ping_ms) > ANSWER_MS:
            self._fail("expected PINGRESP within %d ms, got none" % ANSWER_MS)
        if self.flight.is_late(self._clock.ticks_ms(), ANSWER_MS, self._clock.ticks_diff):
            self._fail("expected PUBACK within %d ms, got none" % ANSWER_MS)
        if self._elapsed(self._transport.written_ms) > self._keepalive_ms // 2:
            self._ping()

    async def close(self, reason: int | None = None) -> None:
        """Let go of the connection; with a `reason` the broker is told first (0x00: it keeps the will to itself)."""
        if self._reader_task is not None:
            self._reader_task.cancel()
            self._reader_task = None
        if reason is not None and self._transport.is_open:
            start, end = packets.disconnect(self._small, reason)
            try:
                await self._transport.write(memoryview(self._small)[start:end], _GOODBYE_MS)
            except (OSError, LinkError):
                pass  # it was only a courtesy
        await asyncio.sleep_ms(0)  # the reader leaves the poller before its socket is closed
        self._transport.close()

    def _forget(self) -> None:
        self.error = ""
        self.disconnect_reason = 0
        self._receiver.reset()
        self._aliases.clear()
        self._ping_ms = None
        self._subscribe_id = NOBODY

    def _elapsed(self, since_ms: int) -> int:
        return self._clock.ticks_diff(self._clock.ticks_ms(), since_ms)

    def _take(self, token: int) -> int:
        if self.flight.count >= self.window:
            raise ValueError("expected fewer than %d publishes in flight" % self.window)
        return self.flight.take(token, self._clock.ticks_ms())

    def _fail(self, text: str) -> None:
        if not self.error:
            self.error = text
        self._on_change()

    def _raise_error(self) -> None:
        if self.error:
            raise LinkError(self.error)

    async def _publish(self, buf, topic: bytes, length: int, packet_id: int, flags: int, expiry_s: int) -> None:
        alias, known = self._alias(topic)
        start, end = packets.publish(buf, b"" if known else topic, length, packet_id, flags, alias, expiry_s)
        await self._send(memoryview(buf)[start:end])

    def _alias(self, topic: bytes) -> tuple:
        """(alias or 0, True when the broker knows it already)."""
        if topic in self._aliases:
            return self._aliases.index(topic) + 1, True
        if len(self._aliases) >= self._alias_maximum:
            return 0, False
        self._aliases.append(topic)
        return len(self._aliases), False

    async def _send(self, view: memoryview) -> None:
        async with self._lock:
            self._raise_error()
            try:
                await self._transport.write(view, WRITE_MS)
            except (OSError, LinkError) as error:
                self._fail(describe(error))
                raise

    def _ping(self) -> None:
        if self._ping_ms is not None or self.error or self._lock.locked():
            return
        self._ping_ms = self._clock.ticks_ms()  # also when nothing goes out: then no answer ends it
        try:
            self._transport.write_now(packets.PINGREQ)
        except (OSError, LinkError) as error:
            self._fail(describe(error))

    async def _read_connack(self) -> None:
        while not self._receiver.take():
            self._receiver.filled(await self._transport.read(self._receiver.space(), OPEN_MS))
        if self._receiver.kind != packets.CONNACK or self._receiver.flags:
            raise LinkError("expected CONNACK, got packet type %d" % self._receiver.kind)
        self.session_present, reason, found = packets.read_connack(self._receiver.body)
        if reason:
            raise LinkError("expected the broker to accept the node, got reason 0x%02x" % reason)
        self.window = min(WINDOW, found.get(packets.RECEIVE_MAXIMUM, WINDOW))
        self._alias_maximum = found.get(packets.ALIAS_MAXIMUM, 0)
        self.flight.keep(self.session_present)
        self._keepalive_ms = found.get(packets.SERVER_KEEPALIVE, KEEPALIVE_S) * 1000 or KEEPALIVE_S * 1000

    async def _read_loop(self) -> None:
        stream = self._transport.stream()
        try:
            while not self.error:
                await self._handle_all()
                count = await stream.readinto(self._receiver.space())
                if count == 0:
                    self._fail("the broker closed the connection")
                elif count:
                    self._receiver.filled(count)
        except PacketError as error:
            self.disconnect_reason = error.reason
            self._fail(str(error))
        except (OSError, LinkError) as error:
            self._fail(describe(error))

    async def _handle_all(self) -> None:
        while not self.error and self._receiver.take():
            kind, flags, body = self._receiver.kind, self._receiver.flags, self._receiver.body
            if kind == packets.PUBLISH:
                await self._handle_publish(flags, body)
            elif flags:
                raise PacketError("expected flags 0 of packet type %d, got 0x%x" % (kind, flags))
            else:
                self._handle_answer(kind, body)

    def _handle_answer(self, kind: int, body: memoryview) -> None:
        if kind == packets.PUBACK:
            self._handle_puback(body)
        elif kind == packets.PINGRESP and not len(body):
            self._ping_ms = None
        elif kind == packets.SUBACK:
            packet_id, reason = packets.read_suback(body)
            if packet_id == self._subscribe_id:
                self._subscribe_id, self._subscribe_reason = NOBODY, reason
        elif kind == packets.DISCONNECT:
            self.disconnect_reason = packets.read_disconnect(body)
            self._fail("the broker disconnected with reason 0x%02x" % self.disconnect_reason)
        else:
            text = "expected a packet for a client, got type %d of %d bytes" % (kind, len(body))
            raise PacketError(text, PROTOCOL_ERROR)

    async def _handle_publish(self, flags: int, body: memoryview) -> None:
        topic, packet_id, payload = packets.read_publish(flags, body)
        self._on_publish(topic, payload)
        if packet_id:
            async with self._lock:
                start, end = packets.puback(self._small, packet_id)
                await self._transport.write(memoryview(self._small)[start:end], WRITE_MS)

    def _handle_puback(self, body: memoryview) -> None:
        packet_id, reason = packets.read_puback(body)
        try:
            token = self.flight.answered(packet_id)
        except ValueError:
            raise PacketError("expected PUBACK of a packet in flight, got %d" % packet_id, PROTOCOL_ERROR)
        self._on_puback(token, reason)
        self._on_change()
