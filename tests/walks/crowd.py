"""Many episodes of one case, as files for the counters on MicroPython, with their truth; and what came of them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.walks import cases, radar, tof

EMPTY_S = 3.0  # for the counter to learn the floor
RADAR_HALF_M, RADAR_AFTER_S = 3.0, 2.5
DOORS = ("open door, people pass", "door alone")  # the radar does not see a door leaf


@dataclass(frozen=True)
class Tally:
    """Truth and counts of a case; `wrong` are episodes with any other number of IN or OUT than the truth."""

    episodes: int
    people: int
    entered: int
    left: int
    counted_in: int
    counted_out: int
    wrong: int

    @property
    def error_percent(self) -> float:
        """Counts too many or too few of both directions, of all who crossed; of all people where nobody should."""
        miscounted = abs(self.counted_in - self.entered) + abs(self.counted_out - self.left)
        return 100 * miscounted / max(1, (self.entered + self.left) or self.people or self.episodes)

    @property
    def drift_percent(self) -> float:
        """By how much IN minus OUT is off, of all people (of all episodes where there are none)."""
        off = (self.counted_in - self.counted_out) - (self.entered - self.left)
        return 100 * abs(off) / max(1, self.people or self.episodes)

    def __add__(self, other: Tally) -> Tally:
        mine, theirs = vars(self), vars(other)
        return Tally(**{name: mine[name] + theirs[name] for name in mine})


def write_ranges(path: Path, case: str, count: int, seed: int, ceiling_m: float) -> list[cases.Episode]:
    """Write `count` episodes below a time-of-flight sensor, after an empty one."""
    rng = np.random.default_rng(seed)
    episodes = [cases.CASES[case](rng) for _ in range(count)]
    with path.open("wb") as file:
        for episode in [cases.Episode([], 0, 0, EMPTY_S), *episodes]:
            ranges = tof.ranges(rng, episode.people, episode.until_s, ceiling_m, episode.leaves)
            file.write(struct.pack("<I", ranges.shape[1]) + ranges.tobytes())
    return episodes


def write_frames(path: Path, case: str, count: int, seed: int) -> list[cases.Episode]:
    """Write `count` episodes in front of a radar, after an empty one."""
    rng = np.random.default_rng(seed)
    episodes = [cases.CASES[case](rng, half_m=RADAR_HALF_M) for _ in range(count)]
    sees = radar.Radar(rng)
    with path.open("wb") as file:
        for episode in [cases.Episode([], 0, 0, EMPTY_S), *episodes]:
            frames = sees.frames(episode.people, episode.until_s + RADAR_AFTER_S)
            file.write(struct.pack("<I", len(frames)) + frames)
    return episodes


def tally(episodes: list[cases.Episode], printed: str) -> Tally:
    """Compare what a counter printed, a line an episode, totals first, with the truth of `episodes`."""
    totals = np.array([line.split()[:2] for line in printed.splitlines()], int)
    got = np.diff(totals, axis=0)
    truth = np.array([[episode.entered, episode.left] for episode in episodes])
    if len(got) != len(truth):
        raise ValueError(f"expected {len(truth)} episodes, got {len(got)}")
    return Tally(
        len(episodes), sum(len(e.people) for e in episodes), *map(int, truth.sum(axis=0)), *map(int, got.sum(axis=0)),
        int((got != truth).any(axis=1).sum()),
    )  # fmt: skip
