"""What goes out: the state, messages that wait, and the records that `delivery` names; from one buffer."""

import asyncio

from firmware.link import delivery, packets
from firmware.wire import const, topics
from firmware.wire.batch import MAX_BYTES

LEAST_BYTES = 1024  # room for every message that is no record
NOT_A_RECORD = -1
_MAX_QUEUED = const(4)
_UNREADABLE = "unreadable"
_LATEST = ("health", "update")  # a newer one takes the place of one that still waits
# Flags and expiry in s; health is QoS 0: only the latest value counts. Older replies are of no use to anybody.
_MESSAGES = {
    "state": (packets.AT_LEAST_ONCE | packets.RETAIN, 0),
    "reply": (packets.AT_LEAST_ONCE, 3600),
    "health": (0, 600),
    "want": (0, 60),
    "update": (packets.AT_LEAST_ONCE, 0),
}


class Sender:
    """Sends over `client`; `outbox` as `Link` has it, `state()` is the payload of the state message as it is now."""

    def __init__(self, node: str, client, pending: delivery.Delivery, outbox, clock, state) -> None:
        self.buf = bytearray(0)  # also for others, while nothing is being sent
        self._grow(LEAST_BYTES)
        self.state_is_due = False
        self._topics = {kind: topics.up(node, kind).encode() for kind in topics.UP}
        self._client = client
        self._delivery = pending
        self._outbox = outbox
        self._clock = clock
        self._state = state
        self._queue: list = []  # (kind, payload), at most _MAX_QUEUED
        self._newest_channels = -1  # only the newest record of this kind may stay retained

    def queue(self, kind: str, payload: bytes) -> None:
        """Send a message soon; of too many waiting ones the oldest is dropped."""
        if len(payload) > len(self._payload):
            raise ValueError("expected at most %d bytes, got %d" % (len(self._payload), len(payload)))
        if kind in _LATEST:
            self._queue = [row for row in self._queue if row[0] != kind]
        if len(self._queue) >= _MAX_QUEUED:
            self._queue.pop(0)
        self._queue.append((kind, payload))

    def _grow(self, payload_bytes: int) -> None:
        self.buf = bytearray(packets.PAYLOAD_AT + payload_bytes)
        self._payload = memoryview(self.buf)[packets.PAYLOAD_AT :]

    def _read(self, seq: int) -> tuple | None:
        """Read a record to its place; the first that is too long makes the buffer as long as any can be."""
        try:
            return self._outbox.read(seq, self._payload)
        except ValueError:
            self._grow(MAX_BYTES)
            return self._outbox.read(seq, self._payload)

    def make_room(self) -> None:
        """See that the state can go out although a whole window waits to be sent again: the youngest goes as new."""
        flight = self._client.flight
        while not self.has_room():
            flight.drop(flight.stale()[-1])

    async def send_unanswered(self) -> None:
        """The broker still has the session: what it has not answered it gets again, if anybody still needs it."""
        for token in self._client.flight.stale():
            found = self._read(token) if token >= self._delivery.mark else None
            if not found or found[0] not in self._outbox.KIND_NAMES:
                self._client.flight.drop(token)
                continue
            self._delivery.sent(token)
            kind = self._outbox.KIND_NAMES[found[0]]
            await self._client.resend(self.buf, self._topics[kind], found[1], self._flags(kind, token), token)

    async def step(self) -> bool:
        """Send one thing; False when there is nothing to do now."""
        if self.state_is_due and self.has_room():
            self.state_is_due = False
            await self.publish("state", self._state())
            return True
        if self._queue and (not _MESSAGES[self._queue[0][0]][0] or self.has_room()):
            kind, payload = self._queue.pop(0)
            await self.publish(kind, payload)
            return True
        what = delivery.WAIT
        if self.has_room():
            what = self._delivery.step(self._outbox.tail, self._outbox.head, self._clock.ticks_ms())
        if what == delivery.SEND:
            await self._send_record(self._delivery.seq)
        elif what == delivery.DECLARE:
            self._outbox.append_loss(self._delivery.first, self._delivery.last, self._delivery.reason)
        return what != delivery.WAIT

    async def _send_record(self, seq: int) -> None:
        found = self._read(seq)
        kind = self._outbox.KIND_NAMES.get(found[0]) if found else None
        if found is None or kind is None:
            last = seq if found else self._outbox.last_unreadable(seq)
            if self._delivery.give_up(seq, last):
                self._outbox.append_loss(seq, last, _UNREADABLE)
            return
        self._delivery.sent(seq)
        await self._client.publish(self.buf, self._topics[kind], found[1], self._flags(kind, seq), seq)
        await asyncio.sleep_ms(0)  # a window of records must not keep the sampler waiting

    async def publish(self, kind: str, payload: bytes) -> None:
        """Send a message now."""
        self._payload[: len(payload)] = payload
        flags, expiry_s = _MESSAGES[kind]
        await self._client.publish(self.buf, self._topics[kind], len(payload), flags, NOT_A_RECORD, expiry_s)

    def _flags(self, kind: str, seq: int) -> int:
        """Flags of a record; an old channels record of the backlog must not replace a newer one that is retained."""
        if kind != "channels" or seq < self._newest_channels:
            return packets.AT_LEAST_ONCE
        self._newest_channels = seq
        return packets.AT_LEAST_ONCE | packets.RETAIN

    def has_room(self) -> bool:
        """True when the window takes another publish at QoS 1."""
        return self._client.flight.count < self._client.window
