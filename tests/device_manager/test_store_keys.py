"""Frames are found alike in SQLite and in PostgreSQL, whose indices are others; those are packed by a command."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from device_manager import settings as settings_file
from device_manager.adapters.store_copy import copy_store
from device_manager.adapters.store_engine import create_database, open_store
from device_manager.adapters.store_frames import SqlFrames
from device_manager.adapters.store_packing import pack
from device_manager.adapters.store_reader import SqlReader
from device_manager.adapters.store_series import SqlSeries
from device_manager.cli import app
from device_manager.database import Database, ServerDatabase
from device_manager.settings import Settings
from tests.fakes import postgres
from tests.fakes.speaker import NOW_MS

NODES, EACH = 40, 200
TOP = (1 << 32) - 1  # of a sequence number and of a begin on the wire
GAP = 3_000_000  # numbers that have left for the archive
LAST = NODES * EACH + GAP


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> tuple[Path, ServerDatabase]:
    """The same rows in a file and on a server: nodes in turn, some frames undated, a gap in the numbers."""
    path, server = tmp_path_factory.mktemp("both") / "citynode.db", postgres.fresh(postgres_url)
    create_database(path)
    with closing(sqlite3.connect(path)) as raw, raw:
        nodes = [(n, f"kempten-{n:02d}", "accepted", 0) for n in range(1, NODES + 1)]
        raw.executemany("INSERT INTO node (id, name, admission, added_ms) VALUES (?, ?, ?, ?)", nodes)
        raw.executemany("INSERT INTO log VALUES (?, ?, ?, 0, '[]')", [(n, n, n) for n, *_ in nodes])
        raw.executemany("INSERT INTO frame VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows())
    SqlSeries(path).close()
    copy_store(path, server)
    return path, server


def rows() -> Iterator[tuple[int, int, int, int, int, int, int | None, bytes]]:
    for at in range(NODES * EACH):
        number, node, seq = at + 1 + (GAP if at >= 1000 else 0), at % NODES + 1, at // NODES
        start_s = None if at % 97 == 0 else 600 * seq
        ends = {0: 0, EACH - 1: TOP}  # the first and the last of each node
        yield (
            *(number, node, node, ends.get(seq, seq), 0 if at % 50 else 1, NOW_MS + 60_000 * at),
            *(None if start_s is None else ends.get(seq, start_s), bytes([at % 256])),
        )


def everything(database: Database) -> list[object]:
    """What every way of reading gives."""
    chance, series = random.Random(1), SqlSeries(database)
    with closing(SqlFrames(database, series)) as frames, closing(SqlReader(database)) as reader:
        windows = [(0, TOP + 1), (-5, 1 << 40), (1, TOP), (60_000, 61_200), (TOP, 0)]
        found: list[object] = [frames.frames(n, *w) for n in (1, 2, NODES) for w in windows]
        found += [frames.frame_span(n, *w) for n in (1, 2, NODES) for w in windows]
        found += [frames.page(after, limit) for after in (0, 990, 5000, GAP, LAST) for limit in (20, 9000)]
        some = [GAP + n for n in chance.sample(range(1001, NODES * EACH), 50)] + [1, 2, 700]
        found += [frames.numbered_frames(some), frames.numbered_frames(range(1, 900))]
        found += [frames.record(n, seq) for n in (1, 2) for seq in (0, 5, TOP, EACH + 1)]
        found += [frames.neighbours(n, seq) for n in (1, 2) for seq in (0, 1, 97, TOP)]
        found += [list(reader.records(after=after, node_id=n)) for after in (0, GAP) for n in (None, 3)]
        found += [list(reader.records(node_id=n, since_s=s, until_s=u)) for n in (None, 3) for s, u in windows]
        found += [reader.latest_frames(), reader.head_number(), reader.record(3, 4)]
    series.close()
    return found


def test_every_way_of_reading_gives_the_same_from_both_before_and_after_packing(
    both: tuple[Path, ServerDatabase],
) -> None:
    path, server = both
    expected = everything(path)
    assert everything(server) == expected
    packed = list(pack(server))
    assert {one.name.rpartition("_")[0].startswith("frame_") for one in packed} == {True}
    assert all(one.after < 0.75 * one.before for one in packed)
    assert everything(server) == expected


def test_writer_knows_what_is_there_and_goes_on_behind_the_gap(both: tuple[Path, ServerDatabase]) -> None:
    with closing(open_store(both[1])) as store, store.begin() as step:
        known = step.records([(1, 0), (2, 5), (NODES, TOP), (3, EACH + 1)])
        assert set(known) == {(1, 0), (2, 5), (NODES, TOP)}
        assert step.record(2, 5) == known[2, 5]
        assert step.record(2, EACH + 1) is None
        assert step.head == LAST  # type: ignore[attr-defined]


def test_number_is_not_given_twice_when_rows_lie_above_the_highest_that_is_noted(
    both: tuple[Path, ServerDatabase],
) -> None:
    with psycopg.connect(both[1].url, autocommit=True) as raw:
        raw.execute("UPDATE numbered SET head = 700")
        with closing(open_store(both[1])) as store, store.begin() as step:
            assert step.head == LAST  # type: ignore[attr-defined]
        raw.execute("UPDATE numbered SET head = %s", (LAST,))


def test_pack_command_says_what_it_gave_back_and_refuses_a_file(
    both: tuple[Path, ServerDatabase], tmp_path: Path
) -> None:
    settings_file.save(Settings(tmp_path, store_url=both[1].url))
    list(pack(both[1]))
    done = CliRunner().invoke(app, ["store", "pack", "--data", str(tmp_path)])
    assert (done.exit_code, done.stdout) == (0, "0 indices packed, 0.0 MB given back\n")
    settings_file.save(Settings(tmp_path))
    refused = CliRunner().invoke(app, ["store", "pack", "--data", str(tmp_path)])
    assert refused.exit_code != 0
    assert "expected a store in PostgreSQL" in refused.output + str(refused.exception)
