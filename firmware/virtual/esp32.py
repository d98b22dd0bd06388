"""esp32 on a PC: the parts of that module that the firmware uses, backed by files in the current directory.

Partition  `<label>.flash` with the manners of NOR flash: programming can only clear bits, erasing sets a block to 0xFF.
           Every operation goes to the operating system at once (the port's files have no buffer of their own, and
           flush() would be an fsync), so that SIGKILL loses nothing that was programmed. The size is `flash_bytes` of
           `virtual.json`, 1 MiB without it; an existing file keeps its size. The partitions of images are a model
           of their own, `firmware.virtual.ota`.
NVS        `nvs-<namespace>.json`, replaced as a whole by commit().
"""

import json
import os

from micropython import const

HEAP_DATA = 4
HEAP_EXEC = 2
_BLOCK = const(4096)
_IOCTL_BLOCK_COUNT = const(4)
_IOCTL_BLOCK_SIZE = const(5)
_IOCTL_ERASE = const(6)
_ENOENT = const(2)


def _settings() -> dict:
    try:
        with open("virtual.json") as file:
            return json.load(file)
    except OSError:
        return {}


def mcu_temperature() -> int:
    """Degrees Celsius of the chip: `chip_c` of virtual.json, else that of a box in the shade."""
    return _settings().get("chip_c", 38)


class Partition:
    """One data partition; `find` makes its file when there is none yet."""

    TYPE_APP = 0
    TYPE_DATA = 1
    RUNNING = 1
    SIZE = ("flash_bytes", 1 << 20)  # the key of virtual.json, and the size without it

    _open = {}

    def __init__(self, label: object) -> None:
        if label == self.RUNNING:  # only its label and get_next_update are asked for
            from firmware.virtual import ota

            self._label, self._blocks = ota.label(ota.read()["boot"]), 0
            return
        path = label + ".flash"
        try:
            size_bytes = os.stat(path)[6]
        except OSError:
            size_bytes = _settings().get(*self.SIZE) // _BLOCK * _BLOCK
            _create(path, size_bytes)
        self._label = label
        self._blocks = size_bytes // _BLOCK
        self._file = open(path, "r+b")
        self._old = bytearray(256)
        self._ones = b"\xff" * 256

    @classmethod
    def find(cls, type: int = TYPE_APP, subtype: int = 0xFF, label: str = None, block_size: int = _BLOCK) -> list:
        """Return [partition] for a data partition with a label, else []."""
        if type != cls.TYPE_DATA or label is None:
            return []
        if label not in cls._open:
            cls._open[label] = cls(label)
        return [cls._open[label]]

    def get_next_update(self) -> object:
        """The partition of the image that does not run."""
        from firmware.virtual import ota

        return ota.next_partition()

    @staticmethod
    def mark_app_valid_cancel_rollback() -> None:
        """The running image is good."""
        from firmware.virtual import ota

        ota.keep()

    def info(self) -> tuple:
        """(type, subtype, address, size, label, encrypted) as on the chip."""
        return (self.TYPE_DATA, 0x40, 0x200000, self._blocks * _BLOCK, self._label, False)

    def readblocks(self, block: int, buf: bytearray, offset: int = 0) -> None:
        """Fill `buf` from `block`, `offset` bytes further."""
        self._seek(block * _BLOCK + offset, len(buf))
        self._file.readinto(buf)

    def writeblocks(self, block: int, buf: bytes, offset: int = None) -> None:
        """Program `buf`; without `offset` the blocks are erased first, as on the chip."""
        if offset is None:
            for i in range(len(buf) // _BLOCK):
                self.ioctl(_IOCTL_ERASE, block + i)
        view = memoryview(buf)
        address = block * _BLOCK + (offset or 0)
        self._seek(address, len(buf))
        if len(view) > len(self._old):
            self._old = bytearray(len(view))  # grows to the longest write, at most a few kB
        old = memoryview(self._old)[: len(view)]
        self._file.readinto(old)
        for i in range(len(view)):
            old[i] &= view[i]
        self._file.seek(address)
        self._file.write(old)

    def ioctl(self, operation: int, argument: int = 0) -> int:
        """Block count (4), block size (5), erase of one block (6)."""
        if operation == _IOCTL_BLOCK_COUNT:
            return self._blocks
        if operation == _IOCTL_BLOCK_SIZE:
            return _BLOCK
        if operation != _IOCTL_ERASE:
            return 0
        self._seek(argument * _BLOCK, _BLOCK)
        for _ in range(_BLOCK // len(self._ones)):
            self._file.write(self._ones)
        return 0

    def _seek(self, address: int, length: int) -> None:
        if address < 0 or address + length > self._blocks * _BLOCK:
            raise OSError(-260)  # ESP_ERR_INVALID_SIZE
        self._file.seek(address)


def _create(path: str, size_bytes: int) -> None:
    """Make a blank image under another name first: a node killed half-way must not find a short partition."""
    block = b"\xff" * _BLOCK
    with open(path + ".new", "wb") as file:
        for _ in range(size_bytes // _BLOCK):
            file.write(block)
    os.rename(path + ".new", path)


def __getattr__(name: str) -> object:
    """Load NVS when it is asked for: see `machine`."""
    if name == "NVS":
        from firmware.virtual.nvs import NVS

        return NVS
    raise AttributeError(name)


def idf_heap_info(capabilities: int) -> list:
    """[(total, free, largest free block, lowest free ever)]; "idf_largest" of virtual.json is that block."""
    return [(160000, 96000, _settings().get("idf_largest", 53248), 90000)]
