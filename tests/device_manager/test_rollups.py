"""Roll-ups: kinds, days of 23 and 25 hours, counters, and independence of how readings came."""

import csv
import gzip
import math
import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_manager.database import ServerDatabase
from device_manager.series import flags as bits
from device_manager.series.calendar import day_edges
from device_manager.series.channels import Line
from device_manager.series.chunks import decode, encode, split
from device_manager.series.epochs import Channel
from device_manager.series.rollups import RollUp, counted, energetic_mean, rolled
from tests.conftest import ROOT
from tests.fakes.derived import SITE, Derived
from tests.fakes.speaker import START_S, Speaker

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def derived(tmp_path: Path, server_or_file: ServerDatabase | None) -> Iterator[Derived]:
    derived = Derived(tmp_path, server=server_or_file)
    yield derived
    derived.close()


def line(quantity: str, values: list[float], *, start_s: int = 0, step_s: int = 60, epoch: object = 0) -> Line:
    """A line without gaps."""
    start = start_s + step_s * np.arange(len(values))
    zero = np.zeros(len(values), dtype=np.int64)
    channel = Channel(quantity, "x", 10 if quantity != "footfall_in" else 1, "s")
    epochs = np.zeros(len(values), dtype=np.int64) + epoch
    return Line(channel, start, start + step_s, np.array(values), zero, zero, zero, epochs, ((1, 0), (1, 9)))


def test_level_of_a_minute_is_the_golden_one() -> None:
    """noisemonitor's own 1-minute levels of the day whose seconds are in tests/data/real_day."""
    folder = ROOT / "tests" / "data"
    with gzip.open(folder / "real_day" / "levels_1s.csv.gz", "rt") as file:
        seconds = np.array(file.read().split(), dtype=np.float64)
    with gzip.open(folder / "laeq_1min" / "laeq_1min.csv.gz", "rt") as file:
        golden = [float(row["laeq_db"]) for row in csv.DictReader(file)]
    assert len(golden) == 1440
    made = [energetic_mean(minute) for minute in seconds.reshape(1440, 60)]
    assert np.abs(np.array(made) - golden).max() <= 1e-9
    found = rolled(line("laeq", seconds.tolist(), step_s=1), np.arange(0, 86_401, 60))
    assert np.abs(found.value - golden).max() <= 1e-9


@pytest.mark.parametrize(
    ("quantity", "value"), [("pm2_5", 20.0), ("la50", 20.0), ("lafmax", 40.0), ("lafmin", 5.0), ("laeq", 35.244)]
)
def test_value_of_an_interval_follows_the_kind_of_quantity(quantity: str, value: float) -> None:
    found = rolled(line(quantity, [5.0, 15.0, 40.0]), np.array([0, 900]))
    assert found.value[0] == pytest.approx(value, abs=1e-3)
    assert (found.low[0], found.high[0], found.seconds[0], found.coverage[0]) == (5.0, 40.0, 180, 0.2)


def test_unusable_readings_are_left_out_and_lower_the_coverage() -> None:
    flagged = line("pm2_5", [5.0, 15.0, 40.0, math.nan])
    flagged.flags[:] = [0, bits.INVALID, 0, 0]
    found = rolled(flagged, np.array([0, 240]))
    assert (found.value[0], found.coverage[0], found.flags[0]) == (22.5, 0.5, bits.INVALID)


def test_totals_become_counts_and_a_new_start_counts_from_zero() -> None:
    epochs = np.array([0, 0, 0, 1, 1, 1])
    counts = counted(line("footfall_in", [7, 9, 9, 30, 31, 2], epoch=epochs)).value
    assert counts.tolist()[1:] == [2, 0, 30, 1, 2]
    assert math.isnan(counts[0])


def test_total_that_overran_goes_on() -> None:
    assert counted(line("footfall_in", [2**29 - 2, 3])).value.tolist()[1:] == [5]


def test_people_who_came_in_a_gap_are_marked() -> None:
    counts = counted(line("footfall_in", [1, math.nan, 5]))
    assert counts.value[2] == 4
    assert counts.flags.tolist() == [0, 0, bits.COLLECTED]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_local_day_has_its_own_length(day: str, hours: int) -> None:
    noon_s = int(datetime.fromisoformat(day + "T12:00").replace(tzinfo=BERLIN).timestamp())
    borders = day_edges(noon_s, noon_s + 1, BERLIN)
    assert np.diff(borders).tolist() == [hours * 3600]
    assert datetime.fromtimestamp(int(borders[0]), UTC).astimezone(BERLIN).strftime("%F %T") == f"{day} 00:00:00"
    found = rolled(line("pm2_5", [1.0] * hours * 60, start_s=int(borders[0])), borders)
    assert (found.seconds[0], found.coverage[0]) == (hours * 3600, 1.0)


