"""What the benchmarks of the twin's side share: a store of three years, and the open interfaces running over it.

The last 30 days have a record a minute, as nodes send it; the years before have one every 10 minutes, because making
them at a minute takes hours. Full: 200 nodes, 1095 days. The short form has 20 nodes and 120 days, and says so.

On a server it is that store, copied by `citynode store copy` and packed, in a PostgreSQL with stock settings beside.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import httpx

from device_manager import settings as settings_file
from device_manager.adapters.broker_process import any_port
from device_manager.adapters.store_accounts import SqlAccounts
from device_manager.adapters.store_copy import copy_store
from device_manager.adapters.store_operations import Operations
from device_manager.adapters.store_packing import pack
from device_manager.adapters.store_rebuild import rebuild
from device_manager.settings import Listening, Settings
from device_manager.twin.accounts import issue
from tests.benchmarks.city_store import make_store
from tests.conftest import ROOT
from tests.fakes import postgres

FULL = (200, 1095)
SHORT = (20, 120)
MINUTE_DAYS = 30
HOST = "127.0.0.1"


class TwinStore:
    """A data directory with a store; removed when nobody holds it any more."""

    def __init__(self, nodes: int, days: int, *, on_server: bool = False) -> None:
        self.nodes, self.days = nodes, days
        self.folder = tempfile.TemporaryDirectory(dir=os.environ.get("CITYNODE_BENCHMARKS"))
        self.settings = Settings(Path(self.folder.name), twin=Listening(HOST, any_port(HOST)))
        settings_file.save(self.settings)
        self.observations = make_store(self.settings.database, nodes, MINUTE_DAYS, before_days=days - MINUTE_DAYS)
        self.rebuilt = rebuild(self.settings.database, processes=2)
        self.token = self._token()
        if on_server:
            self._move()

    def _move(self) -> None:
        """Have everything in PostgreSQL, which runs until the store is let go."""
        stack = ExitStack()
        database = stack.enter_context(postgres.server(form=postgres.STOCK)).database("twin")
        weakref.finalize(self, stack.close)
        copy_store(self.settings.directory / "citynode.db", database)
        list(pack(database))
        self.settings = replace(self.settings, store_url=database.url)
        settings_file.save(self.settings)

    def _token(self) -> str:
        """Give an account that sees everything, as the twin has; without it there is public grain only."""
        secret, account = issue("twin", frozenset(), int(time.time()), secrets.token_bytes)
        operations = Operations(self.settings.database)
        SqlAccounts(operations).add(account)
        operations.close()
        return secret

    @property
    def form(self) -> str:
        """What was run, for a row."""
        full = (self.nodes, self.days) == FULL
        size = f"{self.nodes} nodes, {self.days} days"
        return f"full: {size}" if full else f"{size} instead of {FULL[0]}, {FULL[1]}"


@cache
def twin_store(short: bool, *, on_server: bool = False) -> TwinStore:
    """Return the store, made once a process."""
    return TwinStore(*(SHORT if short else FULL), on_server=on_server)


def twin_stores(short: bool) -> list[tuple[str, TwinStore]]:
    """Return (words for the name of a row, store): in a file, and on a server."""
    return [("", twin_store(short)), (", PostgreSQL", twin_store(short, on_server=True))]


class Server(NamedTuple):
    """The open interfaces: address of the API, headers that see everything, and the process."""

    base: str
    headers: dict[str, str]
    pid: int

    def client(self) -> httpx.Client:
        """Return a client with the token."""
        return httpx.Client(timeout=300, headers=self.headers)

    def cpu_s(self) -> float:
        """Return the processor time that the process has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(store: TwinStore) -> Iterator[Server]:
    """Run the open interfaces as the manager does, in a process of their own; gives them when they answer."""
    command = [sys.executable, "-m", "device_manager.web.open", "--data", store.folder.name]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)
    base = f"http://{HOST}:{store.settings.twin.port}/v1.1"
    server = Server(base, {"Authorization": f"Bearer {store.token}"}, process.pid)
    try:
        _wait(server, process)
        yield server
    finally:
        process.terminate()
        process.wait()


def _wait(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + 300
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            if httpx.get(server.base + "/Things?$top=1", headers=server.headers, timeout=300).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"the open interfaces did not answer at {server.base}")
