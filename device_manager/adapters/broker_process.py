"""What both brokers share: one process with a log, a pid file, and a port that must be free before it starts."""

import signal
import socket
import subprocess
import zlib
from pathlib import Path

from device_manager.adapters import processes
from device_manager.errors import SetupError
from device_manager.settings import Settings


class BrokerProcess:
    """One broker process of one data directory; `name` and the ending of its configuration file are the subclass's."""

    name = "broker"
    ending = "conf"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.directory = settings.broker_directory
        # Part of the command line; tells this data directory's broker from every other process.
        mark = zlib.crc32(str(settings.directory.resolve()).encode())
        self.configuration_name = f"{self.name}-{mark:08x}.{self.ending}"
        self._pid_file = settings.directory / "broker.pid"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.directory / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def take_over(self) -> str | None:
        """End a broker that an earlier run left behind, and say so; raises SetupError unless the port is free then."""
        stale = processes.stop_stale(self._pid_file, self.configuration_name)
        check_port(self.settings)
        return f"ended a broker that an earlier run left behind (process {stale})" if stale else None

    def launch(self, command: list[str], user: str = "") -> None:
        """Start the process and remember its pid."""
        self._process = processes.spawn(command, self.directory, self.log, user)
        self._pid_file.write_text(f"{self._process.pid}\n", "ascii")

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def last_words(self) -> str:
        """Return why it ended, as far as is known: the signal, or the last line of its log."""
        code = self._process.poll() if self._process else None
        if code is not None and code < 0:
            return f"ended by {signal.Signals(-code).name}"
        return processes.last_lines(self.log)

    def complaints(self) -> list[str]:
        """Return what the broker has said since the last call that somebody must know."""
        return []

    def stop(self) -> None:
        """Stop the process. Safe to call twice."""
        if self._process is not None:
            processes.stop(self._process)
            self._pid_file.unlink(missing_ok=True)


def check_port(settings: Settings) -> None:
    """Raise SetupError unless the broker's address is free."""
    broker = settings.broker
    try:
        problem = port_problem(broker.host, broker.port)
    except socket.gaierror as error:
        problem = str(error.strerror)
    if problem:
        todo = f"stop what listens there, or change [broker] in {settings.file}"
        raise SetupError(expected=f"{broker.host} port {broker.port} to be free", got=problem, todo=todo)


def any_port(host: str) -> int:
    """Return a port of `host` that is free now, from those that the system gives out: two who ask get two."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def port_problem(host: str, port: int) -> str | None:
    """Try to listen on an address; return None when it is free, else the system's reason."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # As brokers do it: connections of an earlier run that still linger (TIME_WAIT) do not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            return str(error.strerror or error)
    return None
