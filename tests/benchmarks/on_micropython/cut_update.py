"""Cut the power at every flash operation of a whole update on LittleFS, from piece to confirmation; prints JSON.

Runs in a folder of tests.fakes.small_release: to release 2, to the old tree as release 3, and from there to release 4,
which its own trial or boot.py takes back. Every operation is not done, done in half (bytes from the front, every other
byte), or done; then the node starts: boot.py picks, and the update goes on where it was. Every slot that boot.py picks
must be intact, and the node must end where it is to end; else it is lost.
"""

import asyncio
import json
import os
import sys

sys.path.append(__file__.rsplit("/", 3)[0] + "/firmware/on_node")

import vfs
from nor_flash import NorFlash

from firmware import boot
from firmware.hal.files import replace
from firmware.update import OFFER, PART, slots, unpack

BLOCKS = 48
PIECE = 512


class Device:
    """A block device as LittleFS wants it, on a flash that logs what is done to it."""

    def __init__(self, flash):
        self.flash = flash

    def readblocks(self, block, buf, offset=0):
        self.flash.read(block * 4096 + offset, buf)

    def writeblocks(self, block, buf, offset=None):
        if offset is None:
            self.flash.erase(block)
        self.flash.program(block * 4096 + (offset or 0), buf)

    def ioctl(self, operation, argument):
        if operation == 4:
            return BLOCKS
        if operation == 5:
            return 4096
        if operation == 6:
            self.flash.erase(argument)
        return 0


def read(name):
    with open(name, "rb") as file:
        return file.read()


def mount(flash):
    vfs.mount(vfs.VfsLfs2(Device(flash)), "/n")
    os.chdir("/n")


def leave():
    os.chdir("/")
    vfs.umount("/n")


class Update:
    """What `firmware.update.follow` and `trial` do with files, without a network: goes on from whatever is there."""

    def __init__(self, number, tree, bundle):
        self.number, self.tree, self.bundle = number, tree, bundle

    def over(self):
        """True when the update has ended as it shall."""
        return self.confirmed() == self.number and not slots.trial()

    def prove(self, trial):
        """The release on trial runs: it is good."""
        slots.confirm(replace, trial)
        slots.remove(OFFER)

    def confirmed(self):
        found = slots.confirmed()
        return found[0].number if found else 0

    def step(self, running):
        """One life of the node that runs slot `running`, from its start to its next restart."""
        trial = slots.trial()
        if trial and trial.name == running:
            return self.prove(trial)
        bad = slots.bad()
        if self.confirmed() == self.number or (bad and bad.number == self.number):
            return slots.remove(OFFER)
        replace(OFFER, b"the offer" * 100)
        have = os.stat(PART)[6] if PART in os.listdir() else 0
        for at in range(have, len(self.bundle), PIECE):
            with open(PART, "ab") as file:
                file.write(self.bundle[at : at + PIECE])
        asyncio.run(unpack.write(PART, self.tree, running + "/firmware", slots.spare(running) + "/firmware"))
        slots.begin(replace, slots.Trial(slots.spare(running), self.number, self.tree, 0, 0))
        slots.remove(PART)

    def run(self):
        """Start again and again until it is over; return the numbers that ran."""
        ran = []
        for _ in range(8):
            slot = boot.pick()
            found = [s for s in [slots.trial()] + slots.confirmed() if s and s.name == slot]
            assert slot and found, "nothing runs"
            assert not boot.damage(slot, bytes(found[0].tree).hex()), "a damaged slot runs"
            ran.append(found[0].number)
            if self.over():
                return ran
            self.step(slot)
        raise AssertionError("not over: " + str(ran))


class Refused(Update):
    """A release whose trial ends badly: by its own word."""

    def over(self):
        bad = slots.bad()
        return self.confirmed() == self.number - 1 and not slots.trial() and bool(bad) and bad.number == self.number

    def prove(self, trial):
        slots.give_up(replace, trial, "no reading of air pm2_5 within 900 s")


class Crashing(Refused):
    """A release that crashes in its trial, until boot.py takes it back."""

    def prove(self, trial):
        pass


def prepare(about, files):
    """A flash with slot a confirmed, release 1."""
    flash = NorFlash(BLOCKS)
    vfs.VfsLfs2.mkfs(Device(flash))
    mount(flash)
    for path, content in files:
        unpack.make_directories(path.rsplit("/", 1)[0])
        with open(path, "wb") as file:
            file.write(content)
    replace("slot.now", b"1 a 1 " + about["old"].encode() + b"\n")
    leave()
    return flash


def record(image, update):
    """Do the whole update; return the operations and the image after."""
    flash = NorFlash(BLOCKS, image=image)
    flash.log = []
    mount(flash)
    reset_count()
    update.run()
    leave()
    return flash.log, bytes(flash.image)


def reset_count():
    import esp32

    nvs = esp32.NVS("citynode")
    nvs.set_i32("trial", 0)
    nvs.commit()
    import machine

    machine.RTC().memory(b"")


def cut_everywhere(image, update, every):
    """Return {cuts, lost, operations, first start after a cut on the old and on the new release}."""
    log, after = record(image, update)
    base, counts = NorFlash(BLOCKS, image=image), {"cuts": 0, "lost": 0, "operations": len(log), "old": 0, "new": 0}
    for i, operation in enumerate(log):
        for how in ("none", "half", "sieve") if i % every == 0 else ():
            flash = NorFlash(BLOCKS, image=base.image)
            if how != "none":
                flash.apply_torn(*operation, how)
            reset_count()
            mount(flash)
            counts["cuts"] += 1
            try:
                ran = update.run()
                counts["new" if ran[0] == update.number else "old"] += 1
            except AssertionError as error:
                print(i, how, error, file=sys.stderr)
                counts["lost"] += 1
            leave()
        base.apply(*operation)
    return counts, after


def main():
    about, every = json.loads(read("about.json")), int(sys.argv[1])
    files = [(path, read(path)) for path in json.loads(read("files.json"))]
    bundle, back = read("bundle"), read("back")
    image = bytes(prepare(about, files).image)
    new = bytes.fromhex(about["new"])
    found = {}
    found["to a new release"], image = cut_everywhere(image, Update(2, new, bundle), every)
    found["back to the old tree"], image = cut_everywhere(image, Update(3, bytes.fromhex(about["old"]), back), every)
    found["taken back in its trial"], _ = cut_everywhere(image, Refused(4, new, bundle), every)
    found["taken back by boot.py"], _ = cut_everywhere(image, Crashing(4, new, bundle), every)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
