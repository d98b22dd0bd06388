"""Cuts the traces out of the original data (CPython): `python cut.py FOLDER` writes the .bin files beside this file.

FOLDER holds pm_nodes/, noise_laeq/ and footfall_hourly/ as SOURCE.md names them. The format is in `trace.py`.
"""

import csv
import gzip
import pathlib
import struct
import sys
from bisect import bisect_right
from datetime import datetime, timedelta, timezone

HERE = pathlib.Path(__file__).parent
AIR_FROM, AIR_DAYS, AIR_STEP_S = datetime(2019, 5, 7), 7, 150
LEVELS_FROM, LEVELS_HOURS = "2025-03-22 13:00:00", 6
CALIBRATION_DB = 0.085907  # constant in the original; without it the levels are whole 0.1 dB
FOOTFALL_FROM, FOOTFALL_WEEKS = datetime(2023, 3, 6), 4
STREETS = ("45 Queen Street", "210 Queen Street", "59 High Street", "188 Quay Street Lower Albert (EW)")


def rows_of(path: pathlib.Path) -> list:
    """The rows of a gzipped CSV file, header first."""
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.reader(file))


def write(name: str, step_s: int, rows: list) -> None:
    """Write one trace."""
    body = b"".join(struct.pack(f"<{len(row)}h", *row) for row in rows)
    (HERE / f"{name}.bin").write_bytes(struct.pack("<HHI", len(rows[0]), step_s, len(rows)) + body)


def newest(path: pathlib.Path, scales: dict) -> tuple:
    """(times in s, scaled rows) of the named columns."""
    head, *rows = rows_of(path)
    columns = [(head.index(name), scale) for name, scale in scales.items()]
    rows = [row for row in rows if all(row[i] for i, _ in columns)]
    times = [datetime.fromisoformat(row[0]).replace(tzinfo=timezone.utc).timestamp() for row in rows]
    return times, [[round(float(row[i]) * scale) for i, scale in columns] for row in rows]


def cut_air(folder: pathlib.Path) -> None:
    """PM2.5, PM10 (0.1 ug/m3), temperature (0.01 K), humidity (0.01 %), pressure (0.1 hPa): newest at every step."""
    pm_times, pm = newest(folder / "pm_nodes/node_a_pm.csv.gz", {"P2": 10, "P1": 10})
    climate_times, climate = newest(
        folder / "pm_nodes/node_a_climate.csv.gz", {"temperature": 100, "humidity": 100, "pressure": 0.1}
    )
    start = AIR_FROM.replace(tzinfo=timezone.utc).timestamp()
    moments = [start + i * AIR_STEP_S for i in range(AIR_DAYS * 86400 // AIR_STEP_S)]
    write(
        "air",
        AIR_STEP_S,
        [pm[bisect_right(pm_times, t) - 1] + climate[bisect_right(climate_times, t) - 1] for t in moments],
    )


def cut_levels(folder: pathlib.Path) -> None:
    """LAeq of each second in 0.1 dB."""
    rows = rows_of(folder / "noise_laeq/laeq1s.csv.gz")[1:]
    first = [row[0] for row in rows].index(LEVELS_FROM)
    chosen = rows[first : first + LEVELS_HOURS * 3600]
    write("levels", 1, [[round((float(row[1]) - CALIBRATION_DB) * 10)] for row in chosen])


def cut_footfall(folder: pathlib.Path) -> None:
    """Persons an hour in four streets, from a Monday 0:00 on, local time."""
    head, *rows = rows_of(folder / "footfall_hourly/counts.csv.gz")
    columns = [head.index(street) for street in STREETS]
    hours = {}
    for row in rows:
        hour = int(row[1].split(":")[0])
        day = datetime.fromisoformat(row[0]) + timedelta(days=hour < 6)  # a counting day ends at 5:59
        hours[day + timedelta(hours=hour)] = [int(float(row[i])) for i in columns if row[i]]
    moments = [FOOTFALL_FROM + timedelta(hours=i) for i in range(FOOTFALL_WEEKS * 7 * 24)]
    write("footfall", 3600, [hours[moment] for moment in moments])


if __name__ == "__main__":
    for cut in (cut_air, cut_levels, cut_footfall):
        cut(pathlib.Path(sys.argv[1]))