FLOATS = st.floats(-1e6, 1e6)


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.one_of(FLOATS, st.integers(-9999, 9999).map(lambda i: i / 10)), min_size=3, max_size=3),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(["pm2_5", "laeq", "footfall_in"]),
)
def test_chunk_comes_back_bit_for_bit(rows: list[list[float]], quantity: str) -> None:
    channel = Channel(quantity, "x", 10, "s")
    start = 900 * np.arange(len(rows))
    value, low, high = np.array(rows).T
    ints = np.arange(1, len(rows) + 1)
    made = RollUp(start, start + 900, value, low, high, 60 * ints, ints, ints % 3)
    key = ("s", quantity)
    for chunk in split("15min", {key: made}, {key: channel}).values():
        found = decode(encode(chunk), chunk.channels)
        for name in ("start_s", "end_s", "value", "low", "high", "seconds", "readings", "flags", "number"):
            assert getattr(found, name).tobytes() == getattr(chunk, name).tobytes(), name


def spoken(rng: random.Random, cuts: list[int]) -> list[object]:
    """The same 300 records of one node, cut into frames of the given lengths."""
    values = random.Random(5)
    total = 0
    rows = []
    for i in range(300):
        total += values.randrange(3)
        rows.append([values.randrange(900), None if i % 37 == 5 else values.randrange(-200, 300), total])
    speaker = Speaker(seed=1)
    said: list[object] = [speaker.channels()]
    at = 0
    while at < len(rows):
        size = cuts[len(said) % len(cuts)]
        said.append(speaker.frame(rows[at : at + size], START_S - 18_000 + 60 * at))
        at += size
    rng.shuffle(said)
    return said


def line_of(derived: Derived) -> list[bytes]:
    found = []
    for quantity in ("pm2_5", "temperature", "footfall_in"):
        (reading,) = derived.archive.readings(SITE, quantity, 0, 1 << 40)
        columns = reading.line.start_s, reading.line.end_s, reading.line.value, reading.line.flags, reading.corrected
        found.append(b"".join(column.tobytes() for column in columns))
    return found


@settings(deadline=None, max_examples=12)
@given(st.randoms(use_true_random=False), st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_series_and_rollups_are_the_same_however_the_readings_came(rng: random.Random, cuts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as plain, tempfile.TemporaryDirectory() as torn:
        first, second = Derived(Path(plain)), Derived(Path(torn))
        first.bench.committer.commit(spoken(random.Random(0), [30]))
        first.keeper.advance()
        said = spoken(rng, cuts)
        said += rng.sample(said, len(said) // 2)
        while said:
            batch = [said.pop() for _ in range(min(len(said), rng.randrange(1, 9)))]
            second.bench.committer.commit(batch)
            second.keeper.advance()
        assert line_of(first) == line_of(second)
        assert first.rollups() == second.rollups()
        incremental, blocks = second.rollups(), second.blocks()
        assert second.rebuild().numbers == 0
        assert (second.rollups(), second.blocks()) == (incremental, blocks)
        for derived in (first, second):
            derived.close()


def test_late_readings_repair_the_rollups_under_new_numbers(derived: Derived) -> None:
    speaker = Speaker()
    start_s = START_S - START_S % 86_400
    frames = [speaker.channels()] + [speaker.frame([[10, 1, i]] * 30, start_s + 1800 * i) for i in range(10)]
    late = frames.pop(3)
    derived.bench.committer.commit(frames)
    derived.keeper.advance()
    (before,) = derived.archive.rollups(SITE, "pm2_5", "1h", 0, 1 << 40)
    derived.bench.committer.commit([late])
    derived.keeper.advance()
    (after,) = derived.archive.rollups(SITE, "pm2_5", "1h", 0, 1 << 40)
    assert (before.rows.readings.tolist(), after.rows.readings.tolist()) == ([60, 30, 60, 60, 60], [60] * 5)
    assert (before.number == after.number).tolist() == [True, False, True, True, True]
    assert derived.rebuild().numbers == 0


def test_rebuild_from_nothing_gives_the_same_rollups(derived: Derived) -> None:
    for message in spoken(random.Random(3), [7, 11]):
        derived.bench.committer.commit([message])
        derived.keeper.advance()
    kept = derived.rollups()
    derived.frames.close()
    derived.series.close()
    derived.forget()
    derived.rebuild()
    derived.open()
    assert derived.rollups() == kept
    assert derived.keeper.advance().numbers == 0
