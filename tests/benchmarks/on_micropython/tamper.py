"""Flip every byte of what a node gets or keeps, on MicroPython; prints {what: [tried, refused, harmless, reasons]}.

Runs in a folder of tests.fakes.small_release. Root and offer: `plan.open_offer` must refuse. Bundle: it must be
refused, or every file come out as signed all the same (harmless: the last bits of a deflated stream mean nothing).
Files and listings of a slot: `boot.damage` must name one. `reasons` are the different texts that the manager would
get.
"""

import asyncio
import json
import os
import sys

from firmware import boot
from firmware.update import UpdateError, plan, unpack

STEP = int(sys.argv[1])


def read(name):
    with open(name, "rb") as file:
        return file.read()


def write(name, data):
    with open(name, "wb") as file:
        file.write(data)


def keys():
    data = read("releases.keys")
    return [data[at : at + 384] for at in range(0, len(data), 384)]


def flipped(data, at):
    out = bytearray(data)
    out[at] ^= 1 << at % 8
    return bytes(out)


class Counts:
    """Of flips; reasons once each, because thousands of texts would break the heap into pieces."""

    def __init__(self):
        self.tried = self.refused = self.harmless = 0
        self.reasons = {}

    def add(self, reason, harmless=False):
        self.tried += 1
        self.refused += reason != ""
        self.harmless += harmless
        if reason:
            self.reasons[reason[:28]] = 1

    def row(self):
        return [self.tried, self.refused, self.harmless, sorted(self.reasons)]


def signed(name, trusted):
    good, counts = {"root": read("root"), "offer": read("offer")}, Counts()
    for at in range(0, len(good[name]), STEP):
        bad = dict(good)
        bad[name] = flipped(good[name], at)
        try:
            plan.open_offer(bad["root"], bad["offer"], lambda: trusted)
            counts.add("")
        except UpdateError as error:
            counts.add(str(error))
    return counts.row()


def unpacks(data, tree):
    """Return '' when a bundle gives the whole tree, else the reason why not."""
    write("part", data)
    try:
        asyncio.run(unpack.write("part", tree, "a/firmware", "b/firmware"))
    except UpdateError as error:
        return str(error)
    return ""


def bundle(about):
    good, tree, counts = read("bundle"), bytes.fromhex(about["new"]), Counts()
    assert not unpacks(good, tree) and not boot.damage("b", about["new"])
    for at in range(0, len(good), STEP):
        reason = unpacks(flipped(good, at), tree)
        counts.add(reason, not reason and not boot.damage("b", about["new"]))
    return counts.row()


def slot(about):
    counts = Counts()
    for path in files("a/firmware"):
        good = read(path)
        for at in range(0, len(good), STEP):
            write(path, flipped(good, at))
            counts.add(boot.damage("a", about["old"]))
        write(path, good)
    assert not boot.damage("a", about["old"])
    return counts.row()


def files(directory):
    for name in sorted(os.listdir(directory)):
        path = directory + "/" + name
        if os.stat(path)[0] & 0x4000:
            yield from files(path)
        else:
            yield path


def main():
    about, trusted = json.loads(read("about.json")), keys()
    plan.open_offer(read("root"), read("offer"), lambda: trusted)
    found = {name: signed(name, trusted) for name in ("root", "offer")}
    found["bundle"] = bundle(about)
    found["slot"] = slot(about)
    print(json.dumps(found))


main()
