"""Observations as files that other programs read: CSV, JSON lines, Parquet.

The same ten columns everywhere: number, node, site, sensor, quantity, unit, start, end (UTC), value, quality. Missing
values are left out. `site` is empty where the node hung nowhere; `quality` names the flags, empty when nothing is known
against the value.

    number,node,site,sensor,quantity,unit,start,end,value,quality
    17,kempten-01,rathausplatz,air,pm2_5,ug/m3,2026-03-01T10:00:00Z,2026-03-01T10:01:00Z,8.3,
"""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from device_manager.series.observations import Ints, Observations
from firmware.wire import quality

FORMATS = ("csv", "jsonl", "parquet")
COLUMNS = ("number", "node", "site", "sensor", "quantity", "unit", "start", "end", "value", "quality")


@dataclass(frozen=True, slots=True)
class Names:
    """Names of the store's numbers."""

    nodes: Mapping[int, str]
    sites: Mapping[int, str]


def write_csv(pages: Iterable[Observations], names: Names, out: IO[str]) -> int:
    """Write CSV (RFC 4180, header first) and return the number of rows."""
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    rows = 0
    for page in pages:
        columns = table(page, names)
        writer.writerows(zip(*columns.values(), strict=True))
        rows += len(columns["number"])
    return rows


def write_jsonl(pages: Iterable[Observations], names: Names, out: IO[str]) -> int:
    """Write one JSON object a line and return the number of lines."""
    rows = 0
    for page in pages:
        for row in zip(*table(page, names).values(), strict=True):
            out.write(json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False) + "\n")
            rows += 1
    return rows


def write_parquet(pages: Iterable[Observations], names: Names, out: IO[bytes]) -> int:
    """Write Parquet (start and end as UTC timestamps, texts as dictionaries) and return the number of rows."""
    import pyarrow as pa  # heavy: only who asks for Parquet pays for it
    import pyarrow.parquet

    text = pa.dictionary(pa.int32(), pa.string())
    kinds: dict[str, Any] = dict.fromkeys(COLUMNS, text)
    kinds.update(number=pa.int64(), value=pa.float64(), start=pa.timestamp("s", "UTC"), end=pa.timestamp("s", "UTC"))
    schema = pa.schema(list(kinds.items()))
    rows = 0
    with pyarrow.parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        for page in pages:
            page = _present(page)
            columns = {**table(page, names), "start": page.start_s, "end": page.end_s}
            writer.write_table(pa.table([pa.array(columns[name], kinds[name]) for name in COLUMNS], schema=schema))
            rows += len(page)
    return rows


def table(page: Observations, names: Names) -> dict[str, list[Any]]:
    """Return a page's present values as named columns of plain objects, times as ISO 8601 UTC."""
    page = _present(page)
    channels = [page.channels[channel] for channel in page.channel.tolist()]
    return {
        "number": page.number.tolist(),
        "node": [names.nodes.get(node, "") for node in page.node_id.tolist()],
        "site": [names.sites.get(site, "") for site in page.site_id.tolist()],
        "sensor": [channel.sensor for channel in channels],
        "quantity": [channel.quantity for channel in channels],
        "unit": [channel.unit for channel in channels],
        "start": _iso(page.start_s),
        "end": _iso(page.end_s),
        "value": page.value.tolist(),
        "quality": _named_flags(page.flags),
    }


def _present(page: Observations) -> Observations:
    return page.where(~np.isnan(page.value))


def _iso(time_s: Ints) -> list[str]:
    texts: list[str] = np.datetime_as_string(time_s.astype("datetime64[s]"), timezone="UTC").tolist()
    return texts


def _named_flags(flags: Ints) -> list[str]:
    texts = {bits: ", ".join(quality.names(bits)) for bits in set(flags.tolist())}
    return [texts[bits] for bits in flags.tolist()]
