"""Health over time: one small block a node and day, columns of differences, compressed. Pure.

>>> block = packed(Day([(60, {"rssi_dbm": -61.0}), (960, {"rssi_dbm": -62.0, "backlog_records": 3.0})]))
>>> unpacked(block).samples[1]
(960, {'backlog_records': 3.0, 'rssi_dbm': -62.0})
"""

import json
import zlib
from collections.abc import Sequence
from typing import NamedTuple

DAY_S = 86_400
EVERY_S = 900
KEPT = (
    *("silent_s", "backlog_records", "lost_records", "gap_records", "rejected_messages", "crashes", "power_cuts"),
    *("heap_floor_bytes", "clock_error_s", "rssi_dbm", "supply_mv", "chip_temperature_c", "certificate_days"),
    *("sensor_faults", "release", "configuration", "online"),
)
"""What is kept, by the names of `facts.FACTS`, and `online` 0 or 1, release number, configuration revision."""

Sample = tuple[int, dict[str, float]]


class Day(NamedTuple):
    """Samples (Unix s, {fact: whole number}) of one node in order of time."""

    samples: list[Sample]


def packed(day: Day) -> bytes:
    """Return a day as bytes; values are rounded to whole numbers, which all of KEPT are but clock and certificate."""
    times = [at for at, _ in day.samples]
    columns = {
        name: _differences([None if (found := values.get(name)) is None else round(found) for _, values in day.samples])
        for name in KEPT
        if any(name in values for _, values in day.samples)
    }
    document = {"t": _differences(list(times)), "c": columns}
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 9)


def unpacked(block: bytes) -> Day:
    """Return what `packed` wrote."""
    document = json.loads(zlib.decompress(block))
    times = _sums(document["t"])
    columns = {name: _sums(column) for name, column in document["c"].items()}
    rows: list[Sample] = []
    for row, at in enumerate(times):
        values = {name: float(found) for name in sorted(columns) if (found := columns[name][row]) is not None}
        rows.append((int(at or 0), values))
    return Day(rows)


def _differences(values: Sequence[int | None]) -> list[int | None]:
    last, found = 0, []
    for value in values:
        found.append(None if value is None else value - last)
        last = last if value is None else value
    return found


def _sums(differences: Sequence[int | None]) -> list[int | None]:
    total, found = 0, []
    for difference in differences:
        total += difference or 0
        found.append(None if difference is None else total)
    return found
