"""A node that is only an outbox and a link: reads a line of JSON, prints what changes as JSON lines.

{"config": node.json of the link, "records": appended at the start, "every_ms": then `at_once` more each time,
"at_most": records in all, "seconds": how long, "limits": {"OPEN_MS": 400} for short deadlines, "blocks": of the outbox,
"memory": print the heap's use every second, "health": publish health five times a second}
"""

import asyncio
import gc
import json
import sys

from nor_flash import NorFlash

from firmware.hal.clock import Clock
from firmware.link import Link, client
from firmware.outbox import FRAME, Outbox
from firmware.wire import frame

LOG = 0x80000007
BUF = bytearray(frame.MAX_BYTES)


class Wifi:
    """Joined, always."""

    def connected(self):
        return True

    def leave(self):
        pass

    async def join(self):
        return True


def append(outbox, batch):
    """Append a frame whose one value is its own number."""
    batch.start(1767225600 + outbox.head * 60, 60)
    batch.add([outbox.head])
    outbox.append(FRAME, BUF, batch.encode_into(BUF, outbox.log, outbox.head, 0))


class Watch:
    """Prints the link's and the outbox's state when it differs from the line before."""

    def __init__(self, link, outbox):
        self.link, self.outbox, self.last = link, outbox, None

    def look(self):
        link, outbox = self.link, self.outbox
        now = {
            "state": link.session.state, "error": link.last_error, "head": outbox.head, "released": outbox.released,
            "buffered": outbox.buffered, "lost": outbox.lost, "resent": link.resent, "bad": link.bad_watermarks,
            "unknown": link.unknown, "refused": link.refused, "failures": link.session.failures,
        }  # fmt: skip
        if now != self.last:
            self.last = now
            print(json.dumps(now))


def on_message(kind, fields):
    print(json.dumps({"order": kind, "fields": fields if kind != "chunk" else len(fields["data"])}))
    if kind == "desired":
        raise RuntimeError("an app that fails")


def work(job, turn, link, outbox, batch):
    """What the app around the link would do in this turn of 20 ms."""
    every_ms = job.get("every_ms", 0)
    if every_ms and turn * 20 % every_ms == 0 and outbox.head < job.get("at_most", 1 << 30):
        for _ in range(job.get("at_once", 1)):
            append(outbox, batch)
        link.notify()
    if job.get("memory") and turn % 50 == 49:
        gc.collect()
        print(json.dumps({"alloc": gc.mem_alloc(), "sent": outbox.head}))
    if job.get("health") and turn % 10 == 0:
        link.publish_latest("health", b"\xa0")


async def main(job):
    for name, value in job.get("limits", {}).items():
        setattr(client, name, value)
    outbox = Outbox(NorFlash(job.get("blocks", 16)), lambda: LOG)
    link = Link(job["config"], outbox, Clock(), Wifi(), 5, "test", on_message, lambda: 400)
    batch = frame.Batch(1, 1)
    for _ in range(job["records"]):
        append(outbox, batch)
    watch = Watch(link, outbox)
    running = asyncio.create_task(link.run())
    for turn in range(int(job["seconds"] * 50)):
        await asyncio.sleep_ms(20)
        watch.look()
        work(job, turn, link, outbox, batch)
    running.cancel()
    try:
        await running
    except asyncio.CancelledError:
        print(json.dumps({"ended": True}))


asyncio.run(main(json.loads(sys.stdin.readline())))
