"""What the benchmarks of the twin's side share: a store of three years, and the open interfaces running over it.

The last 30 days have a record a minute, as nodes send it; the years before have one every 10 minutes, because making
them at a minute takes hours. Full: 200 nodes, 1095 days. The short form has 20 nodes and 120 days, and says so.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import httpx

from device_manager import settings as settings_file
from device_manager.adapters.broker_process import any_port
from device_manager.adapters.store_rebuild import rebuild
from device_manager.settings import Listening, Settings
from tests.benchmarks.city_store import make_store
from tests.conftest import ROOT

FULL = (200, 1095)
SHORT = (20, 120)
MINUTE_DAYS = 30
HOST = "127.0.0.1"


class TwinStore:
    """A data directory with a store; removed when nobody holds it any more."""

    def __init__(self, nodes: int, days: int) -> None:
        self.nodes, self.days = nodes, days
        self.folder = tempfile.TemporaryDirectory(dir=os.environ.get("CITYNODE_BENCHMARKS"))
        self.settings = Settings(Path(self.folder.name), twin=Listening(HOST, any_port(HOST)))
        settings_file.save(self.settings)
        self.observations = make_store(self.settings.database, nodes, MINUTE_DAYS, before_days=days - MINUTE_DAYS)
        self.rebuilt = rebuild(self.settings.database, processes=2)

    @property
    def form(self) -> str:
        """What was run, for a row."""
        full = (self.nodes, self.days) == FULL
        size = f"{self.nodes} nodes, {self.days} days"
        return f"full: {size}" if full else f"{size} instead of {FULL[0]}, {FULL[1]}"


@cache
def twin_store(short: bool) -> TwinStore:
    """Return the store, made once a process."""
    return TwinStore(*(SHORT if short else FULL))


@contextmanager
def served(store: TwinStore) -> Iterator[str]:
    """Run the open interfaces as the manager does, in a process of their own; gives the API's address when ready."""
    command = [sys.executable, "-m", "device_manager.web.open", "--data", store.folder.name]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
    base = f"http://{HOST}:{store.settings.twin.port}/v1.1"
    try:
        _wait(base + "/Things?$top=1", process)
        yield base
    finally:
        process.terminate()
        process.wait()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + 300
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            if httpx.get(url, timeout=300).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"the open interfaces did not answer at {url}")
