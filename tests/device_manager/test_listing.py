"""A list of nodes read at a glance: the same as through the register, and everything unusual goes there."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from device_manager.adapters.store_glance import glance
from device_manager.database import ServerDatabase
from device_manager.errors import StoreError
from device_manager.fleet import open_fleet
from device_manager.listing import summaries
from device_manager.overview import summarise
from device_manager.settings import Settings
from tests.fakes.painted_fleet import paint

NOW_MS = 1_770_000_000_000


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = paint(tmp_path_factory.mktemp("fleet"), NOW_MS // 1000, nodes=10, days=(0.02,))
    with closing(sqlite3.connect(settings.database)) as raw:
        raw.execute("INSERT INTO node (name, admission, added_ms) VALUES ('never-seen', 'pending', 0)")
        raw.commit()
    return settings


def test_list_at_a_glance_is_the_one_of_the_register(painted: Settings) -> None:
    with open_fleet(painted) as fleet:
        thorough = [summarise(view, NOW_MS) for view in fleet.registry.nodes()]
    assert summaries(painted, NOW_MS) == thorough
    assert {row.state for row in thorough} > {"never seen", "late"}


def test_list_does_not_load_sqlalchemy(painted: Settings) -> None:
    code = (
        "import sys; from pathlib import Path; from device_manager.listing import summaries;"
        f"from device_manager.settings import load; summaries(load(Path({str(painted.directory)!r})), {NOW_MS});"
        "print(*{'sqlalchemy', 'numpy', 'paho'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""


def test_node_that_was_taken_down_hangs_nowhere(tmp_path: Path) -> None:
    settings = paint(tmp_path / "fleet", int(time.time()), nodes=1, days=(0.02,))
    with closing(sqlite3.connect(settings.database)) as raw:
        raw.execute("UPDATE deployment SET until_s = 1")
        raw.commit()
    assert [(row.node, row.site) for row in summaries(settings, NOW_MS)] == [("kempten-01", None)]


@pytest.mark.parametrize("spoil", ["UPDATE schema_version SET version = version - 1", "DROP TABLE schema_version"])
def test_database_of_another_version_is_left_to_the_register(tmp_path: Path, spoil: str) -> None:
    settings = paint(tmp_path / "fleet", NOW_MS // 1000, nodes=1, days=(0.02,))
    with closing(sqlite3.connect(settings.database)) as raw:
        raw.execute(spoil)
        raw.commit()
    assert glance(settings.database) is None


def test_missing_database_and_one_on_a_server_are_left_to_the_register(tmp_path: Path) -> None:
    assert glance(tmp_path / "none.db") is None
    assert glance(ServerDatabase("postgresql://h/d")) is None
    with pytest.raises(StoreError, match="run `citynode init`"):
        summaries(Settings(tmp_path), NOW_MS)
