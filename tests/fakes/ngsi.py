"""A strict double of an NGSI-LD broker, written from ETSI GS CIM 009 (5.6.8 batch upsert, 4.5 representation)."""

import re
from typing import Any

from device_manager.twin.push.http import NoAnswer, Reply

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class FakeBroker:
    """The broker. `faults` are taken one a request: "500", "timeout", "partial" (207, the first entity refused)."""

    def __init__(self) -> None:
        self.entities: dict[str, dict[str, Any]] = {}
        self.faults: list[str] = []
        self.requests = 0

    def __call__(self, method: str, path: str, body: Any = None) -> Reply:
        assert (method, path) == ("POST", "ngsi-ld/v1/entityOperations/upsert?options=update")
        self.requests += 1
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "500":
            return Reply(500, {"title": "internal"})
        if fault == "timeout":
            raise NoAnswer("ReadTimeout")
        names = [entity["id"] for entity in body]
        assert len(set(names)) == len(names)
        refused, taken = (body[:1], body[1:]) if fault == "partial" else ([], body)
        made = [entity["id"] for entity in taken if entity["id"] not in self.entities]
        for entity in taken:
            _check(entity)
            self.entities.setdefault(entity["id"], {}).update(entity)
        if refused:
            errors = [{"entityId": e["id"], "error": {"title": "internal"}} for e in refused]
            return Reply(207, {"success": names[1:], "errors": errors})
        return Reply(201, made) if made else Reply(204, None)


def _check(entity: dict[str, Any]) -> None:
    assert re.fullmatch(rf"urn:ngsi-ld:{entity['type']}:[\w:-]+", entity["id"])
    assert all(isinstance(link, str) for link in entity["@context"])
    for name, value in entity.items():
        if name in ("id", "type", "@context"):
            continue
        assert value["type"] in ("Property", "GeoProperty"), name
        assert value["value"] is not None, name  # null would delete the attribute
        if "observedAt" in value:
            assert _TIME.fullmatch(value["observedAt"])
