"""The newest values to an NGSI-LD broker by batch upsert (ETSI GS CIM 009, 6.15), as Smart Data Models.

One entity a site and model, changed in place: AirQualityObserved, NoiseLevelObserved, CrowdFlowObserved; and a Device a
node. An upsert may be sent again without harm, so the cursor moves when the broker has taken all entities, and what
comes late does not become the present: only the newest value of each Datastream is sent, whatever was new.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from device_manager.twin.catalogue import Catalogue
from device_manager.twin.mirror import Cursors
from device_manager.twin.observations import Rows
from device_manager.twin.push.http import Exchange, NoAnswer, PushError, Reply, failed
from device_manager.twin.sources import Newests, Observed
from device_manager.twin.times import iso

AGGREGATE = "15min"
BATCH = 200
MOST_NUMBERS = 50_000
CONTEXT = [
    "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld",
    "https://raw.githubusercontent.com/smart-data-models/dataModel.Environment/master/context.jsonld",
]
_UPSERT = "ngsi-ld/v1/entityOperations/upsert?options=update"


class Attribute(NamedTuple):
    """How a quantity is called in a model; `unit` is the UN/CEFACT code, `factor` what our value is multiplied by."""

    model: str
    name: str
    unit: str
    factor: float = 1.0


ATTRIBUTES = {
    "pm1": Attribute("AirQualityObserved", "pm1", "GQ"),
    "pm2_5": Attribute("AirQualityObserved", "pm25", "GQ"),
    "pm10": Attribute("AirQualityObserved", "pm10", "GQ"),
    "co2": Attribute("AirQualityObserved", "co2", "59"),
    "temperature": Attribute("AirQualityObserved", "temperature", "CEL"),
    "relative_humidity": Attribute("AirQualityObserved", "relativeHumidity", "C62", 0.01),  # 0 to 1 in the model
    "laeq": Attribute("NoiseLevelObserved", "LAeq", "2N"),
    "lafmax": Attribute("NoiseLevelObserved", "LAmax", "2N"),
    "footfall_in": Attribute("CrowdFlowObserved", "peopleCountTowards", "C62"),
    "footfall_out": Attribute("CrowdFlowObserved", "peopleCountAway", "C62"),
}


class Ngsi:
    """Pushes to one broker; `name` is its cursor's name."""

    def __init__(self, exchange: Exchange, cursors: Cursors, name: str) -> None:
        self._exchange = exchange
        self._cursors = cursors
        self._name = name

    def step(self, catalogue: Catalogue, observed: Observed, newests: Newests) -> bool:
        """Push what has a new value; True when there is more. PushError when the broker did not take all."""
        done, last = self._cursors.get(self._name) or 0, observed.last_number()
        if last <= done:
            return False
        high = min(done + MOST_NUMBERS, last)
        touched = np.unique(observed.between(catalogue, done + 1, high).stream).tolist()
        made = entities(catalogue, newests.latest(_beside(catalogue, touched)))
        for first in range(0, len(made), BATCH):
            self._upsert(made[first : first + BATCH])
        self._cursors.put(self._name, high)
        return high < last

    def _upsert(self, some: Sequence[dict[str, Any]]) -> None:
        try:
            reply = self._exchange("POST", _UPSERT, list(some))
        except NoAnswer as error:
            todo = "push again: the same values may be sent twice"
            raise PushError(expected="an answer", got=str(error), todo=todo) from error
        _check(reply, {str(entity["id"]) for entity in some})


def _check(reply: Reply, sent: set[str]) -> None:
    """201 names what was made (the rest was updated), 204 says that all was updated, 207 names what failed."""
    if reply.status == 207 and isinstance(reply.body, dict):
        wrong = reply.body.get("errors") or sorted(sent - set(reply.body.get("success", [])))
        if not wrong:
            return
        raise PushError(expected=f"the broker to take {len(sent)} entities", got=f"{len(wrong)} refused: {wrong[0]}",
                        todo="read its log; the next push sends them again")  # fmt: skip
    if reply.status not in (201, 204):
        raise failed(f"{len(sent)} entities", reply)


def _beside(catalogue: Catalogue, stream_ids: Iterable[int]) -> list[int]:
    """Return all Datastreams that go into the entities of these: an entity is sent whole."""
    sites = {catalogue.streams[i].site_id for i in stream_ids if catalogue.streams[i].aggregate == AGGREGATE}
    return [i for i, s in catalogue.streams.items()
            if s.site_id in sites and s.aggregate == AGGREGATE and s.quantity in ATTRIBUTES]  # fmt: skip


def entities(catalogue: Catalogue, latest: Rows) -> list[dict[str, Any]]:
    """Return the entities that newest observations make; a missing value leaves its attribute out."""
    made: dict[str, dict[str, Any]] = {}
    present = np.flatnonzero(~np.isnan(latest.value)).tolist()
    for at in present:
        stream = catalogue.streams[int(latest.stream[at])]
        attribute = ATTRIBUTES[stream.quantity]
        site = catalogue.entities["Thing"][stream.site_id]["properties"]["site"]
        entity = made.setdefault(f"{attribute.model}:{site}", _entity(catalogue, attribute.model, stream.site_id, site))
        start, end = iso(int(latest.start_s[at])), iso(int(latest.end_s[at]))
        value = round(float(latest.value[at]) * attribute.factor, 6)
        entity[attribute.name] = _property(value, attribute.unit, end)
        _observed(entity, start, end)
        node = latest.makings[int(latest.made[at])].node
        device = made.setdefault(f"Device:{node}", _entity(catalogue, "Device", stream.site_id, node))
        device["controlledProperty"] = _property(
            sorted({*device.get("controlledProperty", {}).get("value", ()), stream.quantity})
        )
        device["dateLastValueReported"] = _property(_date(end))
    for entity in made.values():
        _total(entity)
    return list(made.values())


def _entity(catalogue: Catalogue, model: str, site_id: int, name: str) -> dict[str, Any]:
    place = catalogue.related("Thing", site_id, "Location")[-1:]
    entity: dict[str, Any] = {"id": f"urn:ngsi-ld:{model}:citynode:{name}", "type": model, "@context": CONTEXT}
    if place:
        entity["location"] = {"type": "GeoProperty", "value": catalogue.entities["Location"][place[0]]["location"]}
    return entity


def _property(value: object, unit: str = "", observed_at: str = "") -> dict[str, Any]:
    said: dict[str, Any] = {"type": "Property", "value": value}
    return {**said, **({"unitCode": unit} if unit else {}), **({"observedAt": observed_at} if observed_at else {})}


def _date(time: str) -> dict[str, str]:
    return {"@type": "DateTime", "@value": time}


def _observed(entity: dict[str, Any], start: str, end: str) -> None:
    """Say over what time the values are; the model of air quality has an interval, the others its two ends."""
    if entity["type"] == "AirQualityObserved":
        entity["dateObserved"] = _property(f"{start}/{end}")
        return
    entity["dateObservedFrom"], entity["dateObservedTo"] = _property(_date(start)), _property(_date(end))


def _total(entity: dict[str, Any]) -> None:
    """Add the sum of both directions, when both are of the same time."""
    towards, away = entity.get("peopleCountTowards"), entity.get("peopleCountAway")
    if towards and away and towards["observedAt"] == away["observedAt"]:
        entity["peopleCount"] = _property(towards["value"] + away["value"], "C62", towards["observedAt"])
