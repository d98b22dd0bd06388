"""Follow offers that must be refused, with the firmware's own code; prints {case: [state, reason, untouched]} as JSON.

Runs in a folder of tests.fakes.small_release with slot a confirmed. `cases.json` is {case: file of the bundle}; the
offer of a case is the message in `CASE.offer`. A bundle that is said to be of 2 GB is the file name "2 GB".
"""

import asyncio
import json
import os

from firmware import boot
from firmware.hal.files import replace
from firmware.update import Node
from firmware.update.follow import Follower
from firmware.update.reports import Reports
from firmware.wire import messages
from firmware.wire.progress import CHUNK_BYTES

NOW_S = 1899000000


class Clock:
    def ticks_ms(self):
        return 0

    def ticks_diff(self, later, earlier):
        return 1 << 20  # the channels were watched for long enough

    def uptime_s(self):
        return 60

    def unix_s(self):
        return NOW_S


class Link:
    """Answers wishes with pieces of a file, and keeps reports."""

    connected = committed = True

    def __init__(self, bundle):
        self.follower = None
        self.told = []
        self._bundle = bundle

    def publish_latest(self, kind, payload):
        fields = messages.decode(kind, payload)
        if kind == "update":
            self.told.append(fields)
        else:
            asyncio.create_task(self._serve(fields))

    async def _serve(self, want):
        data = b"" if self._bundle == "2 GB" else read(self._bundle)
        total = 1 << 31 if self._bundle == "2 GB" else len(data)
        for offset in range(want["offset"], want["offset"] + want["count"] * CHUNK_BYTES, CHUNK_BYTES):
            piece = data[offset : offset + CHUNK_BYTES]
            self.follower.take_chunk({"sha256": want["sha256"], "offset": offset, "total": total, "data": piece})


def read(name):
    with open(name, "rb") as file:
        return file.read()


def keys():
    data = read("releases.keys")
    return [data[at : at + 384] for at in range(0, len(data), 384)]


def restarted(why):
    raise AssertionError("it was taken: " + why)


async def follow(case, bundle):
    link, clock = Link(bundle), Clock()
    node = Node(
        {"board": "board-1", "trial_s": 900}, clock, link, list, lambda: True, lambda: "", lambda: None, restarted,
        lambda on: None, replace, keys, None,
    )  # fmt: skip
    link.follower = Follower(node, Reports(link, clock), messages.decode("offer", read(case + ".offer")))
    await asyncio.wait_for(link.follower.run(), 60)
    return link.told[-1]


def main():
    about, found = json.loads(read("about.json")), {}
    markers = [name for name in os.listdir() if name.startswith("slot.")]
    for case, bundle in json.loads(read("cases.json")).items():
        told = asyncio.run(follow(case, bundle))
        same = [name for name in os.listdir() if name.startswith("slot.")] == markers
        found[case] = [told["state"], told.get("reason", ""), same and not boot.damage("a", about["old"])]
    print(json.dumps(found))


main()
