"""Several virtual boards at once, each a process with a directory below one folder.

with VirtualBench(folder, boards, micropython, firmware) as bench:
    ports = bench.ports
"""

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from hardware import catalog
from provisioning import images
from provisioning.errors import BenchError
from provisioning.images import Image
from provisioning.virtual import image as stand_in

START_S = 20.0
APP_BYTES = 1_500_000  # as MicroPython's own images have


@dataclass(frozen=True)
class Soldered:
    """What `board.json` says; see `board`."""

    chip: str
    flash_bytes: int
    mac: str
    design: str
    fault: str | None = None


def boards(count: int, design: str) -> list[Soldered]:
    """Return `count` blank boards for a design, with locally administered MACs."""
    board = catalog.designs()[design].board
    return [Soldered(board.chip, board.flash_bytes, f"02:00:00:00:00:{n:02x}", design) for n in range(1, count + 1)]


def add_stand_in(directory: Path, design: str, app_bytes: int = APP_BYTES) -> Image:
    """Make a stand-in image for the board of a design and add it to the data directory's images."""
    board = catalog.designs()[design].board
    file = directory / f"stand-in-{board.chip}.bin"
    file.write_bytes(stand_in.make(board.chip, images.base(board.chip), app_bytes))
    try:
        return images.add(directory, file, images.BUILDS[board.name])
    finally:
        file.unlink()


class VirtualBench:
    """Runs the boards inside its block; a board keeps its flash from one run to the next."""

    def __init__(self, folder: Path, soldered: list[Soldered], micropython: Path, firmware: Path) -> None:
        self._tools = (micropython, firmware)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.directories = [folder / f"board-{number}" for number in range(1, len(soldered) + 1)]
        for directory, one in zip(self.directories, soldered, strict=True):
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o700)
            (directory / "board.json").write_text(json.dumps(asdict(one)), "utf-8")

    @property
    def ports(self) -> list[str]:
        """Paths of the serial ports."""
        return [str(directory / "port") for directory in self.directories]

    def plug(self, index: int) -> None:
        """Plug a board in: its port appears."""
        directory = self.directories[index]
        (directory / "port").unlink(missing_ok=True)
        command = [sys.executable, "-m", "provisioning.virtual", str(directory), *map(str, self._tools)]
        with (directory / "board.log").open("ab") as log:
            root = Path(__file__).resolve().parents[2]
            started = subprocess.Popen(command, cwd=root, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._processes[directory.name] = started
        give_up_s = time.monotonic() + START_S
        while not (directory / "port").exists():
            if started.poll() is not None or time.monotonic() > give_up_s:
                todo = f"read {directory / 'board.log'}"
                raise BenchError(expected=f"virtual {directory.name} to start", got="no port", todo=todo)
            time.sleep(0.02)

    def unplug(self, index: int) -> None:
        """Pull the plug: port and power are gone at once."""
        process = self._processes.pop(self.directories[index].name, None)
        if process is not None:
            process.terminate()
            process.wait()

    def __enter__(self) -> "VirtualBench":
        try:
            for index in range(len(self.directories)):
                self.plug(index)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for index in range(len(self.directories)):
            self.unplug(index)
