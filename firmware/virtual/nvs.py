"""esp32.NVS on a PC: a key-value store in the file `nvs-<namespace>.json`, replaced as a whole by commit()."""

import binascii
import json
import os

from micropython import const

_ESP_ERR_NVS_NOT_FOUND = const(-4354)


class NVS:
    """Key-value store of one namespace: int32 and blobs; nothing is kept before commit()."""

    def __init__(self, namespace: str) -> None:
        self._path = "nvs-%s.json" % namespace
        try:
            with open(self._path) as file:
                self._values = json.load(file)
        except OSError:
            self._values = {}

    def set_i32(self, key: str, value: int) -> None:
        """Set an integer of 32 bits with sign."""
        self._values[key] = ((value + 0x80000000) & 0xFFFFFFFF) - 0x80000000

    def get_i32(self, key: str) -> int:
        """Return the integer, OSError when the key is missing or a blob."""
        value = self._values.get(key)
        if not isinstance(value, int):
            raise OSError(_ESP_ERR_NVS_NOT_FOUND)
        return value

    def set_blob(self, key: str, value: bytes) -> None:
        """Set a byte string."""
        self._values[key] = binascii.hexlify(value).decode()

    def get_blob(self, key: str, buf: bytearray) -> int:
        """Copy the byte string to the start of `buf` and return its length; OSError when missing or `buf` is short."""
        value = self._values.get(key)
        if not isinstance(value, str) or len(value) // 2 > len(buf):
            raise OSError(_ESP_ERR_NVS_NOT_FOUND)
        raw = binascii.unhexlify(value)
        buf[: len(raw)] = raw
        return len(raw)

    def erase_key(self, key: str) -> None:
        """Remove a key, OSError when it is missing."""
        if self._values.pop(key, None) is None:
            raise OSError(_ESP_ERR_NVS_NOT_FOUND)

    def commit(self) -> None:
        """Keep everything set or erased so far."""
        with open(self._path + ".new", "w") as file:
            json.dump(self._values, file)
        os.rename(self._path + ".new", self._path)
