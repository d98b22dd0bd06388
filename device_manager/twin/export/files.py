"""Files of observations: Parquet in a folder a day (UTC), zstd; CSV.

    DIR/day=2026-02-01/observations.parquet        # DuckDB: read_parquet('DIR/*/*.parquet', hive_partitioning=true)

Each file appears when it is complete, so that an export that was stopped is run again and nobody reads half a day.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from device_manager.twin.catalogue import Catalogue, Stream
from device_manager.twin.export.table import table
from device_manager.twin.observations import Rows, by_time
from device_manager.twin.sources import Observed
from device_manager.twin.times import iso

DAY_S = 86_400
_DROPPED = ("geometry",)


class Wanted(NamedTuple):
    """What is exported: the observations of `streams` that begin in [since_s, until_s)."""

    streams: Sequence[Stream]
    since_s: int
    until_s: int


def days(catalogue: Catalogue, observed: Observed, wanted: Wanted) -> Iterator[tuple[str, Rows]]:
    """Yield (date, observations) for each day in UTC that has any, by time."""
    low = wanted.since_s
    while low < wanted.until_s:
        high = min((low // DAY_S + 1) * DAY_S, wanted.until_s)
        rows = by_time(observed.rows(catalogue, wanted.streams, low, high))
        if len(rows):
            yield datetime.fromtimestamp(low, UTC).date().isoformat(), rows
        low = high


def write_parquet(
    directory: Path, catalogue: Catalogue, observed: Observed, wanted: Wanted, terms: Mapping[str, str]
) -> int:
    """Write a folder a day; return the number of rows."""
    count = 0
    for day, rows in days(catalogue, observed, wanted):
        folder = directory / f"day={day}"
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / ".observations.parquet.part"
        pq.write_table(table(catalogue, rows, terms), part, compression="zstd")
        part.replace(folder / "observations.parquet")
        count += len(rows)
    return count


def csv_text(catalogue: Catalogue, observed: Observed, wanted: Wanted) -> Iterator[str]:
    """Yield CSV (RFC 4180), the header first, then a piece a day; missing values are empty."""
    header = False
    for _, rows in days(catalogue, observed, wanted):
        columns = table(catalogue, rows, {}).drop_columns(list(_DROPPED)).to_pydict()
        columns["start"], columns["end"] = (
            [iso(t) for t in rows.start_s.tolist()],
            [iso(t) for t in rows.end_s.tolist()],
        )
        out = StringIO()
        writer = csv.writer(out)
        if not header:
            writer.writerow(columns)
            header = True
        writer.writerows(zip(*columns.values(), strict=True))
        yield out.getvalue()
