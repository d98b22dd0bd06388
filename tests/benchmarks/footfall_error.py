"""Counting error of both counters of people on generated walks, run by MicroPython: see tests/walks.

Error: |IN - truth| + |OUT - truth| of all who crossed (of all who came, where nobody crossed). Drift: IN minus OUT,
less the truth's. The time-of-flight sensor is run at three heights. 95 % bound: Wilson's, of the share of episodes
counted otherwise than they were.

Two abreast are one to a single VL53L1X: its lane is one person wide, and the row says by how much it misses.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

from tests.benchmarks.row import Row, at_most
from tests.benchmarks.tools import on_micropython
from tests.walks import cases, crowd, radar, tof

ERROR_PERCENT, DRIFT_PERCENT = 5.0, 0.5
HEIGHTS_M = (2.4, 2.5, 2.6)
EPISODES, SHORT_EPISODES = 999, 60
LONG_CASES = ("loitering", "open door, people pass", "door alone", "mixed")  # a minute each, so a quarter as many
RETURNS = ("turn-backs", "mixed")


def run(short: bool) -> list[Row]:
    """Return a row for each case of each sensor, and the drift where people turn round."""
    rows = []
    form = f"{SHORT_EPISODES} episodes a case" if short else "full"
    for sensor, count in (("VL53L1X", _by_ranges), ("LD2450", _by_frames)):
        for case in cases.CASES:
            if sensor == "LD2450" and case in crowd.DOORS:
                continue
            episodes = (SHORT_EPISODES if short else EPISODES) // (4 if case in LONG_CASES else 1)
            rows += _rows(f"footfall_error, {sensor}, {case}", count(case, episodes), case in RETURNS, form)
    return rows


def _by_ranges(case: str, episodes: int) -> crowd.Tally:
    total = crowd.Tally(0, 0, 0, 0, 0, 0, 0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ranges.bin"
        for seed, height_m in enumerate(HEIGHTS_M, start=11):
            truth = crowd.write_ranges(path, case, episodes // len(HEIGHTS_M), seed, height_m)
            total += crowd.tally(truth, on_micropython("on_micropython/count_ranges.py", str(path), str(tof.STEP_MS)))
    return total


def _by_frames(case: str, episodes: int) -> crowd.Tally:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frames.bin"
        truth = crowd.write_frames(path, case, episodes, 21)
        line = map(str, radar.line_mm())
        return crowd.tally(truth, on_micropython("on_micropython/count_frames.py", str(path), *line))


def _rows(name: str, tally: crowd.Tally, returns: bool, form: str) -> list[Row]:
    beside = (
        f"{tally.people} people in {tally.episodes} episodes; truth in {tally.entered} out {tally.left}, counted in "
        f"{tally.counted_in} out {tally.counted_out}; episodes counted wrong {tally.wrong}, share <= "
        f"{100 * _wilson(tally.wrong, tally.episodes):.1f} %"
    )
    rows = [at_most(name, tally.error_percent, "%", ERROR_PERCENT, beside, form)]
    if returns:
        rows.append(at_most(f"{name}, drift", tally.drift_percent, "% of people", DRIFT_PERCENT, "", form))
    return rows


def _wilson(hits: int, count: int) -> float:
    """The upper 95 % bound of a share."""
    z, share = 1.96, hits / count
    middle = share + z * z / (2 * count)
    return (middle + z * math.sqrt(share * (1 - share) / count + z * z / (4 * count**2))) / (1 + z * z / count)
