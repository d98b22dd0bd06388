"""The two partitions for MicroPython's image: the one that does not run is written, then tried by the bootloader.

MicroPython's own bootloader goes back to the other image at the next reset unless `keep()` was called
(esp-idf: app rollback; stock images have it on).
"""

from esp32 import Partition
from micropython import const

_BLOCK = const(4096)
_ERASE = const(6)


class Ota:
    """The partition that may be written; OSError on a board without a second one."""

    def __init__(self) -> None:
        running = Partition(Partition.RUNNING)  # type: ignore[arg-type]  # the stub knows labels only
        self._partition = running.get_next_update()
        info = self._partition.info()
        self.size_bytes, self.label = info[3], info[4]

    def erase(self, block: int) -> None:
        """Erase one block: the chip stands still for up to 80 ms."""
        self._partition.ioctl(_ERASE, block)

    def program(self, offset: int, data: bytes) -> None:
        """Write into what is erased."""
        self._partition.writeblocks(offset // _BLOCK, data, offset % _BLOCK)

    def read(self, offset: int, buf: bytearray) -> None:
        """Fill `buf` from `offset`."""
        self._partition.readblocks(offset // _BLOCK, buf, offset % _BLOCK)

    def try_next(self) -> None:
        """Have the next reset start this partition once; OSError when the image in it is not whole."""
        self._partition.set_boot()


def running() -> str:
    """Return the label of the partition whose image runs."""
    return Partition(Partition.RUNNING).info()[4]  # type: ignore[arg-type]  # the stub knows labels only


def keep() -> None:
    """The running image is good: the bootloader shall stay with it."""
    Partition.mark_app_valid_cancel_rollback()
