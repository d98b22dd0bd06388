"""`$resultFormat=dataArray` (OGC 18-088, clause 12.2): observations as rows by Datastream."""

from typing import Any

import numpy as np

from device_manager.twin.model import DATASTREAM, OBSERVATION
from device_manager.twin.observations import Rows
from device_manager.twin.writing.entities import entity_url, fields


def groups(base: str, rows: Rows, select: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the observations by Datastream, each group once, in the order in which Datastreams first occur."""
    names = [name for name in OBSERVATION.fields if not select or name in select]
    columns = fields(rows, names)
    table = list(zip(*columns.values(), strict=True)) if names else [()] * len(rows)
    found = []
    for stream_id, at in _by_stream(rows):
        picked = table if len(at) == len(table) else [table[i] for i in at]
        found.append(
            {
                "Datastream@iot.navigationLink": entity_url(base, DATASTREAM, stream_id),
                "components": names,
                "dataArray@iot.count": len(picked),
                "dataArray": picked,
            }
        )
    return found


def _by_stream(rows: Rows) -> list[tuple[int, list[int]]]:
    if not len(rows):
        return []
    streams, first, at = np.unique(rows.stream, return_index=True, return_inverse=True)
    order = np.argsort(at, kind="stable")
    cuts = np.split(order, np.cumsum(np.bincount(at))[:-1])
    return [(int(streams[i]), cuts[i].tolist()) for i in np.argsort(first).tolist()]
