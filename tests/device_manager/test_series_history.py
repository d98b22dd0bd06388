"""Databases of older versions: they upgrade by themselves and lose nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_frames import SqlFrames
from device_manager.adapters.store_reader import SqlReader
from device_manager.adapters.store_schema import metadata
from device_manager.adapters.store_series import SqlSeries
from device_manager.adapters.store_sql import SqlStore
from device_manager.adapters.store_version import SCHEMA_VERSION
from device_manager.series.archive import Archive
from device_manager.series.keeping import Keeper
from tests.conftest import ROOT

HISTORY = ROOT / "tests" / "history"


@pytest.fixture(params=range(1, SCHEMA_VERSION))
def old(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "citynode.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript((HISTORY / f"store_v{request.param}.sql").read_text("utf-8"))
    return path


def test_every_older_version_has_a_sample() -> None:
    assert {path.name for path in HISTORY.glob("store_v*.sql")} == {f"store_v{v}.sql" for v in range(1, SCHEMA_VERSION)}


@pytest.mark.parametrize("opened", [SqlReader, SqlStore])
def test_old_database_upgrades_when_it_is_opened(old: Path, opened: type) -> None:
    opened(old).close()
    with closing(sqlite3.connect(old)) as raw:
        assert raw.execute("SELECT version FROM schema_version").fetchall() == [(SCHEMA_VERSION,)]
        for table in metadata.sorted_tables:
            columns = {row[1] for row in raw.execute(f"PRAGMA table_info({table.name})")}
            assert columns == {column.name for column in table.columns}, table.name
        assert raw.execute("SELECT count(*) FROM frame").fetchone() == (11,)
        assert raw.execute("SELECT name, zone FROM site").fetchall() == [("rathausplatz", "Europe/Berlin")]
    with closing(SqlReader(old)) as reader:
        (site,) = reader.sites()
        assert (site.heading_deg, site.fixture, site.gml_id, site.tags) == (None, "", "", ())
        assert [view.tags for view in reader.nodes()] == [()]


def test_readings_of_an_old_database_get_numbers(old: Path) -> None:
    series = SqlSeries(old)
    frames = SqlFrames(old, series)
    loads = Cbor2Codec().loads
    report = Keeper(frames, series, loads).advance()
    (reading,) = Archive(frames, series, loads).readings(4, "pm2_5", 0, 1 << 40)
    assert (report.records, report.waiting, len(reading.line)) == (11, 1, 24)
    frames.close()
    series.close()
