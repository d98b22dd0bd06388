"""Cut the data of this folder out of the sources that SOURCE.txt names.

    python3 -m tests.data.real_faults.cut DIRECTORY_WITH_THE_SOURCES

Every file is text of one line a column: name, denominator, then the first value and the differences of the scaled
integers; `x` is a missing value. Nothing is rounded beyond the digits of the source, but the levels (0.01 dB).
"""

from __future__ import annotations

import csv
import gzip
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

HERE = Path(__file__).parent
CENTI, WHOLE = 100, 1
Columns = dict[str, tuple[int, list[float | None]]]


def main(source: Path) -> None:
    """Write every file of this folder from the directory of sources."""
    for node in "abcd":
        for kind in ("pm", "climate"):
            _write(f"node_{node}_{kind}", _air(source / "pm_nodes" / f"node_{node}_{kind}.csv.gz"))
    _write("laeq_1min", _levels(source / "noise_laeq" / "laeq1m.csv.gz"))
    _write("footfall_hourly", _people(source / "footfall_hourly" / "counts.csv.gz"))
    for session in sorted((source / "co2_indoor").glob("session_?_*.csv")):
        _write(f"co2_{session.name[8].lower()}", _indoor(session))


def _write(name: str, columns: Columns) -> None:
    lines = [f"{title} {scale} {_differences(values, scale)}" for title, (scale, values) in columns.items()]
    (HERE / f"{name}.gz").write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), 9, mtime=0))


def _differences(values: list[float | None], scale: int) -> str:
    last, words = 0, []
    for value in values:
        if value is None:
            words.append("x")
            continue
        scaled = round(value * scale)
        words.append(str(scaled - last))
        last = scaled
    return " ".join(words)


def _rows(path: Path) -> list[list[str]]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    return list(csv.reader(text.splitlines()))


def _number(word: str) -> float | None:
    return float(word) if word and word != "nan" else None


AIR = {
    "P1": "pm10",
    "P2": "pm2_5",
    "temperature": "temperature",
    "humidity": "relative_humidity",
    "pressure": "pressure_pa",
}


def _air(path: Path) -> Columns:
    head, *rows = _rows(path)
    times: list[float | None] = [datetime.fromisoformat(row[0]).replace(tzinfo=UTC).timestamp() for row in rows]
    names = {AIR[title]: at for at, title in enumerate(head) if title in AIR}
    return {"start_s": (WHOLE, times)} | {name: (CENTI, [_number(r[at]) for r in rows]) for name, at in names.items()}


def _levels(path: Path) -> Columns:
    """Local times are stamped at the middle of the minute; the place's zone is kept as a fixed -4 h (EDT)."""
    _, *rows = _rows(path)
    local = [datetime.fromisoformat(row[0]) - timedelta(seconds=30) for row in rows]
    times: list[float | None] = [when.replace(tzinfo=ZoneInfo("America/Toronto")).timestamp() for when in local]
    return {"start_s": (WHOLE, times), "laeq": (CENTI, [_number(row[1]) for row in rows])}


def _people(path: Path) -> Columns:
    """A counting day begins at 6:00; of two rows of one hour (clocks change) the first is kept."""
    head, *rows = _rows(path)
    by_time: dict[float, list[float | None]] = {}
    for row in rows:
        by_time.setdefault(_hour(row[0], int(row[1].split(":")[0])), [_number(word) for word in row[2:]])
    times = sorted(by_time)
    columns: Columns = {"start_s": (WHOLE, [*times])}
    for at, title in enumerate(head[2:]):
        columns[title.split(" (")[0].replace(" ", "_")] = (WHOLE, [by_time[when][at] for when in times])
    return columns


def _hour(counting_day: str, hour: int) -> float:
    day = date.fromisoformat(counting_day) + timedelta(days=hour < 6)
    return datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo("Pacific/Auckland")).timestamp()


def _indoor(path: Path) -> Columns:
    rows = _rows(path)
    first = next(at for at, row in enumerate(rows) if row and row[0] == "Timestamp") + 1
    times: list[float | None] = [float(row[0]) // 1000 for row in rows[first:]]
    names = {"temperature": 3, "relative_humidity": 4, "co2": 5}
    columns: Columns = {name: (CENTI, [_number(row[at]) for row in rows[first:]]) for name, at in names.items()}
    return {"start_s": (WHOLE, times)} | columns


if __name__ == "__main__":
    main(Path(sys.argv[1]))
