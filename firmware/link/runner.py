"""The shell of the link: climbs the ladder of `session`, and hands on what the broker says."""

import asyncio
import gc

from firmware import forget
from firmware.link import client, delivery, packets, session
from firmware.link.sender import NOT_A_RECORD, Sender
from firmware.link.transport import LinkError, describe
from firmware.wire import WireError, const, messages, topics

RESEND_S = 30
TLS_BYTES = 20000  # in one piece: 16 kB to receive into, and what goes with it
_CROWDED = const(3)  # attempts without room for TLS before only a reboot helps
_TICK_MS = const(250)


class Link:
    """Delivers the outbox and small messages, hands orders to `on_message(kind, fields)`, for ever.

    config      {"node", "brokers": [{"host", "port", "server_name"}...], "tls": {..} or None}; "resend_s",
                "max_offline_s" and "backlog_per_s" where they differ from the defaults
    outbox      log, head, tail, released, read, release, append_loss, last_unreadable, KIND_NAMES
    clock       ticks_ms, ticks_diff, uptime_s, unix_s, guess
    wifi        connected(), leave(), and join() as a coroutine that returns True or False
    on_message  a plain function; from the manager come desired, command and chunk, with the fields that
                firmware.wire.messages decodes, and "time" {"unix_s"}; from the link itself "reboot" {"reason"}
    largest     function: the largest free block that TLS may have, in bytes
    about       more fields of the state message

    Readable at any time, for health: connected, committed, resent, bad_watermarks, unknown, refused, reconnects,
    last_error; `turns` changes while the link's task is alive.
    """

    def __init__(self, config: dict, outbox, clock, wifi, boot: int, firmware: str, on_message, random_u32,
                 largest=lambda: TLS_BYTES, about=None) -> None:  # fmt: skip
        self.unknown = self.reconnects = self.turns = 0
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
        self._about = about or {}
        self._on_message = on_message
        self._orders = ("%s/%s/down/#" % (topics.ROOT, self._node)).encode()
        self._heard = False  # a watermark on this connection
        self._opened_ms = 0
        self._useful_s = clock.uptime_s()  # when something was taken last
        self._denied = ""  # why the broker's certificate was refused, though an anchor has signed it
        self._crowded = 0  # attempts without room for TLS, one after the other
        self._largest = largest
        self._wake = asyncio.Event()
        offline_s = config.get("max_offline_s", session.MAX_OFFLINE_S)
        self.session = session.Session(len(self._brokers), random_u32, offline_s)
        self._delivery = delivery.Delivery(
            outbox.log, outbox.released, client.WINDOW, int(config.get("resend_s", RESEND_S) * 1000), clock.ticks_diff,
            config.get("backlog_per_s", delivery.BACKLOG_PER_S), random_u32,
        )  # fmt: skip
        self._client = client.Client(clock, self._take_publish, self._take_puback, self._wake.set)
        self._sender = Sender(self._node, self._client, self._delivery, outbox, clock, self._state)
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
    def committed(self) -> bool:
        """True when the manager has answered on this connection."""
        return self.connected and self._heard

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
                self.turns += 1
                event = await self._steps[self.session.state]()
                if event == session.FAILED:
                    await self._fall()
                self.session.on(event)
        finally:
            ticker.cancel()
            await self._client.close(packets.DISCONNECT_WITH_WILL)

    def publish_latest(self, kind: str, payload: bytes) -> None:
        """Send a message (health, reply) when there is a connection; of too many waiting ones the oldest is dropped."""
        self._sender.queue(kind, payload)
        self._wake.set()

    def announce(self) -> None:
        """Publish the state again, for example once the clock is right."""
        self._sender.state_is_due = True
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
        offline_s = self._clock.uptime_s() - self._useful_s
        measure = self.session.measure(offline_s)
        if measure == session.RADIO:
            self._wifi.leave()
        elif measure == session.RENEW:
            self._context = None
        elif measure == session.REBOOT:
            self._reboot("offline for %d s" % offline_s)
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
                self._clock.guess()
                return session.TIMEOUT
            await asyncio.sleep_ms(_TICK_MS)
        return session.DONE

    async def _open(self) -> str:
        broker = self._brokers[self.session.broker]
        name = broker.get("server_name") or broker["host"]
        self._denied = ""
        try:
            if self._tls:
                self._make_room()
                self._context = self._context or self._make_context(self._tls)
            await self._client.open((broker["host"], broker["port"]), self._context, name, self._write_connect)
        except (OSError, ValueError, LinkError, MemoryError) as error:
            return self._failed(self._denied or describe(error))
        self._heard = False
        self._opened_ms = self._clock.ticks_ms()
        self._delivery.connected()
        self._delivery.window = self._client.window
        return session.DONE

    def _make_context(self, files: dict) -> object:
        from firmware.link import trust  # wanted once

        context = trust.make_context(files, self._note_denied)
        forget("link.trust")
        return context

    async def _introduce(self) -> str:
        try:
            self._sender.make_room()
            await self._client.subscribe(self._sender.buf, self._orders)
            await self._sender.publish("state", self._state())
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
        try:
            await self._sender.send_unanswered()
            self._delivery.begin(self._outbox.tail, self._outbox.head, self._clock.ticks_ms())
            while not self._client.error:
                if not await self._sender.step():
                    await self._wait()
        except (OSError, LinkError) as error:
            return self._failed(describe(error))
        return self._failed(self._client.error)

    async def _wait(self) -> None:
        self.turns += 1
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
            topics.up(self._node, "state").encode(), will, client.WILL_DELAY_S,
        )  # fmt: skip

    def _state(self) -> bytes:
        outbox = self._outbox
        fields = {
            "online": True, "boot": self._boot, "log": outbox.log, "head": outbox.head, "tail": outbox.tail,
            "time": self._clock.unix_s(), "firmware": self._firmware,
        }  # fmt: skip
        fields.update(self._about)
        return messages.encode("state", fields)

    def _take_puback(self, token: int, reason: int) -> None:
        if reason >= packets.FIRST_FAILURE:
            self.last_error = "publish: expected success, got reason 0x%02x" % reason
        if token == NOT_A_RECORD:
            return
        self._delivery.acked(token, reason)
        if reason < packets.FIRST_FAILURE:
            self._note_useful()

    def _note_useful(self) -> None:
        self._useful_s = self._clock.uptime_s()
        self.session.useful(self._elapsed(self._opened_ms))

    def _make_room(self) -> None:
        """Look for the memory that TLS needs: a connection that fails for lack of it would leave even less."""
        gc.collect()
        largest = self._largest()
        self._crowded = self._crowded + 1 if largest < TLS_BYTES else 0
        if self._crowded >= _CROWDED:
            self._reboot("no memory for TLS")
        if self._crowded:
            raise LinkError("expected %d bytes in one piece for TLS, got %d" % (TLS_BYTES, largest))

    def _note_denied(self, text: str) -> None:
        self._denied = text

    def _reboot(self, reason: str) -> None:
        self._hand_over("reboot", {"reason": reason})

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
            self._note_useful()
            self._wake.set()
        if good and "time" in fields:
            self._hand_over("time", {"unix_s": fields["time"]})
