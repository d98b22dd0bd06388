"""Cut the power at every flash operation of LittleFS while files are replaced: prints the number of cuts as JSON.

Every operation is not done, done in half (bytes from the front, every other byte), or done; then the file system is
mounted again, and every file must hold its old or its new content, every other file what it had.
"""

import json
import sys

import vfs

sys.path.append(__file__.rsplit("/", 3)[0] + "/firmware/on_node")

from nor_flash import NorFlash

from firmware.hal.files import replace

BLOCKS = 16
FILES = ("/n/node.json", "/n/certificate.der", "/n/key.der", "/n/slot")
LENGTHS = (900, 389, 121, 1, 1500, 420, 121, 1, 5000, 389, 300, 1)


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


def content(number):
    """What the file has after replacement `number`."""
    return bytes((number * 37 + i) & 0xFF for i in range(LENGTHS[number]))


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def record():
    """Do all replacements; return the image before, the operations, (operations so far, contents) after each."""
    flash = NorFlash(BLOCKS)
    vfs.VfsLfs2.mkfs(Device(flash))
    image = bytes(flash.image)
    flash.log = []
    vfs.mount(vfs.VfsLfs2(Device(flash)), "/n")
    known = [None] * len(FILES)
    steps = [(0, tuple(known))]
    for number in range(len(LENGTHS)):
        replace(FILES[number % len(FILES)], content(number))
        known[number % len(FILES)] = content(number)
        steps.append((len(flash.log), tuple(known)))
    vfs.umount("/n")
    return image, flash.log, steps


def check(image, operation, how, before, after):
    flash = NorFlash(BLOCKS, image=image)
    if how != "none":
        flash.apply_torn(*operation, how)
    vfs.mount(vfs.VfsLfs2(Device(flash)), "/n")
    for i, path in enumerate(FILES):
        found = read(path)
        assert found in (before[i], after[i]), (path, how, operation[:2])
    replace(FILES[0], b"again")
    assert read(FILES[0]) == b"again"
    vfs.umount("/n")


def main():
    image, log, steps = record()
    base, step, cuts = NorFlash(BLOCKS, image=image), 0, 0
    for i, operation in enumerate(log):
        while i >= steps[step + 1][0]:
            step += 1
        for how in ("none", "half", "sieve"):
            check(base.image, operation, how, steps[step][1], steps[step + 1][1])
            cuts += 1
        base.apply(*operation)
    print(json.dumps({"cuts": cuts, "operations": len(log)}))


main()
