"""A strict double of a FROST server, written from OGC 18-088: it makes what is right, refuses what is not, and fails on
demand. It knows nothing of what pushes to it."""

import re
from typing import Any

from device_manager.twin.push.http import NoAnswer, Reply

BASE = "http://frost.example/v1.1"
REQUIRED = {
    "Things": {"name", "description"},
    "Sensors": {"name", "description", "encodingType", "metadata"},
    "ObservedProperties": {"name", "definition", "description"},
    "Datastreams": {"name", "description", "unitOfMeasurement", "observationType", "Thing", "Sensor",
                    "ObservedProperty"},
}  # fmt: skip
LINKED = {"Thing": "Things", "Sensor": "Sensors", "ObservedProperty": "ObservedProperties"}
ALLOWED = {"phenomenonTime", "resultTime", "result", "resultQuality", "validTime", "parameters"}


class FakeFrost:
    """The server. `faults` are taken one for each CreateObservations: "500", "lost" (done, no answer), "timeout" (not
    done, no answer), "partial" (every second one refused)."""

    def __init__(self) -> None:
        self.entities: dict[str, list[dict[str, Any]]] = {name: [] for name in REQUIRED}
        self.observations: dict[int, list[dict[str, Any]]] = {}
        self.faults: list[str] = []
        self.refuses_delete = False
        self.made = 0

    def __call__(self, method: str, path: str, body: Any = None) -> Reply:
        if method == "GET":
            return self._found(path)
        if method == "DELETE":
            return self._delete(path)
        if path == "CreateObservations":
            return self._create(body)
        return self._make(path, body)

    def _make(self, collection: str, body: dict[str, Any]) -> Reply:
        missing = REQUIRED[collection] - set(body)
        if missing or any(value is None for name, value in body.items() if name in REQUIRED[collection]):
            return Reply(400, {"code": 400, "message": f"missing {missing}"})
        for name, target in LINKED.items():
            if name in body and not 1 <= body[name]["@iot.id"] <= len(self.entities[target]):
                return Reply(400, {"message": f"no such {name}"})
        self.entities[collection].append(body)
        number = len(self.entities[collection])
        return Reply(201, None, f"{BASE}/{collection}({number})")

    def _create(self, groups: list[dict[str, Any]]) -> Reply:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "500":
            return Reply(500, "internal")
        if fault == "timeout":
            raise NoAnswer("ReadTimeout")
        said = [one for group in groups for one in self._group(group, partial=fault == "partial")]
        if fault == "lost":
            raise NoAnswer("ReadTimeout")
        return Reply(201, said)

    def _group(self, group: dict[str, Any], *, partial: bool) -> list[str]:
        target = group["Datastream"]["@iot.id"]
        assert 1 <= target <= len(self.entities["Datastreams"])
        assert group["dataArray@iot.count"] == len(group["dataArray"])
        assert set(group["components"]) <= ALLOWED
        assert {"phenomenonTime", "result"} <= set(group["components"])
        said = []
        for at, row in enumerate(group["dataArray"]):
            one = dict(zip(group["components"], row, strict=True))
            assert re.fullmatch(r"[-0-9T:]+Z/[-0-9T:]+Z", one["phenomenonTime"])
            if partial and at % 2:
                said.append("error: internal")
                continue
            self.made += 1
            self.observations.setdefault(target, []).append({"@iot.id": self.made, **one})
            said.append(f"{BASE}/Observations({self.made})")
        return said

    def _delete(self, path: str) -> Reply:
        match = re.fullmatch(r"Observations\((\d+)\)", path)
        assert match, path
        if self.refuses_delete:
            return Reply(403, {"code": 403, "message": "forbidden"})
        for some in self.observations.values():
            for one in some:
                if one["@iot.id"] == int(match[1]):
                    some.remove(one)
                    return Reply(200, None)
        return Reply(404, {"code": 404})

    def _found(self, path: str) -> Reply:
        match = re.fullmatch(r"(\w+)\?\$filter=properties/citynode eq '([\w-]+)'&\$select=id&\$top=1", path)
        if match:
            known = enumerate(self.entities[match[1]], start=1)
            return Reply(200, {"value": [{"@iot.id": i} for i, e in known if e["properties"]["citynode"] == match[2]]})
        match = re.fullmatch(
            r"Datastreams\((\d+)\)/Observations\?\$filter=(parameters/number|resultTime) ge (\S+) and \2 le (\S+)"
            r"&\$orderby=id&\$select=([\w,]+)&\$top=(\d+)&\$skip=(\d+)", path)  # fmt: skip
        assert match, path
        target, what, low, high, select, top, skip = match.groups()
        there = [o for o in self.observations.get(int(target), []) if _within(o, what, low, high)]
        names = ["@iot.id" if name == "id" else name for name in select.split(",")]
        page = there[int(skip) : int(skip) + min(int(top), 100)]
        return Reply(200, {"value": [{name: _slowly(o[name]) for name in names} for o in page]})

    def numbers(self) -> list[int]:
        """The numbers of all observations that it has."""
        return [o["parameters"]["number"] for some in self.observations.values() for o in some]


def _within(observation: dict[str, Any], what: str, low: str, high: str) -> bool:
    if what == "resultTime":
        return low <= str(observation[what]) <= high
    return int(low) <= int(observation["parameters"]["number"]) <= int(high)


def _slowly(value: Any) -> Any:
    """Times as FROST writes them, with milliseconds."""
    return value.replace("Z", ".000Z") if isinstance(value, str) else value
