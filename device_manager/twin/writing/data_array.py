"""`$resultFormat=dataArray` (OGC 18-088, clause 12.2): observations as rows by Datastream."""

from typing import Any

import numpy as np

from device_manager.twin.model import DATASTREAM, OBSERVATION
from device_manager.twin.observations import Rows
from device_manager.twin.writing.entities import entity_url, fields


def groups(base: str, rows: Rows, select: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the observations by Datastream, each group once, in the order in which Datastreams first occur."""
    names = [name for name in OBSERVATION.fields if not select or name in select]
    ordered, cuts = _by_stream(rows)
    columns = fields(ordered, names)
    table = list(zip(*columns.values(), strict=True)) if names else [()] * len(rows)
    streams = ordered.stream[cuts[:-1]].tolist()
    return [
        {
            "Datastream@iot.navigationLink": entity_url(base, DATASTREAM, stream_id),
            "components": names,
            "dataArray@iot.count": high - low,
            "dataArray": table[low:high],
        }
        for stream_id, low, high in zip(streams, cuts, cuts[1:], strict=False)
    ]


def _by_stream(rows: Rows) -> tuple[Rows, list[int]]:
    """Return the rows Datastream after Datastream, and where each begins; the end goes last."""
    if not len(rows):
        return rows, [0]
    _, first, at = np.unique(rows.stream, return_index=True, return_inverse=True)
    place = np.argsort(np.argsort(first))[at]  # how many Datastreams occur before this row's first does
    order = np.argsort(place, kind="stable")
    return rows.where(order), [0, *np.cumsum(np.bincount(place)).tolist()]
