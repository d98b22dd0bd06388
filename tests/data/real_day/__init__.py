"""One day of 15 channels from real traces: see SOURCE.txt.

PM10, PM2.5, temperature, humidity and pressure as measured (a row a record); PM1 and PM4 scaled from PM2.5; LAeq,
maximum, L10, L50, L90 and L99 of each minute from the 1-s levels; people in and out drawn (seeded) from hourly counts.
"""

from __future__ import annotations

import csv
import gzip
import math
import random
from pathlib import Path

HERE = Path(__file__).parent
CHANNELS = (
    "pm1", "pm2_5", "pm4", "pm10", "temperature", "relative_humidity", "pressure",
    "laeq", "lafmax", "la10", "la50", "la90", "la99", "footfall_in", "footfall_out",
)  # fmt: skip


def records() -> list[list[int]]:
    """Return 1,440 records of 15 scaled integers in the order of CHANNELS."""
    air, levels, people = _air(), _levels(), _people(random.Random(2023))
    return [air[i] + levels[i] + people[i] for i in range(1440)]


def _lines(name: str) -> list[str]:
    with gzip.open(HERE / name, "rt") as file:
        return file.read().split()


def _air() -> list[list[int]]:
    rows = []
    for row in csv.DictReader(_lines("air.csv.gz")):
        pm10, pm2_5 = float(row["pm10"]), float(row["pm2_5"])
        climate = (float(row["temperature"]), float(row["relative_humidity"]), float(row["pressure_pa"]) / 100)
        rows.append([round(10 * v) for v in (0.8 * pm2_5, pm2_5, 1.15 * pm2_5, pm10, *climate)])
    return rows


def _levels() -> list[list[int]]:
    seconds = [float(level) for level in _lines("levels_1s.csv.gz")]
    rows = []
    for start in range(0, len(seconds), 60):
        minute = sorted(seconds[start : start + 60])
        laeq = 10 * math.log10(sum(10 ** (level / 10) for level in minute) / 60)
        exceeded = [minute[60 - max(1, round(0.6 * percent))] for percent in (10, 50, 90, 99)]
        rows.append([round(10 * level) for level in (laeq, minute[-1], *exceeded)])
    return rows


def _people(rng: random.Random) -> list[list[int]]:
    """Monotonic totals; each person of an hour passes at a drawn minute in a drawn direction."""
    passing = [[0, 0] for _ in range(1440)]
    for hour, count in enumerate(_lines("footfall_hourly.csv.gz")):
        for _ in range(int(count)):
            passing[60 * hour + rng.randrange(60)][rng.randrange(2)] += 1
    totals = [41_000, 40_000]
    rows = []
    for minute in passing:
        totals = [total + people for total, people in zip(totals, minute, strict=True)]
        rows.append(totals)
    return rows
