"""Entities and observations as they stand in JSON, with their links."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from device_manager.twin.evaluation.columns import Table, parameters, quality
from device_manager.twin.model import OBSERVATION, Kind
from device_manager.twin.observations import Rows, distinct
from device_manager.twin.query.check import SELF_LINK
from device_manager.twin.times import many_intervals, many_iso

Entity = dict[str, Any]
Ints = npt.NDArray[np.int64]


def entity_url(base: str, kind: Kind, entity_id: int) -> str:
    """Return the address of an entity."""
    return f"{base}/{kind.collection}({entity_id})"


def entity(base: str, kind: Kind, entity_id: int, fields: Entity, select: Sequence[str]) -> Entity:
    """Return an entity with its links; `select` () means everything."""
    url = entity_url(base, kind, entity_id)
    if not select:
        links = {f"{r.name}@iot.navigationLink": f"{url}/{r.name}" for r in kind.relations}
        return {"@iot.id": entity_id, SELF_LINK: url, **fields, **links}
    found: Entity = {}
    for name in select:
        if name == "id":
            found["@iot.id"] = entity_id
        elif name == SELF_LINK:
            found[SELF_LINK] = url
        elif name in kind.fields:
            found[name] = fields.get(name)
        else:
            found[f"{name}@iot.navigationLink"] = f"{url}/{name}"
    return found


def observations(base: str, of: Table, select: Sequence[str]) -> list[Entity]:
    """Return many observations, each as `entity` does."""
    columns = fields(of.rows, [name for name in OBSERVATION.fields if not select or name in select])
    names = [name for name in columns if name != "id"]
    numbers = of.rows.number.tolist()
    picked = zip(*(columns[name] for name in names), strict=True) if names else iter([()] * len(numbers))
    if select:
        return [entity(base, OBSERVATION, n, dict(zip(names, row, strict=True)), select)
                for n, row in zip(numbers, picked, strict=True)]  # fmt: skip
    prefix = f"{base}/Observations("
    return [
        {
            "@iot.id": number,
            SELF_LINK: (url := f"{prefix}{number})"),
            **dict(zip(names, row, strict=True)),
            "Datastream@iot.navigationLink": url + "/Datastream",
            "FeatureOfInterest@iot.navigationLink": url + "/FeatureOfInterest",
        }
        for number, row in zip(numbers, picked, strict=True)
    ]


def fields(rows: Rows, names: Sequence[str]) -> dict[str, list[Any]]:
    """Return the fields of observations as columns, ready for JSON; what many share is written once."""
    makers: dict[str, Callable[[], list[Any]]] = {
        "id": lambda: rows.number.tolist(),
        "phenomenonTime": lambda: many_intervals(rows.start_s, rows.end_s),
        "resultTime": lambda: many_iso(rows.end_s),
        "result": lambda: _results(rows),
        "resultQuality": lambda: _shared((rows.flags,), _quality),
        "parameters": lambda: _shared((rows.flags, rows.replaces, rows.made), _parameters(rows)),
    }
    return {name: makers[name]() for name in names}


def _shared(keys: tuple[Ints, ...], write: Callable[..., Any]) -> list[Any]:
    """Return what `write` makes of the keys of each row, made once for each combination that occurs."""
    kinds, at = distinct(np.stack(keys))
    written = np.empty(kinds.shape[1], dtype=object)
    written[:] = [write(*some) for some in kinds.T.tolist()]
    found: list[Any] = written[at].tolist()
    return found


def _results(rows: Rows) -> list[float | None]:
    found: list[float | None] = rows.value.tolist()
    for at in np.flatnonzero(np.isnan(rows.value)).tolist():
        found[at] = None
    return found


def _quality(flags: int) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(quality(flags)))


def _parameters(rows: Rows) -> Callable[[int, int, int], orjson.Fragment]:
    def written(flags: int, replaces: int, made: int) -> orjson.Fragment:
        return orjson.Fragment(orjson.dumps(parameters(flags, replaces, rows.makings[made])))

    return written
