"""Observations as an Arrow table that DuckDB, pandas and GeoPandas read.

The geometry is WKB, with the metadata that GeoParquet 1.1 asks for: longitude, latitude, height above ground in WGS 84
(OGC:CRS84, which is what GeoParquet means when no CRS is named).
"""

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from device_manager.series.flags import UNUSABLE, names
from device_manager.twin.catalogue import Catalogue
from device_manager.twin.observations import Rows

_POINT_Z = 1001  # ISO WKB, OGC 06-103r4, 8.2.3
_GEO = {
    "version": "1.1.0",
    "primary_column": "geometry",
    "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Point Z"]}},
}


def schema(terms: Mapping[str, str]) -> pa.Schema:
    """Return the columns; `terms` (licence and the like) go into the file's metadata."""
    word, time = pa.dictionary(pa.int32(), pa.string()), pa.timestamp("s", "UTC")
    kinds = [
        ("number", pa.int64()),
        ("datastream", pa.int64()),
        ("site", word),
        ("quantity", word),
        ("unit", word),
        ("aggregate", word),
        ("start", time),
        ("end", time),
        ("value", pa.float64()),
        ("usable", pa.bool_()),
        ("quality", word),
        ("node", word),
        ("sensor", word),
        ("geometry", pa.binary()),
    ]
    return pa.schema(kinds, {"geo": json.dumps(_GEO), **terms})


def table(catalogue: Catalogue, rows: Rows, terms: Mapping[str, str]) -> pa.Table:
    """Return rows as a table; what many share is looked up once."""
    streams, stream_at = np.unique(rows.stream, return_inverse=True)
    flags, flag_at = np.unique(rows.flags, return_inverse=True)
    sites = np.array([catalogue.streams[i].site_id for i in streams.tolist()], dtype=np.int64)
    places, place_at = np.unique(catalogue.features(sites[stream_at], rows.start_s), return_inverse=True)

    def of_stream(say: Callable[[int], str]) -> Any:
        return _words([say(i) for i in streams.tolist()], stream_at)

    columns = [
        pa.array(rows.number),
        pa.array(rows.stream),
        of_stream(lambda i: str(catalogue.entities["Thing"][catalogue.streams[i].site_id]["properties"]["site"])),
        of_stream(lambda i: catalogue.streams[i].quantity),
        of_stream(lambda i: str(catalogue.entities["Datastream"][i]["unitOfMeasurement"]["symbol"])),
        of_stream(lambda i: catalogue.streams[i].aggregate),
        pa.array(rows.start_s, pa.timestamp("s", "UTC")),
        pa.array(rows.end_s, pa.timestamp("s", "UTC")),
        pa.array(rows.value, mask=np.isnan(rows.value)),
        pa.array(rows.flags & UNUSABLE == 0),
        _words([",".join(names(flag)) for flag in flags.tolist()], flag_at),
        _words([making.node for making in rows.makings], rows.made),
        _words([making.sensor for making in rows.makings], rows.made),
        _points(catalogue, places.tolist(), place_at),
    ]
    return pa.Table.from_arrays(columns, schema=schema(terms))


def _words(words: list[str], at: Any) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array(at, pa.int32()), pa.array(words, pa.string()))


def _points(catalogue: Catalogue, places: list[int], at: Any) -> Any:
    features = catalogue.entities["FeatureOfInterest"]
    written = [struct.pack("<BI3d", 1, _POINT_Z, *features[i]["feature"]["coordinates"]) for i in places]
    return pa.array(written, pa.binary()).take(pa.array(at))
