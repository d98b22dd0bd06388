"""Drive the MQTT client without sockets against a broker of random moods: `fuzz_client.py CASES SEED` prints JSON.

A case is one connection: CONNECT, CONNACK (good, bad or cut), then a stream of good, truncated, oversized, repeated,
out-of-order and random packets in pieces of any length, publishes of our own in between, and the end. Whatever comes,
the client must come back with an answer or a reason; only its own kinds of error may leave it.
"""

import asyncio
import gc
import json
import sys

from firmware.link import packets
from firmware.link.client import Client
from firmware.link.receiver import PacketError
from firmware.link.transport import LinkError

GOOD = (
    b"\x40\x02\x00\x01", b"\x40\x04\x00\x02\x00\x00", b"\x90\x04\x00\x01\x00\x01", b"\xd0\x00",
    b"\x30\x08\x00\x03a/b\x00hi", b"\x32\x0a\x00\x03a/b\x00\x07\x00hi", b"\xe0\x00", b"\x40\x03\x00\x01\x87",
)  # fmt: skip
CONNACKS = (
    b"\x20\x03\x00\x00\x00", b"\x20\x09\x00\x00\x06\x22\x00\x0a\x21\x00\x14", b"\x20\x03\x01\x00\x00",
    b"\x20\x03\x00\x87\x00", b"\x20\x06\x00\x00\x03\x21\x00\x00", b"\x40\x02\x00\x01", b"\x20\x03\x00",
)  # fmt: skip


class Random:
    """A small generator, so that a case can be repeated."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 8) % limit


class Clock:
    """Moves by a second a look, so that every deadline passes quickly."""

    now = 0

    def ticks_ms(self):
        self.now += 250
        return self.now

    def ticks_diff(self, later, earlier):
        return later - earlier


class Stream:
    """What a case's broker sends, in pieces; then the end, or silence."""

    def __init__(self, random):
        self.random = random
        self.data = b""

    def fill(self, connack):
        random = self.random
        self.data = connack
        for _ in range(random.below(7)):
            self.data += self.packet()

    def packet(self):
        random = self.random
        kind = random.below(6)
        if kind < 2:
            return GOOD[random.below(len(GOOD))]
        if kind == 2:
            good = GOOD[random.below(len(GOOD))]
            return good[: random.below(len(good))]
        if kind == 3:
            good = bytearray(GOOD[random.below(len(GOOD))])
            good[random.below(len(good))] = random.below(256)
            return bytes(good)
        if kind == 4:
            return bytes((random.below(256), 0xFF, 0xFF, random.below(256), random.below(128)))
        return bytes(random.below(256) for _ in range(random.below(40)))

    def take(self, view):
        count = min(len(view), len(self.data), 1 + self.random.below(30))
        view[:count] = self.data[:count]
        self.data = self.data[count:]
        return count

    async def readinto(self, view):
        return self.take(view)


class Pipe:
    """The transport of a case."""

    is_open = True
    written_ms = 0

    def __init__(self, random):
        self.random = random
        self.from_broker = Stream(random)

    async def open(self, address, context, server_name, limit_ms):
        good = self.random.below(4)
        self.from_broker.fill(CONNACKS[self.random.below(3) if good else self.random.below(len(CONNACKS))])

    def close(self):
        pass

    def stream(self):
        return self.from_broker

    async def write(self, view, limit_ms):
        if self.random.below(40) == 0:
            raise OSError(104)

    def write_now(self, data):
        return True

    async def read(self, view, limit_ms):
        count = self.from_broker.take(view)
        if not count:
            raise LinkError("expected an answer, got a closed connection")
        return count


async def one_case(mqtt, buf, random, seen):
    try:
        await mqtt.open(("", 0), None, "", lambda view: packets.disconnect(view, 0))
        for _ in range(random.below(4)):
            if mqtt.flight.count < mqtt.window:
                await mqtt.publish(buf, b"a/b", 3, packets.AT_LEAST_ONCE, 1, 5)
        for token in mqtt.flight.stale():
            mqtt.flight.drop(token)
        for _ in range(200):
            if mqtt.error:
                break
            mqtt.check()
            await asyncio.sleep_ms(0)
        reason = mqtt.error
    except (LinkError, PacketError, OSError) as error:
        reason = str(error)
    if not reason:
        raise AssertionError("a case without an end")
    seen.add(reason.split(",")[0][:24])
    await mqtt.close(mqtt.disconnect_reason or None)


async def main(cases, seed):
    random = Random(seed)
    mqtt = Client(Clock(), lambda topic, payload: None, lambda token, reason: None, lambda: None)
    mqtt._transport = Pipe(random)
    buf, seen, early = bytearray(256), set(), 0
    for case in range(cases):
        await one_case(mqtt, buf, random, seen)
        if case == cases // 2:
            gc.collect()
            early = gc.mem_alloc()
    gc.collect()
    print(json.dumps({"cases": cases, "reasons": len(seen), "growth": gc.mem_alloc() - early}))


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
