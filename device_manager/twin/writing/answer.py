"""Answers as status, media type and bytes."""

from typing import Any, NamedTuple

import orjson

from device_manager.twin.evaluation.answering import Answering, Listing
from device_manager.twin.query.options import Query
from device_manager.twin.query.syntax import QueryError, Unsupported
from device_manager.twin.writing import csv_text, data_array, geojson

JSON = "application/json"


class Answer(NamedTuple):
    """What goes out."""

    status: int
    media_type: str
    body: bytes


def error(wrong: QueryError) -> Answer:
    """Return the answer to a request that is wrong; `position` counts from 0 within the text of `option`."""
    said: dict[str, Any] = {"code": wrong.status, "type": "error", "message": f"{wrong.word}: {wrong.message}"}
    if wrong.option:
        said["option"] = wrong.option
    if wrong.position is not None:
        said["position"] = wrong.position
    return Answer(wrong.status, JSON, orjson.dumps(said))


def one(entity: dict[str, Any], field: str) -> Answer:
    """Return an entity, or one property of it."""
    return Answer(200, JSON, orjson.dumps({field: entity.get(field)} if field else entity))


def listing(found: Listing, query: Query, answering: Answering, base: str) -> Answer:
    """Return a page in the form that was asked for."""
    if query.form == "CSV":
        return Answer(200, "text/csv; charset=utf-8", csv_text.written(found.items))
    if query.form == "GeoJSON":
        return _geojson(found, query, answering)
    value: Any = found.items
    if query.form == "dataArray" and found.rows is not None:
        value = data_array.groups(base, found.rows, query.select)
    said: dict[str, Any] = {}
    if found.total is not None:
        said["@iot.count"] = found.total
    if found.next is not None:
        said["@iot.nextLink"] = found.next
    return Answer(200, JSON, orjson.dumps({**said, "value": value}))


def _geojson(found: Listing, query: Query, answering: Answering) -> Answer:
    kind = query.kind.name
    if kind not in geojson.PLACE:
        raise Unsupported(f"GeoJSON of {query.kind.collection}, which have no place, is not supported")
    places = answering.places(found, query.kind)
    body = geojson.collection(kind, found.items, places)
    if found.next is not None:
        body["@iot.nextLink"] = found.next
    return Answer(200, "application/geo+json", orjson.dumps(body))
