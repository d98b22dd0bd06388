"""Generated walks (tests/walks) counted on real MicroPython; the large sets are the benchmark `footfall_error`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.walks import cases, crowd, radar, tof

DATA = ROOT / "tests" / "data" / "ld2450"
ON_MICROPYTHON = ROOT / "tests" / "benchmarks" / "on_micropython"


def below_sensor(micropython, folder: Path, case: str, count: int, script: Path | None = None) -> crowd.Tally:
    path = folder / "ranges.bin"
    truth = crowd.write_ranges(path, case, count, 5, 2.5)
    done = micropython(script or ON_MICROPYTHON / "count_ranges.py", str(path), str(tof.STEP_MS), timeout_s=90)
    assert done.returncode == 0, done.stderr + done.stdout
    return crowd.tally(truth, done.stdout)


def before_radar(micropython, folder: Path, case: str, count: int) -> crowd.Tally:
    path = folder / "frames.bin"
    truth = crowd.write_frames(path, case, count, 5)
    done = micropython(ON_MICROPYTHON / "count_frames.py", str(path), *map(str, radar.line_mm()), timeout_s=90)
    assert done.returncode == 0, done.stderr + done.stdout
    return crowd.tally(truth, done.stdout)


@pytest.mark.parametrize("case", ["single", "tall and fast", "in line", "mixed"])
def test_walks_below_the_sensor_count_within_five_percent(micropython, tmp_path, case):
    tally = below_sensor(micropython, tmp_path, case, 40 if case != "mixed" else 5)
    assert tally.error_percent <= 5, tally


def test_turn_backs_below_the_sensor_do_not_drift(micropython, tmp_path):
    tally = below_sensor(micropython, tmp_path, "turn-backs", 60)
    assert tally.counted_in + tally.counted_out <= 1, tally


@pytest.mark.parametrize("case", ["single", "in line", "two abreast"])
def test_walks_before_the_radar_count_within_five_percent(micropython, tmp_path, case):
    assert before_radar(micropython, tmp_path, case, 80).error_percent <= 5


def test_turn_backs_before_the_radar_do_not_drift(micropython, tmp_path):
    tally = before_radar(micropython, tmp_path, "turn-backs", 80)
    assert tally.error_percent <= 5 and abs(tally.counted_in - tally.counted_out) <= 2, tally


def test_driver_and_register_model_count_the_walks_too(micropython, tmp_path):
    tally = below_sensor(micropython, tmp_path, "single", 30, Path(__file__).parent / "on_node/walk_below_sensor.py")
    assert tally.error_percent <= 5, tally


def test_noise_of_the_generated_radar_is_that_of_the_captured_stream():
    captured = radar.fit(DATA / "office-desk-30s.bin")
    reach_mm = 2100
    across_mm = radar.ANGLE_SIGMA * reach_mm
    assert captured["x"][0] * 0.7 < across_mm < captured["x"][0] * 1.3
    assert captured["y"][0] * 0.7 < radar.RANGE_SIGMA_M * 1000 < captured["y"][0] * 1.3
    assert captured["x"][1] == pytest.approx(radar.ANGLE_PHI, abs=0.05)
    assert captured["y"][1] == pytest.approx(radar.RANGE_PHI, abs=0.06)


def test_speeds_of_the_generated_radar_are_those_that_the_captured_stream_has():
    raw = np.frombuffer((DATA / "office-desk-30s.bin").read_bytes(), np.uint8).reshape(-1, 30)[:, 8:10].copy()
    captured = {int(v) & 0x7FFF for v in raw.view("<u2").ravel()}
    rng = np.random.default_rng(1)
    frames = radar.Radar(rng).frames(cases.single(rng, half_m=3.0).people, 8.0)
    made = np.frombuffer(frames, np.uint8).reshape(-1, 30)[:, 8:10].copy().view("<u2").ravel()
    slow = {int(v) & 0x7FFF for v in made if int(v) & 0x7FFF <= 80}
    assert slow and slow <= captured | {0, 8, 16, 24, 32, 39, 48, 56, 64, 72, 79}


def test_truth_of_a_turn_back_is_nothing_and_of_a_walk_one():
    rng = np.random.default_rng(2)
    for _ in range(50):
        back, through = cases.turned_back(rng), cases.single(rng)
        assert cases.crossings(back.people[0]) == (0, 0)
        assert cases.crossings(through.people[0]) == (through.entered, through.left)
