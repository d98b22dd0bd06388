"""Levels of a record on real MicroPython, against a straightforward computation on the real 1-s trace.

GOLDEN are twelve 1-minute levels of the same sound monitor, computed by its makers (github.com/valerianF/noisemonitor,
tests/data, Apache License 2.0), without their constant calibration offset: 2025-03-22 13:00 to 13:11.
"""

import json
import math
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TRACE = Path(__file__).parents[2] / "firmware" / "virtual" / "traces" / "levels.bin"
GOLDEN = [45.2859, 43.8138, 48.837, 46.4899, 48.4841, 45.631, 45.4793, 46.0053, 47.8341, 50.0351, 44.9311, 46.1499]
PERCENTS = (1, 10, 50, 90, 99, 100)
SCRIPT = """
import json
from firmware.sensing.noise import Levels
levels = Levels()
for record in json.load(open("records.json")):
    levels.clear()
    for level in record:
        levels.add(level)
    print([levels.result(n) for n in (0, 1, 10, 50, 90, 99, 100)])
"""


def minutes(count: int) -> list[list[int]]:
    """The first minutes of the trace, in 0.1 dB."""
    body = TRACE.read_bytes()[8:]
    seconds = struct.unpack(f"<{len(body) // 2}h", body)
    return [list(seconds[i : i + 60]) for i in range(0, 60 * count, 60)]


def on_node(micropython, records: list[list[int]]) -> list[list[int]]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "records.json").write_text(json.dumps(records))
        done = micropython(SCRIPT, cwd=folder)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def equivalent_db(levels: list[int]) -> float:
    return 10 * math.log10(sum(10 ** (level / 100) for level in levels) / len(levels))


def exceeded(levels: list[int], percent: int) -> int:
    return sorted(levels, reverse=True)[max(1, math.ceil(percent * len(levels) / 100)) - 1]


def test_levels_of_real_minutes_match_the_plain_computation(micropython):
    records = minutes(120)
    for got, record in zip(on_node(micropython, records), records):
        assert got[0] / 10 == pytest.approx(equivalent_db(record), abs=0.0501)
        assert got[1:] == [exceeded(record, percent) for percent in PERCENTS]


def test_leq_of_real_minutes_matches_the_monitors_own(micropython):
    got = [row[0] / 10 for row in on_node(micropython, minutes(len(GOLDEN)))]
    assert got == pytest.approx(GOLDEN, abs=0.0501)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 1400), min_size=1, max_size=80), min_size=1, max_size=10))
def test_levels_of_any_seconds_match_the_plain_computation(micropython, records):
    for got, record in zip(on_node(micropython, records), records):
        assert got[0] / 10 == pytest.approx(equivalent_db(record), abs=0.0501)
        assert got[1:] == [exceeded(record, percent) for percent in PERCENTS]


def test_levels_outside_the_histogram_count_as_its_ends(micropython):
    assert on_node(micropython, [[-5], [1900]]) == [[0] * 7, [1400] * 7]


def test_levels_over_many_records_hold_no_more_memory(micropython):
    done = micropython("""
import gc
from firmware.sensing.noise import Levels
levels = Levels()
def record():
    levels.clear()
    for i in range(60): levels.add(400 + i)
    levels.equivalent(); levels.exceeded(99)
record(); gc.collect(); before = gc.mem_alloc()
for _ in range(500): record()
gc.collect()
assert gc.mem_alloc() - before < 64, gc.mem_alloc() - before
""")
    assert done.returncode == 0, done.stderr
