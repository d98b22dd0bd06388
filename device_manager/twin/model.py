"""The kinds of entities of SensorThings 1.1: fields with their types, and relations (OGC 18-088, clause 8.2).

Names are taken leniently, because clients differ: `id` is `@iot.id`, a relation may be written in singular or plural,
and a path may begin with the name of the kind that it starts from (`Things?$filter=startswith(Things/name,'a')`).
"""

from dataclasses import dataclass
from typing import NamedTuple

ID, TEXT, TIME, INTERVAL, NUMBER, OPEN, GEOMETRY = "id", "text", "time", "interval", "number", "open", "geometry"
"""Types of fields; OPEN ones are JSON that a path may enter."""


class Relation(NamedTuple):
    """A way from one kind to another; `many` when it leads to a collection."""

    name: str
    kind: str
    many: bool


@dataclass(frozen=True, eq=False, slots=True)
class Kind:
    """A kind of entity: its singular name, that of its collection, its fields and its relations. There is one of each,
    so that two are the same only when they are one."""

    name: str
    collection: str
    fields: dict[str, str]
    relations: tuple[Relation, ...]

    def field(self, name: str) -> str | None:
        """Return the field's own name, None when there is none of that name."""
        if name in ("id", "@iot.id"):
            return "id"
        return name if name in self.fields else None

    def relation(self, name: str) -> Relation | None:
        """Return the relation of that name, in singular or plural; None when there is none."""
        wanted = BY_NAME.get(name)
        return next((r for r in self.relations if wanted and r.kind == wanted.name), None)


def _kind(name: str, collection: str, fields: dict[str, str], one: str = "", many: str = "") -> Kind:
    relations = [Relation(kind, kind, False) for kind in one.split()]
    relations += [Relation(_COLLECTIONS[kind], kind, True) for kind in many.split()]
    return Kind(name, collection, {"id": ID, **fields}, tuple(relations))


_COLLECTIONS = {
    "Thing": "Things",
    "Location": "Locations",
    "HistoricalLocation": "HistoricalLocations",
    "Datastream": "Datastreams",
    "Sensor": "Sensors",
    "ObservedProperty": "ObservedProperties",
    "Observation": "Observations",
    "FeatureOfInterest": "FeaturesOfInterest",
}
_NAMED = {"name": TEXT, "description": TEXT}
_PLACED = {**_NAMED, "encodingType": TEXT}

THING = _kind(
    "Thing", "Things", {**_NAMED, "properties": OPEN}, many="Location HistoricalLocation Datastream"
)  # fmt: skip
LOCATION = _kind(
    "Location",
    "Locations",
    {**_PLACED, "location": GEOMETRY, "properties": OPEN},
    many="Thing HistoricalLocation",
)
HISTORICAL_LOCATION = _kind("HistoricalLocation", "HistoricalLocations", {"time": TIME}, one="Thing", many="Location")
DATASTREAM = _kind(
    "Datastream",
    "Datastreams",
    {
        **_NAMED,
        "observationType": TEXT,
        "unitOfMeasurement": OPEN,
        "observedArea": GEOMETRY,
        "phenomenonTime": INTERVAL,
        "resultTime": INTERVAL,
        "properties": OPEN,
    },
    one="Thing Sensor ObservedProperty",
    many="Observation",
)
SENSOR = _kind("Sensor", "Sensors", {**_PLACED, "metadata": OPEN, "properties": OPEN}, many="Datastream")
OBSERVED_PROPERTY = _kind(
    "ObservedProperty",
    "ObservedProperties",
    {"name": TEXT, "definition": TEXT, "description": TEXT, "properties": OPEN},
    many="Datastream",
)
OBSERVATION = _kind(
    "Observation",
    "Observations",
    {
        "phenomenonTime": INTERVAL,
        "resultTime": TIME,
        "result": NUMBER,
        "resultQuality": OPEN,
        "parameters": OPEN,
    },
    one="Datastream FeatureOfInterest",
)
FEATURE_OF_INTEREST = _kind(
    "FeatureOfInterest", "FeaturesOfInterest", {**_PLACED, "feature": GEOMETRY, "properties": OPEN}, many="Observation"
)

KINDS = (THING, LOCATION, HISTORICAL_LOCATION, DATASTREAM, SENSOR, OBSERVED_PROPERTY, OBSERVATION, FEATURE_OF_INTEREST)
BY_COLLECTION = {kind.collection: kind for kind in KINDS}
BY_NAME = {name: kind for kind in KINDS for name in (kind.name, kind.collection)}
