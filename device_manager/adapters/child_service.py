"""A part of the manager in a process of its own, so that ingest keeps its interpreter to itself: dashboard, open API.

    Supervisor(ChildService("dashboard", "device_manager.web.dashboard", directory, host, port))

It is started with `python -m MODULE --data DIR`, dies with the manager, writes to `<name>.log` in the data directory,
and is ready when its port answers.
"""

import socket
import subprocess
import sys
import time
from pathlib import Path

from device_manager.adapters import processes
from device_manager.adapters.broker_process import port_problem
from device_manager.errors import SetupError

READY_S = 60.0
_POLL_S = 0.1


class ChildService:
    """One such process, as `broker_supervisor.Supervisor` starts, watches and ends it."""

    def __init__(self, name: str, module: str, directory: Path, host: str, port: int) -> None:
        self.name = name
        self.host = host
        self.port = port
        self._module = module
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self._directory / f"{self.name}.log"

    def prepare(self) -> str | None:
        """Raise SetupError when the port is taken; there is nothing to tell."""
        problem = port_problem(self.host, self.port)
        if problem is not None:
            todo = "end who holds it, or choose another port in settings.toml"
            raise SetupError(expected=f"port {self.port} free for the {self.name}", got=str(problem), todo=todo)
        return None

    def start(self) -> None:
        """Start the process."""
        command = [sys.executable, "-m", self._module, "--data", str(self._directory)]
        self._process = processes.spawn(command, self._directory, self.log)

    def wait_ready(self) -> None:
        """Wait until the port answers; SetupError with the last words when the process ended or never answered."""
        deadline_s = time.monotonic() + READY_S
        while self.alive() and time.monotonic() < deadline_s:
            if self._answers():
                return
            time.sleep(_POLL_S)
        raise SetupError(expected=f"the {self.name} to answer", got=self.last_words(), todo=f"read {self.log}")

    def alive(self) -> bool:
        """True while the process runs."""
        return self._process is not None and self._process.poll() is None

    def _answers(self) -> bool:
        """True when somebody accepts a connection; trying to listen instead could take the port from the child."""
        try:
            socket.create_connection((self.host, self.port), _POLL_S).close()
        except OSError:
            return False
        return True

    def last_words(self) -> str:
        """Return the last line of its log."""
        return processes.last_lines(self.log)

    def complaints(self) -> list[str]:
        """There are none that the manager would repeat; they stand in the log."""
        return []

    def stop(self) -> None:
        """End the process. Safe to call twice."""
        if self._process is not None:
            processes.stop(self._process)
