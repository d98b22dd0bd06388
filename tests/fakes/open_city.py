"""A city whose readings are random, with everything that the open interfaces stand on."""

import random
from pathlib import Path

from tests.fakes.derived import Derived
from tests.fakes.speaker import START_S, Speaker

CHANNELS = (["pm2_5", "ug/m3", 10, "air"], ["temperature", "Cel", 10, "air"], ["laeq", "dB", 10, "noise"],
            ["footfall_in", "{count}", 1, "gate"], ["footfall_out", "{count}", 1, "gate"])  # fmt: skip
NOW_S = START_S + 90_000


def city(directory: Path, *, frames: int = 60, seed: int = 1) -> Derived:
    """Return stores with `frames` frames of 10 minutes of one node; some quarters have few passers-by, some many."""
    derived, chance = Derived(directory), random.Random(seed)
    speaker = Speaker()
    said, totals = [speaker.channels(CHANNELS)], [0, 0]
    for at in range(frames):
        rows: list[list[int | None]] = []
        for _ in range(10):
            busy = chance.choice((0, 0, 0, 1, 3))
            totals = [total + chance.randint(0, busy) for total in totals]
            rows.append([chance.randrange(300), 200 + chance.randrange(50), 450 + chance.randrange(200), *totals])
        said.append(speaker.frame(rows, START_S + 600 * at))
    derived.bench.committer.commit(said)
    derived.keeper.advance()
    return derived
