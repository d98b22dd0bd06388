"""What is due once a day, as its command does it: whatever there is none of stops nothing."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from device_manager import settings as settings_file
from device_manager import storekeeping
from device_manager.database import ServerDatabase
from device_manager.scopes import TECHNICIAN, Forbidden, Scope
from device_manager.settings import Settings
from tests.conftest import ROOT
from tests.fakes import postgres
from tests.fakes.speaker import Speaker
from tests.fakes.stores import Bench

POLICY = 'window_days = 60\narchive = "archive"\n'


def city(directory: Path, server: ServerDatabase | None = None, nodes: int = 2, frames: int = 5) -> Settings:
    """Return a data directory with frames of a month long ago, which the nodes sent in turn."""
    speakers = [Speaker(f"kempten-{node:02d}", log=node) for node in range(1, nodes + 1)]
    bench = Bench(directory, [speaker.name for speaker in speakers], server)
    bench.committer.commit([speaker.channels() for speaker in speakers])
    for _ in range(frames):
        bench.committer.commit([speaker.frame() for speaker in speakers])
    bench.close()
    made = Settings(directory, store_url=server.url if server else "")
    settings_file.save(made)
    return made


def daily(directory: Path) -> str:
    """Run the command and return what it prints."""
    command = [sys.executable, "-m", "device_manager.cli", "store", "daily", "--data", str(directory)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=120)
    return done.stderr + done.stdout


def test_city_without_policy_in_sqlite_has_nothing_due(tmp_path: Path) -> None:
    city(tmp_path)
    assert daily(tmp_path).splitlines() == [
        "nothing to pack: the store is SQLite",
        "nothing to archive: there is no retention.toml",
        "indices packed: 0, months archived: 0",
    ]


def test_city_in_sqlite_is_archived_by_its_policy(tmp_path: Path) -> None:
    city(tmp_path)
    (tmp_path / "retention.toml").write_text(POLICY)
    assert re.search(r"indices packed: 0, months archived: [1-9]\d*$", daily(tmp_path))  # until this very month
    assert list((tmp_path / "archive").rglob("*.parquet"))


def test_city_on_a_server_is_packed_without_a_policy(tmp_path: Path, postgres_url: str) -> None:
    city(tmp_path, postgres.fresh(postgres_url), nodes=20, frames=400)
    assert daily(tmp_path).endswith("\nindices packed: 1, months archived: 0\n")


def test_only_an_admin_may(tmp_path: Path) -> None:
    with pytest.raises(Forbidden):
        storekeeping.daily(city(tmp_path), Scope("otto", TECHNICIAN), lambda line: None)
