"""A raw flash partition as NOR flash is: programming only clears bits, erasing sets a whole block to ones.

    flash = Flash("outbox")
    flash.erase(0)
    flash.program(8, b"\x12")
    flash.program(8, b"\x00")  # again without erase: that is how a state byte is cleared later

Rules of the chip (Espressif's partition API, MicroPython's esp32.Partition): erase and size count in blocks of 4096
bytes; `writeblocks` with three arguments does not erase; an erase stalls the whole chip for 40 to 80 ms.
"""

from esp32 import Partition
from micropython import const

_IOCTL_BLOCK_COUNT = const(4)
_IOCTL_ERASE = const(6)


class Flash:
    """The data partition named `label`; addresses count in bytes from its start."""

    BLOCK = 4096

    def __init__(self, label: str) -> None:
        found = Partition.find(Partition.TYPE_DATA, label=label)
        if not found:
            raise OSError("expected a data partition named %s, got none: write the partition table again" % label)
        self._partition = found[0]
        self.size_bytes = self._partition.ioctl(_IOCTL_BLOCK_COUNT, 0) * self.BLOCK

    def read(self, address: int, buf: bytearray) -> None:
        """Fill `buf` (any writable buffer) from `address`."""
        self._check(address, len(buf))
        self._partition.readblocks(address // self.BLOCK, buf, address % self.BLOCK)

    def program(self, address: int, buf: bytes) -> None:
        """Clear the bits at `address` that are 0 in `buf`; bits that are 1 stay as they are. Never erases."""
        self._check(address, len(buf))
        self._partition.writeblocks(address // self.BLOCK, buf, address % self.BLOCK)

    def erase(self, block: int) -> None:
        """Set all 4096 bytes of `block` to 0xFF."""
        self._check(block * self.BLOCK, self.BLOCK)
        self._partition.ioctl(_IOCTL_ERASE, block)

    def _check(self, address: int, length: int) -> None:
        if address < 0 or address + length > self.size_bytes:
            raise ValueError("expected an address below %d, got %d + %d" % (self.size_bytes, address, length))
