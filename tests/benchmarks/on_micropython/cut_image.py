"""Cut the power at every operation of an update of app and MicroPython image together, on models; prints JSON.

Runs in a folder of tests.fakes.small_release. Files lie on LittleFS over a model of NOR flash, the two OTA partitions
are models, the bootloader is `firmware.virtual.ota`; erases and programs of all are one row of operations, each not
done, done in half, or done. `end` says how the trial ends: "good", "bad" (by its own word), "crash" (until boot.py
takes it back). After every cut: the partition that the bootloader starts must hold a whole image, the slot that
boot.py picks must be intact, and the node must end with new image and new app, or with old and old.

The trial and what follows a restart are the firmware's own `Trials`, with a node whose reboot ends this life.
"""

import asyncio
import json
import sys
from hashlib import sha256

sys.path.insert(0, __file__.rsplit("/", 1)[0])

import cut_update as cut
from nor_flash import NorFlash

from firmware import boot
from firmware.hal.files import replace
from firmware.update import GOOD, OFFER, PART, Node, image, running, slots, unpack
from firmware.update.reports import Reports
from firmware.update.trial import Trials
from firmware.virtual import ota as bootloader
from firmware.wire import messages

BLOCKS, PIECE = 3, 2048
OLD = bytes([0xE9]) + bytes(range(200)) * 40
NEW = cut.read("image")


_sleep_ms = asyncio.sleep_ms
asyncio.sleep_ms = lambda duration_ms: _sleep_ms(0)  # nobody waits for anything here


class Reset(Exception):
    """The node restarts."""


class Partitions:
    """`firmware.hal.ota` over two flashes of the model."""

    def __init__(self, flashes):
        self.flashes, self.now = flashes, 0

    def running(self):
        return bootloader.label(self.now)

    def keep(self):
        bootloader.keep()

    def Ota(self):
        return Other(self.flashes[1 - self.now], 1 - self.now)


class Other:
    """`firmware.hal.ota.Ota`: the partition that does not run."""

    def __init__(self, flash, number):
        self._flash, self._number = flash, number
        self.size_bytes, self.label = flash.size_bytes, bootloader.label(number)
        self.erase, self.program, self.read = flash.erase, flash.program, flash.read

    def try_next(self):
        assert whole(self._flash), "the bootloader is given an image that is not whole"
        bootloader.write({"boot": self._number, "state": "new"})


def whole(flash):
    """True when a flash begins with one of the two images."""
    return any(bytes(flash.image[: len(one)]) == one for one in (OLD, NEW))


class Clock:
    def __init__(self):
        self.s = 0

    def uptime_s(self):
        self.s += 60
        return self.s


class Link:
    connected = committed = True

    def __init__(self):
        self.told = []

    def publish_latest(self, kind, payload):
        self.told.append(messages.decode(kind, payload)["state"])


