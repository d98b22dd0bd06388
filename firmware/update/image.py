"""MicroPython itself: written into the OTA partition that does not run, piece by piece, and tried like the app.

A block is erased just before its first piece, while the caller has paused what a stall of 80 ms would hurt; where we
are is kept once a block, so that a power cut costs two pieces. The whole is read back and must have the sum that the
signed root names before the bootloader hears of it. The bootloader goes back by itself at the next start, unless the
trial ends well and `ota.keep` is called; `image.try` tells the app which partition is on trial, so that

    an app on trial whose image is gone does not prove itself on the old one: both are tried again;
    an image without a trial of its app (the power was cut between the two) goes back, before anything is written: the
    partition that may be written then is the only good one.

Not yet run on a chip. On a PC `firmware.virtual.ota` is a model of the partitions and of the bootloader.
"""

from binascii import hexlify
from hashlib import sha256

from firmware.update import IMAGE_PLACE, IMAGE_TRY, UpdateError
from firmware.wire import const

_BLOCK = const(4096)


def try_next(node) -> None:
    """Have the next start try what was written; `node` is a `firmware.update.Node`."""
    ota = node.ota().Ota()
    node.replace(IMAGE_TRY, ota.label.encode())
    ota.try_next()


class Image:
    """`ota` is `firmware.hal.ota.Ota`, `replace(path, data)` writes a file in one step, `sum_` and `size` are of the
    wanted image."""

    def __init__(self, ota, replace, sum_: bytes, size: int) -> None:
        self._ota = ota
        self._replace = replace
        self._sum = sum_
        self.size = size
        if size > ota.size_bytes:
            raise UpdateError("expected an image of at most %d bytes, got %d" % (ota.size_bytes, size))

    def begun(self) -> int:
        """Return how many bytes are there already."""
        try:
            with open(IMAGE_PLACE) as file:
                sum_, at = file.read().split(" ")
            return int(at) if sum_ == hexlify(self._sum).decode() else 0
        except (OSError, ValueError):
            return 0

    def put(self, offset: int, data: bytes) -> None:
        """Write the next piece; pieces end where blocks do."""
        if offset % _BLOCK == 0:
            self._ota.erase(offset // _BLOCK)
            self._replace(IMAGE_PLACE, ("%s %d" % (hexlify(self._sum).decode(), offset)).encode())
        self._ota.program(offset, data)

    def check(self) -> None:
        """Read all of it back; UpdateError when it has another sum."""
        sum_, buf = sha256(), bytearray(1024)
        for at in range(0, self.size, len(buf)):
            part = memoryview(buf)[: min(len(buf), self.size - at)]
            self._ota.read(at, part)
            sum_.update(part)
        if sum_.digest() != self._sum:
            raise UpdateError("image: expected sum %s, got another" % hexlify(self._sum[:4]).decode())
