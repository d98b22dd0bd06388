"""MicroPython images: which one a board needs, and those that somebody added.

`images/` of the data directory holds each as <sha256>.bin beside `index.json`. A file has the layout of MicroPython's
downloads: from the bootloader's offset on, the app at 0x10000 of the flash. It is checked by esptool's rules when it is
added, and by its hash each time it is used.
"""

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from esp_idf_defs.app_description import AppDescription
from esp_idf_defs.image_metadata import ChipId

from hardware.board import Board
from provisioning.errors import BenchError

APP_OFFSET = 0x1_0000
VERSION, DATE = "1.28.0", "20260406"
# Our board -> the build of MicroPython for it, as micropython.org names its downloads.
BUILDS = {
    "esp32-s3-devkitc-1": "ESP32_GENERIC_S3-SPIRAM_OCT",
    "esp32-devkitc": "ESP32_GENERIC",
    "esp32-c6-devkitc-1": "ESP32_GENERIC_C6",
}
_NAME = re.compile(r"([A-Z0-9_]+(?:-[A-Z0-9_]+)?)-\d{8}-v\d+\.\d+\.\d+\.bin")


@dataclass(frozen=True)
class Image:
    """An image that was added; `chip` as ESP32-S3, `version` as its own head says, `stand_in` for virtual boards."""

    sha256: str
    build: str
    chip: str
    version: str
    size: int
    file: str
    stand_in: bool


def base(chip: str) -> int:
    """Return where the bootloader lies in flash, which is where a download begins."""
    return 0x1000 if chip == "ESP32" else 0


def wanted_file(board: Board) -> str:
    """Return the name of the download for a board."""
    return f"{BUILDS[board.name]}-{DATE}-v{VERSION}.bin"


def listed(directory: Path) -> list[Image]:
    """Return the images of a data directory, in the order in which they were added."""
    try:
        rows = json.loads((directory / "images" / "index.json").read_text("utf-8"))
    except FileNotFoundError:
        return []
    return [Image(**row) for row in rows]


def add(directory: Path, file: Path, build: str | None = None) -> Image:
    """Check an image and keep a copy; BenchError says what is wrong with it. `build` None takes it from its name."""
    data = file.read_bytes()
    named = _NAME.fullmatch(file.name)
    chosen = build or (named[1] if named else None)
    if chosen is None or chosen not in BUILDS.values():
        expected = f"an image for {', '.join(BUILDS.values())}"
        todo = "keep the name of the download, or say --build"
        raise BenchError(expected=expected, got=f"{file.name}", todo=todo)
    image = _examined(data, file.name, chosen)
    folder = directory / "images"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / f"{image.sha256}.bin").write_bytes(data)
    rows = [asdict(one) for one in listed(directory) if one.sha256 != image.sha256] + [asdict(image)]
    temporary = folder / f"index.json.{os.getpid()}"
    temporary.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    temporary.replace(folder / "index.json")
    return image


def find(directory: Path, board: Board, *, stand_in: bool) -> Image:
    """Return the newest image for a board; BenchError says exactly which file to fetch."""
    fitting = [one for one in listed(directory) if one.build == BUILDS[board.name] and one.stand_in == stand_in]
    if not fitting:
        build = BUILDS[board.name]
        expected = f"a MicroPython image for {board.name} (build {build}, version {VERSION})"
        page = f"micropython.org/download/{build.split('-')[0]}"
        todo = f"fetch {wanted_file(board)} from {page} and run `citynode image add`"
        raise BenchError(expected=expected, got="none", todo=todo)
    return fitting[-1]


def parts(directory: Path, image: Image, board: Board) -> list[tuple[int, bytes]]:
    """Return what to write for bootloader and app, (offset, bytes); BenchError when the file changed or is too big."""
    data = (directory / "images" / f"{image.sha256}.bin").read_bytes()
    if hashlib.sha256(data).hexdigest() != image.sha256:
        todo = "run `citynode image add` with a good copy again"
        raise BenchError(expected=f"the image {image.file} as it was added", got="other bytes", todo=todo)
    start = base(image.chip)
    app = data[APP_OFFSET - start :]
    slot = board.partition("ota_0")
    if len(app) > slot.size:
        got = f"{len(app)} of {slot.size} bytes"
        raise BenchError(expected="an app that fits its slot", got=got, todo="take another image or another board")
    bootloader = data[: 0x8000 - start].rstrip(b"\xff")
    return [(start, bootloader + b"\xff" * (-len(bootloader) % 4)), (slot.offset, app)]


def _examined(data: bytes, name: str, build: str) -> Image:
    try:
        chip_id = int.from_bytes(data[12:14], "little")
        chip = _CHIPS[chip_id]
        app = data[APP_OFFSET - base(chip) :]
        if data[0] != 0xE9 or app[0] != 0xE9 or not _whole(app):
            raise ValueError("its checksum or hash is wrong")
        about = AppDescription.from_bytes(app[AppDescription.FIRMWARE_BINARY_OFFSET :][: AppDescription.SIZE])
    except (ValueError, KeyError, IndexError) as error:
        expected, got = "a whole MicroPython image with bootloader", f"{name}: {error}"
        raise BenchError(expected=expected, got=got, todo="fetch it again") from error
    version = about.version.removeprefix("v")
    return Image(hashlib.sha256(data).hexdigest(), build, chip, version, len(data), name, "stand-in" in version)


_CHIPS = {member.value: member.name.replace("ESP32", "ESP32-").rstrip("-") for member in ChipId}


def _whole(app: bytes) -> bool:
    """True when the hash behind the segments is right (ESP-IDF, app image format)."""
    at = 24
    for _ in range(app[1]):
        at += 8 + int.from_bytes(app[at + 4 : at + 8], "little")
    end = (at + 16) // 16 * 16
    return app[23] == 1 and hashlib.sha256(app[:end]).digest() == app[end : end + 32]