class World:
    """One node: `files`, `flashes` of the image partitions, and what its new release is worth."""

    def __init__(self, log, files, images, about, end):
        self.files = NorFlash(cut.BLOCKS, image=files, log=log)
        self.flashes = [NorFlash(BLOCKS, image=one) for one in images]
        if log is not None:
            for number, flash in enumerate(self.flashes, 1):
                flash.log = Tagged(log, number)
        self.ota = Partitions(self.flashes)
        self.about, self.end, self.kept_early, self.is_first = about, end, False, log is not None

    def live(self):
        """From a start to the next: what the firmware does with image, markers and slots."""
        self.ota.now = bootloader.boot()
        assert whole(self.flashes[self.ota.now]), "the bootloader starts an image that is not whole"
        slot = boot.pick()
        known = [one for one in [slots.trial()] + slots.confirmed() if one and one.name == slot]
        assert known and not boot.damage(slot, bytes(known[0].tree).hex()), "a damaged slot runs"
        on_trial = slots.trial() is not None and slots.trial().name == slot
        if on_trial and self.end == "crash" and self.runs_new():
            return True
        running.slot = lambda: slot  # this process cannot import its code anew, as a chip does
        link, good = Link(), self.end == "good"
        node = Node({"trial_s": 60}, Clock(), link, list, lambda: self._committed(good), lambda: "",
                    cut.reset_count, self._reset, lambda on: None, replace, None, lambda: self.ota)  # fmt: skip
        try:
            asyncio.run(Trials(node, Reports(link, node.clock)).settle())
            if not self._is_decided():
                self._install(node, slot)
        except Reset:
            return True
        return False

    def _committed(self, good):
        """The first frame is asked about: until it is in, the image must not be kept. Seen where no cut came before."""
        self.kept_early = self.kept_early or (
            self.is_first and self.runs_new() and bootloader.read()["state"] != "pending"
        )
        return good

    def runs_new(self):
        return bytes(self.flashes[self.ota.now].image[: len(NEW)]) == NEW

    def _reset(self, why):
        raise Reset(why)

    def _is_decided(self):
        bad, confirmed = slots.bad(), slots.confirmed()[0]
        return confirmed.number == 2 or (bool(bad) and bad.number == 2)

    def _install(self, node, slot):
        """What `Follower` does after it has judged an offer, without a network."""
        replace(OFFER, self.about["message"])
        part = image.Image(self.ota.Ota(), replace, self.about["image"], len(NEW))
        for at in range(part.begun(), len(NEW), PIECE):
            part.put(at, NEW[at : at + PIECE])
        part.check()
        replace(PART, self.about["bundle"])
        asyncio.run(unpack.write(PART, self.about["tree"], slot + "/firmware", slots.spare(slot) + "/firmware"))
        replace(GOOD, b"")
        cut.reset_count()
        image.try_next(node)
        slots.begin(replace, slots.Trial(slots.spare(slot), 2, self.about["tree"], 0, 0))
        slots.remove(PART)
        raise Reset("tried")

    def run(self):
        """Live until it is over; return the number that is confirmed."""
        for _ in range(14):
            if not self.live():
                break
        number, is_new = slots.confirmed()[0].number, self.runs_new()
        assert self._is_decided() and not slots.trial(), "not over"
        assert (number == 2) == is_new, f"app {number} with the other image"
        assert bootloader.read()["state"] == "valid", "the image that runs would be taken back"
        assert not self.kept_early, "the image was kept before the first frame was in"
        return number


class Tagged:
    """Notes operations of an image partition in the row of all."""

    def __init__(self, log, number):
        self._log, self._number = log, number

    def append(self, operation):
        self._log.append((self._number,) + operation)


def lives(log, files, images, about, end):
    """Let a node live to its end; return (number confirmed, files, images)."""
    world = World(log, files, images, about, end)
    cut.mount(world.files)
    try:
        number = world.run()
    finally:
        cut.leave()
    return number, bytes(world.files.image), [bytes(flash.image) for flash in world.flashes]


def cut_everywhere(files, images, about, end, every):
    """Return {cuts, lost, operations, old, new}: what became of the node after each cut."""
    log = []
    cut.reset_count()
    lives(log, files, images, about, end)
    flashes = [NorFlash(cut.BLOCKS, image=files)] + [NorFlash(BLOCKS, image=one) for one in images]
    counts = {"cuts": 0, "lost": 0, "operations": len(log), "old": 0, "new": 0}
    for i, operation in enumerate(log):
        number, operation = (operation[0], operation[1:]) if len(operation) == 4 else (0, operation)
        for how in ("none", "half", "sieve") if i % every == 0 else ():
            after = [NorFlash(len(one.erases), image=one.image) for one in flashes]
            if how != "none":
                after[number].apply_torn(*operation, how)
            cut.reset_count()
            counts["cuts"] += 1
            try:
                ended, _, _ = lives(None, after[0].image, [one.image for one in after[1:]], about, end)
                counts["new" if ended == 2 else "old"] += 1
            except AssertionError as error:
                print(end, i, how, number, operation[:2], error, file=sys.stderr)
                counts["lost"] += 1
        flashes[number].apply(*operation)
    return counts


def main():
    about, every = json.loads(cut.read("about.json")), int(sys.argv[1])
    root, offer = cut.read("root"), cut.read("offer")
    known = {"tree": bytes.fromhex(about["new"]), "bundle": cut.read("bundle"), "image": sha256(NEW).digest()}
    known["message"] = messages.encode("offer", {"root": root, "offer": offer})
    files = bytes(cut.prepare(about, [(path, cut.read(path)) for path in json.loads(cut.read("files.json"))]).image)
    blank = b"\xff" * (BLOCKS * 4096)
    images = [OLD + blank[len(OLD) :], blank]
    print(json.dumps({end: cut_everywhere(files, images, known, end, every) for end in ("good", "bad", "crash")}))


if __name__ == "__main__":
    main()
