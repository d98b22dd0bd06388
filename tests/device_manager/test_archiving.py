"""Old frames in the archive: readers see no difference, nothing is lost, what is forgotten is gone."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_manager.adapters import archive_parquet as parquet
from device_manager.adapters.clock import SystemClock
from device_manager.adapters.store_archive import SqlArchive
from device_manager.adapters.store_audit import SqlAudit
from device_manager.adapters.store_months import SqlMonths
from device_manager.adapters.store_operations import Operations
from device_manager.archiving import policy as policies
from device_manager.archiving.blanking import blank
from device_manager.archiving.months import bounds, due, forgotten, month_of
from device_manager.archiving.policy import Policy
from device_manager.archiving.service import Archiving
from device_manager.audit import Audit
from device_manager.errors import SetupError, StoreError
from device_manager.scopes import VIEWER, Forbidden, Scope
from firmware.wire import frame
from tests.fakes.derived import SITE, Derived
from tests.fakes.speaker import NOW_MS, START_S, Speaker

DAY_S = 86_400
ADMIN = Scope("anna")
LATER_S = NOW_MS // 1000 + 70 * DAY_S  # December and January lie behind a window of 60 days


class Shelf:
    """A derived bench with two months of frames, and its archiving."""

    def __init__(self, directory: Path, address: str = "archive", keep_days: dict[str, int] | None = None) -> None:
        self.derived = Derived(directory, since_s=START_S - 90 * DAY_S)
        self.speaker = Speaker()
        committer = self.derived.bench.committer
        channels = self.speaker.channels()
        self.frames = [self.speaker.frame(start_s=START_S - 40 * DAY_S + 7200 * i) for i in range(300)]
        committer.commit([channels, *self.frames, self.speaker.frame(start_s=START_S + 600)])
        self.derived.keeper.advance()
        self.operations = Operations(self.derived.bench.path)
        self.index = SqlArchive(self.operations)
        self.months = SqlMonths(self.derived.bench.path, self.derived.bench.reader, self.index, address)
        self.audit = Audit(SqlAudit(self.operations), SystemClock())
        self.archiving = Archiving(self.months, Policy(60, address, keep_days or {}), self.audit)

    def seen(self) -> list[object]:
        """Everything that readers get: records, readings with numbers, roll-ups, the feed from number 0."""
        self.derived.open()
        derived, archive = self.derived, self.derived.archive
        readings = archive.readings(SITE, "pm2_5", 0, 1 << 40)
        lines = [(r.line.value.tolist(), r.line.start_s.tolist(), archive.numbers(r).tolist()) for r in readings]
        pages = derived.frames.page(0, 10_000)
        return [lines, pages, derived.rollups(), list(derived.bench.reader.records()), derived.frames.page(17, 20)]

    def stored(self) -> int:
        """Frames that are still in the database."""
        with closing(sqlite3.connect(self.derived.bench.path)) as raw:
            return int(raw.execute("SELECT count(*) FROM frame WHERE kind = 0").fetchone()[0])


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_archived_months_read_as_before_and_leave_the_database(shelf: Shelf) -> None:
    before = shelf.seen()
    assert shelf.stored() == 301
    steps = shelf.archiving.run(LATER_S, scope=ADMIN)
    assert [step.month for step in steps] == ["2025-12", "2026-01"]
    assert shelf.stored() == 1
    assert shelf.seen() == before
    assert shelf.archiving.plan(LATER_S) == []
    assert [entry.action for entry in shelf.audit.entries()] == ["store.archive"] * 2


def test_windows_by_node_and_by_number_read_the_same(shelf: Shelf) -> None:
    windows = [(START_S - 30 * DAY_S, START_S - 12 * DAY_S), (0, START_S - 39 * DAY_S), (START_S, 1 << 40)]

    def seen() -> list[object]:
        shelf.derived.open()
        reader = shelf.derived.bench.reader
        rows = [shelf.derived.frames.frames(1, low, high) for low, high in windows]
        return [*rows, *(list(reader.records(node_id=1, since_s=low, until_s=high)) for low, high in windows)]

    before = seen()
    shelf.archiving.run(LATER_S, scope=ADMIN)
    assert seen() == before


def test_rebuild_over_the_archive_changes_nothing(shelf: Shelf) -> None:
    shelf.archiving.run(LATER_S, scope=ADMIN)
    before = shelf.seen()
    assert shelf.derived.rebuild().numbers == 0
    assert shelf.seen() == before


def test_derived_tables_that_were_lost_come_back_from_the_archive(shelf: Shelf) -> None:
    rollups = shelf.derived.rollups()
    shelf.archiving.run(LATER_S, scope=ADMIN)
    shelf.derived.series.close()
    shelf.derived.frames.close()
    shelf.derived.bench.path.with_name("series.db").unlink()
    shelf.derived.open()
    shelf.derived.keeper.advance()
    assert shelf.derived.rollups() == rollups


def test_archived_frame_that_comes_again_is_a_duplicate(shelf: Shelf) -> None:
    shelf.archiving.run(LATER_S, scope=ADMIN)
    outcome = shelf.derived.bench.committer.commit(shelf.frames[:5])
    assert (outcome.duplicates, outcome.stored) == (5, 0)


def test_run_that_was_cut_off_between_copy_and_drop_is_finished_by_the_next(shelf: Shelf) -> None:
    before = shelf.seen()
    frames = shelf.months.frames("2026-01")
    shelf.months.keep("2026-01", frames, frozenset())  # the power goes here
    assert shelf.stored() == 301
    assert shelf.seen() == before
    shelf.archiving.run(LATER_S, scope=ADMIN)
    assert shelf.stored() == 1
    assert shelf.seen() == before


def test_damaged_copy_is_noticed_and_nothing_is_dropped(shelf: Shelf, tmp_path: Path) -> None:
    shelf.months.keep("2026-01", shelf.months.frames("2026-01"), frozenset())
    path = tmp_path / "archive" / "2026-01.parquet"
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError, match="with sum .*restore it from a backup"):
        shelf.months.drop("2026-01")
    assert shelf.stored() == 301


def test_late_frame_of_an_archived_month_joins_it(shelf: Shelf) -> None:
    shelf.archiving.run(LATER_S, scope=ADMIN)
    late = shelf.speaker.frame(start_s=START_S - 20 * DAY_S + 1000)
    shelf.derived.bench.committer.commit([late, shelf.speaker.frame(start_s=START_S + 900)])
    before = shelf.seen()
    assert [str(step) for step in shelf.archiving.run(LATER_S, scope=ADMIN)] == ["2026-01: move to the archive"]
    assert shelf.seen() == before
    assert shelf.stored() == 2


def test_what_is_past_its_limit_is_gone_from_frames_and_stays_in_roll_ups(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, keep_days={"footfall_in": 70})
    rollups = shelf.derived.rollups()
    shelf.archiving.run(LATER_S, scope=ADMIN)
    shelf.derived.open()
    counts = shelf.derived.archive.readings(SITE, "footfall_in", 0, START_S)
    assert not any((~(reading.line.value != reading.line.value)).any() for reading in counts)  # NaN: missing
    assert any(len(r.line) for r in shelf.derived.archive.readings(SITE, "pm2_5", 0, START_S))
    assert shelf.derived.rollups() == rollups
    assert shelf.archiving.plan(LATER_S) == []


def test_only_an_admin_archives(shelf: Shelf) -> None:
    with pytest.raises(Forbidden, match="the role admin to archive"):
        shelf.archiving.run(LATER_S, scope=Scope("otto", VIEWER))
    assert shelf.stored() == 301


@given(
    st.lists(st.lists(st.none() | st.integers(0, 5000), min_size=3, max_size=3), min_size=1, max_size=8),
    st.sets(st.integers(0, 2)),
)
def test_blanked_frame_keeps_all_other_readings(rows: list[list[int | None]], columns: set[int]) -> None:
    payload = Speaker().frame(rows, flags=8).payload
    found = frame.decode(blank(payload, columns))
    count = len(rows)
    wanted = [None if at // count in columns else value for at, value in enumerate(frame.decode(payload).values)]
    assert found.values == wanted
    assert not [run for run in found.runs if run[0] in columns]


@given(st.integers(0, 4_000_000_000))
def test_months_cover_time_without_holes(moment: int) -> None:
    low, high = bounds(month_of(moment))
    assert low <= moment < high
    assert month_of(high) > month_of(moment)


def test_months_are_due_only_wholly_behind_the_window() -> None:
    policy = Policy(60, "archive", {"footfall_in": 90})
    low, end = bounds("2026-01")
    assert due(low, policy, end + 60 * DAY_S - 1) == []
    assert due(low, policy, end + 60 * DAY_S) == ["2026-01"]
    assert due(None, policy, end + 60 * DAY_S) == []
    assert forgotten("2026-01", policy, end + 90 * DAY_S - 1) == set()
    assert forgotten("2026-01", policy, end + 90 * DAY_S) == {"footfall_in"}
    assert forgotten("2026-01", policy, end + 90 * DAY_S, ["footfall_in"]) == set()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("window_days = 3", "expected 35 or more for window_days"),
        ("[keep_days]\nlaughter = 400", "expected a quantity .*keep_days.laughter"),
        ("[keep_days]\nfootfall_in = 10", "expected 400 .window_days. or more for keep_days.footfall_in"),
        ("colour = 1", "only window_days, archive and keep_days"),
        ("window_days =", "expected TOML"),
    ],
)
def test_wrong_policy_names_the_key(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / policies.FILE_NAME).write_text(text)
    with pytest.raises(SetupError, match=said):
        policies.load(tmp_path)


def test_directory_without_a_policy_forgets_nothing(tmp_path: Path) -> None:
    assert policies.load(tmp_path) is None


def test_archive_file_is_plain_parquet(shelf: Shelf, tmp_path: Path) -> None:
    import duckdb

    shelf.archiving.run(LATER_S, scope=ADMIN)
    rows = duckdb.sql(f"SELECT count(*), min(start_s) FROM '{tmp_path}/archive/*.parquet'").fetchall()
    assert rows == [(300, START_S - 40 * DAY_S)]
    assert parquet.place("archive", tmp_path) == str(tmp_path / "archive")
