"""Corrected readings and roll-ups as files that other programs read: CSV, JSON lines, Parquet.

Columns as in `charting`: COLUMNS for corrected readings, ROLLED for roll-ups. One site and quantity after the other, so
that a long time needs little memory.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from device_manager.charting import Charting, objects
from device_manager.registry import Registry
from firmware.wire.quantities import QUANTITIES

Rows = Iterable[list[dict[str, Any]]]


def rows(
    charting: Charting,
    registry: Registry,
    site: str | None,
    quantity: str | None,
    grain: str,
    since_s: int,
    until_s: int,
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of each channel; None for all sites or quantities."""
    for name in [site] if site else [found.name for found in registry.sites()]:
        for wanted in [quantity] if quantity else list(QUANTITIES):
            for series in charting.series(name, wanted, grain, since_s, until_s):
                yield list(objects(name, series))


def write(found: Rows, form: str, out: IO[Any]) -> int:
    """Write rows as csv, jsonl (text) or parquet (bytes); return how many."""
    writers: dict[str, Callable[[Rows, IO[Any]], int]] = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}
    return writers[form](found, out)


def write_file(found: Rows, form: str, path: Path) -> int:
    """Write a file that appears when it is complete; return the number of rows."""
    temporary = path.with_name(path.name + ".part")
    try:
        with temporary.open("wb") if form == "parquet" else temporary.open("w", encoding="utf-8", newline="") as out:
            count = write(found, form, out)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _csv(found: Rows, out: IO[str]) -> int:
    writer, count = None, 0
    for part in found:
        if part and writer is None:
            writer = csv.DictWriter(out, list(part[0]))
            writer.writeheader()
        if writer:
            writer.writerows(part)
        count += len(part)
    return count


def _jsonl(found: Rows, out: IO[str]) -> int:
    count = 0
    for part in found:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in part)
        count += len(part)
    return count


def _parquet(found: Rows, out: IO[bytes]) -> int:
    import pyarrow as pa  # heavy: only who asks for Parquet pays for it
    import pyarrow.parquet as pq

    writer, count = None, 0
    for part in found:
        if not part:
            continue
        kinds = [(name, _kind(pa, name)) for name in part[0]]
        times = ({**row, "start": _when(row["start"]), "end": _when(row["end"])} for row in part)
        table = pa.Table.from_pylist(list(times), pa.schema(kinds))
        writer = writer or pq.ParquetWriter(out, table.schema, compression="zstd")
        writer.write_table(table)
        count += len(part)
    if writer is None:
        writer = pq.ParquetWriter(out, pa.schema([]))
    writer.close()
    return count


def _kind(pa: Any, name: str) -> Any:
    if name in ("number", "calibration"):
        return pa.int64()
    if name in ("start", "end"):
        return pa.timestamp("s", "UTC")
    return pa.float64() if name in ("value", "low", "high", "coverage") else pa.string()


def _when(text: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(text)
