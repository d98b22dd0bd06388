"""A model of the OTA partitions of an ESP32 and of its bootloader, for a PC, which can run no ESP32 image.

ota_0.flash ota_1.flash   the partitions, made when they are first written; "ota_bytes" of virtual.json, 2 MiB without
ota.json                  {"boot": partition, "state": "valid", "new" or "pending"}

Starting a node is `boot()`: an image that is new becomes pending and runs; one that was pending at a start was not
marked valid, so the other one runs again. `set_boot` looks at the first byte only, where the chip checks a SHA-256.
"""

import json
import os

import esp32

_FILE = "ota.json"
_MAGIC = 0xE9
_OTA_VALIDATE_FAILED = -5379


def read() -> dict:
    """The bootloader's data."""
    try:
        with open(_FILE) as file:
            return json.load(file)
    except OSError:
        return {"boot": 0, "state": "valid"}


def write(state: dict) -> None:
    """Replace the bootloader's data."""
    with open(_FILE + ".new", "w") as file:
        json.dump(state, file)
    os.rename(_FILE + ".new", _FILE)


def boot() -> int:
    """What the bootloader does at a start: return the number of the partition that runs."""
    state = read()
    if state["state"] == "new":
        write({"boot": state["boot"], "state": "pending"})
    elif state["state"] == "pending":
        write({"boot": 1 - state["boot"], "state": "valid"})
    return read()["boot"]


def keep() -> None:
    """Mark the running image valid."""
    state = read()
    write({"boot": state["boot"], "state": "valid"})


def label(number: int) -> str:
    """Name of a partition."""
    return "ota_%d" % number


class OtaPartition(esp32.Partition):
    """One of the two partitions."""

    SIZE = ("ota_bytes", 2 << 20)

    def __init__(self, number: int) -> None:
        self._number = number
        super().__init__(label(number))

    def set_boot(self) -> None:
        """Have the next start run this partition."""
        first = bytearray(1)
        self.readblocks(0, first)
        if first[0] != _MAGIC:
            raise OSError(_OTA_VALIDATE_FAILED)
        write({"boot": self._number, "state": "new"})


def next_partition() -> OtaPartition:
    """The partition that does not run."""
    return OtaPartition(1 - read()["boot"])
