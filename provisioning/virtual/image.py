"""A stand-in for a MicroPython image: whole as the bootloader judges it, and nothing in it that could run.

Virtual boards run MicroPython's unix port instead. Its file has the layout of a real download: bootloader, partition
table, app. Its body is noise with the entropy of code, so that sending it takes as long.
"""

import hashlib
import random
from functools import reduce
from operator import xor

from esp_idf_defs.app_description import AppDescription
from esp_idf_defs.image_metadata import ChipId

APP_OFFSET = 0x1_0000
VERSION = "v1.28.0-stand-in"
_HEAD_BYTES, _SEGMENT_HEAD_BYTES = 24, 8
_LOAD_ADDRESS = 0x3C00_0020


def make(chip: str, base: int, app_bytes: int) -> bytes:
    """Return the file for `chip` (ESP32-S3), whose flash offset is `base`, with an app of about `app_bytes`."""
    description = bytes(AppDescription("micropython", VERSION, "stand-in", 0, bytes(32)).to_bytes())
    app = _image(chip, description + _like_code(app_bytes - len(description)))
    bootloader = _image(chip, _like_code(0x1000))
    return bootloader.ljust(APP_OFFSET - base, b"\xff") + app


def _image(chip: str, segment: bytes) -> bytes:
    number = int(ChipId[chip.replace("-", "").upper()].value)
    head = bytes([0xE9, 1, 2, 0x20]) + bytes(8) + number.to_bytes(2, "little") + bytes(9) + b"\x01"
    data = segment + bytes(-len(segment) % 4)
    body = head + _LOAD_ADDRESS.to_bytes(4, "little") + len(data).to_bytes(4, "little") + data
    padding = bytes(-(len(body) + 1) % 16)
    checksum = reduce(xor, data, 0xEF)
    body += padding + bytes([checksum])
    return body + hashlib.sha256(body).digest()


def _like_code(count: int) -> bytes:
    """Bytes that zlib packs to about two thirds, as it does MicroPython's images."""
    source = random.Random(count)  # the same every time: the stand-in is one file with one hash
    return bytes(source.choices(range(256), weights=[1 / (1 + rank) ** 0.85 for rank in range(256)], k=max(0, count)))
