"""Publish at QoS 1 to a broker: `publish_rate.py PORT MODE MESSAGES`; MODE window, one (in flight) or poll (100 ms).

"one" waits in the poller for each PUBACK, "poll" looks for it every 100 ms, both over asyncio's own stream; "window" is
the firmware's client. All three write the same packets. Prints messages a second.
"""

import asyncio
import sys
import time

from firmware.link import packets
from firmware.link.client import Client
from firmware.link.transport import LinkError

TOPIC = b"citynode/1/kempten-01/up/frame"
LENGTH = 175


class Clock:
    """As hal.clock."""

    def ticks_ms(self):
        return time.ticks_ms()

    def ticks_diff(self, later, earlier):
        return time.ticks_diff(later, earlier)


def connect(buf):
    return packets.connect(buf, b"rate", 30, 0, 8, 4352, b"w", b"\xa0", 1)


async def by_window(port, messages):
    answered, wake = [0], asyncio.Event()

    def on_puback(token, reason):
        answered[0] += 1

    mqtt = Client(Clock(), lambda topic, payload: None, on_puback, wake.set)
    await mqtt.open(("127.0.0.1", port), None, "", connect)
    buf = bytearray(512)
    began = time.ticks_us()
    for _ in range(messages):
        while mqtt.flight.count >= mqtt.window:
            wake.clear()
            await wake.wait()
        await mqtt.publish(buf, TOPIC, LENGTH, packets.AT_LEAST_ONCE)
    while answered[0] < messages:
        if mqtt.error:
            raise LinkError(mqtt.error)
        wake.clear()
        await wake.wait()
    return time.ticks_diff(time.ticks_us(), began)


async def one_by_one(port, messages, poll_ms):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    buf = bytearray(512)
    start, end = connect(memoryview(buf))
    writer.write(buf[start:end])
    await writer.drain()
    await reader.read(100)
    began = time.ticks_us()
    for number in range(messages):
        start, end = packets.publish(buf, TOPIC, LENGTH, number % 65535 + 1, packets.AT_LEAST_ONCE)
        writer.write(buf[start:end])
        await writer.drain()
        if poll_ms:
            await asyncio.sleep_ms(poll_ms)
        answer = await reader.readexactly(2)
        await reader.readexactly(answer[1])
        if answer[0] != 0x40:
            raise LinkError(f"expected PUBACK, got 0x{answer[0]:02x}")
    return time.ticks_diff(time.ticks_us(), began)


def main(port, mode, messages):
    run = by_window(port, messages) if mode == "window" else one_by_one(port, messages, 100 if mode == "poll" else 0)
    print(messages * 1000000 / asyncio.run(run))


main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
