"""`$resultFormat=GeoJSON` (RFC 7946): a feature an entity, where the entity has a place."""

from collections.abc import Iterable
from typing import Any

PLACE = {
    "Location": "location",
    "FeatureOfInterest": "feature",
    "Datastream": "observedArea",
    "Thing": "",
    "Observation": "",
}


def collection(kind: str, items: Iterable[dict[str, Any]], places: Iterable[Any]) -> dict[str, Any]:
    """Return entities of a kind as features; `places` are the geometries of those that have none of their own."""
    field = PLACE[kind]
    features = []
    for item, place in zip(items, places, strict=True):
        properties = {name: value for name, value in item.items() if name != field}
        features.append({"type": "Feature", "id": item.get("@iot.id"), "geometry": place, "properties": properties})
    return {"type": "FeatureCollection", "features": features}
