"""Flip every byte of what a node gets or keeps, on MicroPython; prints {what: [tried, refused]} as JSON.

Runs in a folder of tests.fakes.small_release. Root and offer: `plan.open_offer` must refuse. Bundle: the slot must not
be written, or come out with the signed sums all the same (bits of padding). Files and listings of a slot: `boot.damage`
must name one.
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


def signed(name, trusted):
    good = {"root": read("root"), "offer": read("offer")}
    refused = tried = 0
    for at in range(0, len(good[name]), STEP):
        bad = dict(good)
        bad[name] = flipped(good[name], at)
        tried += 1
        try:
            plan.open_offer(bad["root"], bad["offer"], lambda: trusted)
        except UpdateError:
            refused += 1
    return [tried, refused]


def unpacks(data, tree):
    """True when a bundle gives the whole tree."""
    write("part", data)
    try:
        asyncio.run(unpack.write("part", tree, "a/firmware", "b/firmware"))
    except (UpdateError, ValueError):
        return False
    return True


def bundle(about):
    good, tree = read("bundle"), bytes.fromhex(about["new"])
    assert unpacks(good, tree) and not boot.damage("b", about["new"])
    tried = harmless = 0
    for at in range(0, len(good), STEP):
        tried += 1
        if unpacks(flipped(good, at), tree):
            assert not boot.damage("b", about["new"]), "a wrong file was kept"
        harmless += 1
    return [tried, harmless]


def slot(about):
    tried = refused = 0
    for path in files("a/firmware"):
        good = read(path)
        for at in range(0, len(good), STEP):
            write(path, flipped(good, at))
            tried += 1
            refused += boot.damage("a", about["old"]) != ""
        write(path, good)
    assert not boot.damage("a", about["old"])
    return [tried, refused]


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
