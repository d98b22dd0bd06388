"""Observations as files that other programs read: CSV, JSON lines, Parquet.

The same ten columns everywhere: number, node, site, sensor, quantity, unit, start, end (UTC), value, quality. Missing
values are left out. `site` is empty where the node hung nowhere; `quality` names the flags, empty when nothing is known
against the value.

    number,node,site,sensor,quantity,unit,start,end,value,quality
    17,kempten-01,rathausplatz,air,pm2_5,ug/m3,2026-03-01T10:00:00Z,2026-03-01T10:01:00Z,8.3,
"""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from device_manager.series import flags
from device_manager.series.observations import Ints, Observations

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
    import pyarrow.parquet as pq  # heavy: only who asks for Parquet pays for it

    rows = 0
    with pq.ParquetWriter(out, _schema(), compression="zstd") as writer:
        for page in pages:
            writer.write_table(_arrow(_present(page), names))
            rows += int(np.count_nonzero(~np.isnan(page.value)))
    return rows


def _schema() -> Any:
    import pyarrow as pa

    text, time = pa.dictionary(pa.int32(), pa.string()), pa.timestamp("s", "UTC")
    kinds = (pa.int64(), text, text, text, text, text, time, time, pa.float64(), text)
    return pa.schema(list(zip(COLUMNS, kinds, strict=True)))


def _arrow(page: Observations, names: Names) -> Any:
    """Return a page as an Arrow table; texts are looked up once for each distinct number, not for each row."""
    import pyarrow as pa

    def texts(numbers: Ints, of: Callable[[int], str | None]) -> Any:
        distinct, at = np.unique(numbers, return_inverse=True)
        words = [of(number) for number in distinct.tolist()]
        unknown = np.array([word is None for word in words], dtype=bool)[at]
        return pa.DictionaryArray.from_arrays(pa.array(at, pa.int32(), mask=unknown), [word or "" for word in words])

    columns = (
        pa.array(page.number),
        texts(page.node_id, names.nodes.get),
        texts(page.site_id, names.sites.get),
        texts(page.channel, lambda channel: page.channels[channel].sensor),
        texts(page.channel, lambda channel: page.channels[channel].quantity),
        texts(page.channel, lambda channel: page.channels[channel].unit),
        pa.array(page.start_s),
        pa.array(page.end_s),
        pa.array(page.value),
        texts(page.flags, _flag_names),
    )
    return pa.table(columns, names=COLUMNS).cast(_schema())


def table(page: Observations, names: Names) -> dict[str, list[Any]]:
    """Return a page's present values as named columns of plain objects, times as ISO 8601 UTC."""
    page = _present(page)
    channels = [page.channels[channel] for channel in page.channel.tolist()]
    return {
        "number": page.number.tolist(),
        "node": [names.nodes.get(node) for node in page.node_id.tolist()],
        "site": [names.sites.get(site) for site in page.site_id.tolist()],
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
    texts = {bits: _flag_names(bits) for bits in set(flags.tolist())}
    return [texts[bits] for bits in flags.tolist()]


def _flag_names(bits: int) -> str:
    return ", ".join(flags.names(bits))
