"""The shell of the link: does what `session` and `delivery` say, and owns the connection and its one send buffer."""

import asyncio

from firmware.link import client, delivery, packets, session, trust
from firmware.link.transport import LinkError, describe
from firmware.wire import WireError, messages, topics

TX_BYTES = 4096
RESEND_S = 30
_TICK_MS = 250
_MAX_QUEUED = 4
_UP_QOS = {"reply": 1, "state": 1}  # the rest of the messages is QoS 0: only the latest value counts
_RETAINED = ("state", "channels")
_NOT_A_RECORD = -1
_UNREADABLE = "unreadable"


class Link:
    """Delivers the outbox and small messages, hands orders to `on_message(kind, fields)`, for ever.

    config      {"node", "brokers": [{"host", "port", "server_name"}...], "tls": {..} or None, "resend_s"}
    outbox      log, head, tail, released, read, release, append_loss, last_unreadable, KIND_NAMES
    clock       ticks_ms, ticks_diff, unix_s
    wifi        connected(), and join() as a coroutine that returns True or False
    on_message  a plain function; kinds are desired, command and chunk, fields as firmware.wire.messages decodes them

    Readable at any time, for health: connected, resent, bad_watermarks, unknown, refused, reconnects, last_error.
    """

    def __init__(self, config: dict, outbox, clock, wifi, boot: int, firmware: str, on_message, random_u32) -> None:
        self.unknown = self.reconnects = 0
        self.last_error = ""
        self._node = config["node"]
        self._brokers = config["brokers"]
        self._tls = config.get("tls")
        self._context: object = None
        self._outbox = outbox
        self._clock = clock
        self._wifi = wifi
        self._boot = boot
        self._firmware = firmware
        self._on_message = on_message
        self._topics = {kind: topics.up(self._node, kind).encode() for kind in topics.UP}
        self._orders = ("%s/%s/down/#" % (topics.ROOT, self._node)).encode()
        self._tx = bytearray(TX_BYTES)
        self._payload = memoryview(self._tx)[packets.PAYLOAD_AT :]
        self._queue: list = []  # (kind, payload), at most _MAX_QUEUED
        self._announce = False
        self._heard = False  # a watermark on this connection
        self._opened_ms = 0
        self._wake = asyncio.Event()
        self.session = session.Session(len(self._brokers), random_u32)
        resend_ms = int(config.get("resend_s", RESEND_S) * 1000)
        self._delivery = delivery.Delivery(outbox.log, outbox.released, client.WINDOW, resend_ms, clock.ticks_diff)
        self._client = client.Client(clock, self._take_publish, self._take_puback, self._wake.set)
        self._steps = {
            session.REST: self._rest,
            session.JOIN: self._join,
            session.CLOCK: self._wait_for_clock,
            session.OPEN: self._open,
            session.ANNOUNCE: self._introduce,
            session.AWAIT: self._await_watermark,
            session.SEND: self._send,
        }

    @property
    def connected(self) -> bool:
        """True while records can be sent."""
        return self.session.state == session.SEND and not self._client.error

    @property
    def resent(self) -> int:
        """Records sent more than once since the start."""
        return self._delivery.resent

    @property
    def bad_watermarks(self) -> int:
        """Watermarks of a foreign log or beyond the head."""
        return self._delivery.bad_watermarks

    @property
    def refused(self) -> int:
        """Records that the broker refused by a reason code."""
        return self._delivery.refused

    async def run(self) -> None:
        """Connect, deliver, and begin again when that fails; ends only by cancellation."""
        ticker = asyncio.create_task(self._tick())
        try:
            while True:
                event = await self._steps[self.session.state]()
                if event == session.FAILED:
                    await self._fall()
                self.session.on(event)
        finally:
            ticker.cancel()
            await self._client.close(packets.DISCONNECT_WITH_WILL)

    def publish_latest(self, kind: str, payload: bytes) -> None:
        """Send a message (health, reply) when there is a connection; of too many waiting ones the oldest is dropped."""
        if len(payload) > len(self._payload):
            raise ValueError("expected at most %d bytes, got %d" % (len(self._payload), len(payload)))
        if len(self._queue) >= _MAX_QUEUED:
            self._queue.pop(0)
        self._queue.append((kind, payload))
        self._wake.set()

    def announce(self) -> None:
        """Publish the state again, for example once the clock is right."""
        self._announce = True
        self._wake.set()

    def notify(self) -> None:
        """There is a new record in the outbox; without this call it is found within a quarter of a second."""
        self._wake.set()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep_ms(_TICK_MS)
            self._client.check()
            self._wake.set()

    async def _rest(self) -> str:
        await asyncio.sleep_ms(self.session.rest_ms())
        return session.TIMEOUT

    async def _join(self) -> str:
        if await self._wifi.join():
            return session.DONE
        self.last_error = "join: expected Wi-Fi, got no connection"
        return session.FAILED

    async def _wait_for_clock(self) -> str:
        began = self._clock.ticks_ms()
        while self._tls and self._clock.unix_s() is None:
            if self._elapsed(began) > session.CLOCK_MS:
                return session.TIMEOUT
            await asyncio.sleep_ms(_TICK_MS)
        return session.DONE

    async def _open(self) -> str:
        broker = self._brokers[self.session.broker]
        name = broker.get("server_name") or broker["host"]
        try:
            if self._tls and self._context is None:
                self._context = trust.make_context(self._tls)
            await self._client.open((broker["host"], broker["port"]), self._context, name, self._write_connect)
        except (OSError, ValueError, LinkError, MemoryError) as error:
            return self._failed(describe(error))
        self._heard = False
        self._opened_ms = self._clock.ticks_ms()
        self._delivery.connected()
        self._delivery.window = self._client.window
        return session.DONE

    async def _introduce(self) -> str:
        try:
            await self._client.subscribe(self._tx, self._orders)
            await self._publish("state", self._state())
        except (OSError, LinkError) as error:
            return self._failed(describe(error))
        return session.DONE

    async def _await_watermark(self) -> str:
        began = self._clock.ticks_ms()
        while not self._heard:
            if self._client.error:
                return self._failed(self._client.error)
            if self._elapsed(began) > session.AWAIT_MS:
                return session.TIMEOUT
            await self._wait()
        return session.DONE

    async def _send(self) -> str:
        self._delivery.begin(self._outbox.tail)
        try:
            while not self._client.error:
                if not await self._send_next():
                    await self._wait()
        except (OSError, LinkError) as error:
            return self._failed(describe(error))
        return self._failed(self._client.error)

    async def _send_next(self) -> bool:
        """Do one thing; False when there is nothing to do now."""
        if self._announce and self._has_room():
            self._announce = False
            await self._publish("state", self._state())
            return True
        if self._queue and (self._queue[0][0] not in _UP_QOS or self._has_room()):
            kind, payload = self._queue.pop(0)
            await self._publish(kind, payload)
            return True
        what = delivery.WAIT
        if self._has_room():
            what = self._delivery.step(self._outbox.tail, self._outbox.head, self._clock.ticks_ms())
        if what == delivery.SEND:
            await self._send_record(self._delivery.seq)
        elif what == delivery.DECLARE:
            self._outbox.append_loss(self._delivery.first, self._delivery.last, self._delivery.reason)
        return what != delivery.WAIT

    async def _send_record(self, seq: int) -> None:
        found = self._outbox.read(seq, self._payload)
        kind = self._outbox.KIND_NAMES.get(found[0]) if found else None
        if kind is None:
            last = seq if found else self._outbox.last_unreadable(seq)
            if self._delivery.give_up(seq, last):
                self._outbox.append_loss(seq, last, _UNREADABLE)
            return
        self._delivery.sent(seq)
        await self._client.publish(self._tx, self._topics[kind], found[1], 1, kind in _RETAINED, seq)
        await asyncio.sleep_ms(0)  # a window of records must not keep the sampler waiting

    async def _publish(self, kind: str, payload: bytes) -> None:
        self._payload[: len(payload)] = payload
        retain = kind in _RETAINED
        await self._client.publish(
            self._tx, self._topics[kind], len(payload), _UP_QOS.get(kind, 0), retain, _NOT_A_RECORD
        )

    def _has_room(self) -> bool:
        return self._client.in_flight < self._client.window

    async def _wait(self) -> None:
        await self._wake.wait()
        self._wake.clear()

    def _elapsed(self, since_ms: int) -> int:
        return self._clock.ticks_diff(self._clock.ticks_ms(), since_ms)

    def _failed(self, text: str) -> str:
        self.last_error = "%s: %s" % (self.session.state, text)
        return session.FAILED

    async def _fall(self) -> None:
        """Close what is left of a connection."""
        reason = self._client.disconnect_reason
        if reason == packets.TAKEN_OVER:
            self.session.rival()
        if self.session.state in (session.AWAIT, session.SEND):
            self.reconnects += 1
        await self._client.close(reason or None)

    def _write_connect(self, buf: memoryview) -> tuple:
        will = messages.encode("state", {"online": False, "boot": self._boot})
        return packets.connect(
            buf, self._node.encode(), client.KEEPALIVE_S, client.EXPIRY_S, client.RECEIVE_MAXIMUM, client.RX_BYTES,
            self._topics["state"], will,
        )  # fmt: skip

    def _state(self) -> bytes:
        outbox = self._outbox
        return messages.encode(
            "state",
            {
                "online": True, "boot": self._boot, "log": outbox.log, "head": outbox.head, "tail": outbox.tail,
                "time": self._clock.unix_s(), "firmware": self._firmware,
            },
        )  # fmt: skip

    def _take_puback(self, token: int, reason: int) -> None:
        if reason >= packets.FIRST_FAILURE:
            self.last_error = "publish: expected success, got reason 0x%02x" % reason
        if token == _NOT_A_RECORD:
            return
        self._delivery.acked(token, reason)
        if reason < packets.FIRST_FAILURE:
            self.session.useful(self._elapsed(self._opened_ms))

    def _take_publish(self, topic: str, payload: memoryview) -> None:
        try:
            node, direction, kind = topics.parse(topic)
            if node != self._node or direction != "down":
                raise WireError("expected a message for %s, got %s" % (self._node, topic[:80]))
            fields = messages.decode(kind, bytes(payload))
        except WireError:
            self.unknown += 1  # an old node is never wrong: what it does not understand it leaves alone
            return
        if kind == "watermark":
            self._take_watermark(fields)
        else:
            self._hand_over(kind, fields)

    def _hand_over(self, kind: str, fields: dict) -> None:
        try:
            self._on_message(kind, fields)
        except Exception as error:  # whatever an order does to the app, the link stays up to hear the next one
            self.last_error = "%s: %s" % (kind, describe(error))

    def _take_watermark(self, fields: dict) -> None:
        outbox = self._outbox
        good = self._delivery.watermark(
            fields["log"], fields["next"], fields["want"], outbox.tail, outbox.head, self._clock.ticks_ms()
        )
        if good:
            self._heard = True
            outbox.release(self._delivery.mark)
            self.session.useful(self._elapsed(self._opened_ms))
            self._wake.set()
