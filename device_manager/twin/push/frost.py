"""Observations to a FROST server with `CreateObservations` (OGC 18-088, 13.2.2), each exactly once.

The server does not know our ids, and does not notice what came twice. So Things and Datastreams carry our key in
`properties/citynode`, observations their number in `parameters/number`, and the cursor has two parts:

    <target>            all numbers up to here are there
    <target>/tried      a batch up to here was sent, and nobody knows what became of it

A batch is announced in `tried` before it is sent. Whoever finds `tried` above the cursor (an answer that did not come,
an answer that named errors, a push that was killed) first asks the server which of those numbers it has, and sends only
the others. The cursor moves when the server has named a link for every one.

A correction is a new observation there, too, and then the old one is deleted: the same Datastream, interval, node and
sensor with a lower number. So nobody who adds up the server's observations counts one twice; deleting twice does
no harm. That costs a request for each correction.
"""

import re
from collections.abc import Sequence
from typing import Any

from device_manager.twin.catalogue import Catalogue
from device_manager.twin.mirror import Cursors
from device_manager.twin.observations import Rows
from device_manager.twin.push.http import Exchange, NoAnswer, PushError, failed
from device_manager.twin.sources import Observed
from device_manager.twin.times import iso, many_intervals
from device_manager.twin.writing.entities import fields

BATCH = 2000
COMPONENTS = ("phenomenonTime", "resultTime", "result", "resultQuality", "parameters")
_ID = re.compile(r"\((\d+)\)$")
_THERE = 1000


class Frost:
    """Pushes to one server; `name` is its cursor's name."""

    def __init__(self, exchange: Exchange, cursors: Cursors, name: str) -> None:
        self._exchange = exchange
        self._cursors = cursors
        self._name = name
        self._ids: dict[str, int] = {}

    def step(self, catalogue: Catalogue, observed: Observed) -> bool:
        """Push the next batch; True when there are more. PushError when it is not known to be there."""
        done, last = self._cursors.get(self._name) or 0, observed.last_number()
        tried = self._cursors.get(f"{self._name}/tried") or 0
        if last <= done:
            return False
        unclear = tried > done
        high = min(tried if unclear else done + BATCH, last)
        rows = observed.between(catalogue, done + 1, high)
        self._cursors.put(f"{self._name}/tried", high)
        try:
            self._push(catalogue, rows, unclear=unclear)
        except NoAnswer as error:
            todo = "push again: what is there is not sent twice"
            raise PushError(expected="an answer", got=str(error), todo=todo) from error
        self._cursors.put(self._name, high)
        return high < last

    def _push(self, catalogue: Catalogue, rows: Rows, *, unclear: bool) -> None:
        """Send what is not there, a group a Datastream."""
        groups = []
        for stream_id in sorted(set(rows.stream.tolist())):
            some = rows.where(rows.stream == stream_id)
            target = self._datastream(catalogue, stream_id)
            there = self._there(target, some) if unclear else frozenset()
            missing = [at for at, number in enumerate(some.number.tolist()) if number not in there]
            if missing:
                groups.append(_group(target, some, missing))
        if groups:
            self._create(groups)
        for stream_id in sorted(set(rows.stream[rows.replaces > 0].tolist())):
            target = self._datastream(catalogue, stream_id)
            self._forget_old(target, rows.where((rows.stream == stream_id) & (rows.replaces > 0)))

    def _forget_old(self, target: int, rows: Rows) -> None:
        """Delete what the rows of a Datastream stand for now."""
        made = [rows.makings[at] for at in rows.made.tolist()]
        intervals = zip(many_intervals(rows.start_s, rows.end_s), rows.number.tolist(), made, strict=True)
        newest = {(interval, one.node, one.sensor): number for interval, number, one in intervals}
        since, until = iso(int(rows.end_s.min())), iso(int(rows.end_s.max()))
        for item in self._all(
            target, f"resultTime ge {since} and resultTime le {until}", "id,phenomenonTime,parameters"
        ):
            said = item["parameters"]
            number = newest.get((_canonical(item["phenomenonTime"]), said["node"], said["sensor"]))
            if number is not None and said["number"] < number:
                self._delete(int(item["@iot.id"]))

    def _delete(self, observation_id: int) -> None:
        reply = self._exchange("DELETE", f"Observations({observation_id})")
        if reply.status not in (200, 204, 404):
            raise failed(f"the deletion of Observation {observation_id}, which was corrected", reply)

    def _create(self, groups: Sequence[dict[str, Any]]) -> None:
        sent = sum(len(group["dataArray"]) for group in groups)
        reply = self._exchange("POST", "CreateObservations", groups)
        if reply.status != 201 or not isinstance(reply.body, list):
            raise failed(f"{sent} observations", reply)
        refused = sent - sum(isinstance(one, str) and one.startswith("http") for one in reply.body)
        if refused:
            raise PushError(expected=f"links to {sent} observations", got=f"{refused} without one",
                            todo="read the server's log; push again: what is there is not sent twice")  # fmt: skip

    def _there(self, target: int, rows: Rows) -> frozenset[int]:
        """Return which of the observations' numbers a Datastream of the server has."""
        low, high = int(rows.number.min()), int(rows.number.max())
        asked = f"parameters/number ge {low} and parameters/number le {high}"
        return frozenset(int(item["parameters"]["number"]) for item in self._all(target, asked, "parameters"))

    def _all(self, target: int, asked: str, select: str) -> list[dict[str, Any]]:
        """Return what fits of a Datastream's observations, page after page."""
        found: list[dict[str, Any]] = []
        while True:
            options = f"$filter={asked}&$orderby=id&$select={select}&$top={_THERE}&$skip={len(found)}"
            items = self._get(f"Datastreams({target})/Observations?{options}")
            if not items:
                return found
            found += items

    def _datastream(self, catalogue: Catalogue, stream_id: int) -> int:
        """Return the server's id of a Datastream; it is made with what it stands on where it is missing."""
        entity, stream = catalogue.entities["Datastream"][stream_id], catalogue.streams[stream_id]
        key = f"datastream-{stream_id}"
        if key in self._ids:
            return self._ids[key]
        sensor_id = catalogue.related("Datastream", stream_id, "Sensor")[-1]
        property_id = catalogue.related("Datastream", stream_id, "ObservedProperty")[-1]
        thing = catalogue.entities["Thing"][stream.site_id]
        places = catalogue.related("Thing", stream.site_id, "Location")[-1:]
        locations = [catalogue.entities["Location"][i] for i in places]
        parts = {
            "Thing": self._known("Things", f"thing-{stream.site_id}", {**thing, "Locations": locations}),
            "Sensor": self._known("Sensors", f"sensor-{sensor_id}", catalogue.entities["Sensor"][sensor_id]),
            "ObservedProperty": self._known(
                "ObservedProperties", f"property-{property_id}", catalogue.entities["ObservedProperty"][property_id]
            ),
        }
        skipped = ("phenomenonTime", "resultTime", "observedArea")  # the server finds them itself
        body = {name: value for name, value in entity.items() if name not in skipped}
        return self._known("Datastreams", key, {**body, **{name: {"@iot.id": i} for name, i in parts.items()}})

    def _known(self, collection: str, key: str, body: dict[str, Any]) -> int:
        """Return the id of an entity with our key; it is made when there is none."""
        if key not in self._ids:
            found = self._get(f"{collection}?$filter=properties/citynode eq '{key}'&$select=id&$top=1")
            self._ids[key] = int(found[0]["@iot.id"]) if found else self._made(collection, key, body)
        return self._ids[key]

    def _made(self, collection: str, key: str, body: dict[str, Any]) -> int:
        properties = {**body.get("properties", {}), "citynode": key}
        reply = self._exchange("POST", collection, {**body, "properties": properties})
        match = _ID.search(reply.location)
        if reply.status != 201 or match is None:
            raise failed(f"a new entity of {collection}", reply)
        return int(match[1])

    def _get(self, path: str) -> list[dict[str, Any]]:
        reply = self._exchange("GET", path)
        if reply.status != 200 or not isinstance(reply.body, dict):
            raise failed(f"GET {path}", reply)
        value: list[dict[str, Any]] = reply.body["value"]
        return value


def _canonical(interval: str) -> str:
    """Return an interval as we write it: servers add milliseconds."""
    return interval.replace(".000Z", "Z")


def _group(target: int, rows: Rows, which: Sequence[int]) -> dict[str, Any]:
    """Return a dataArray of some observations of one Datastream."""
    columns = fields(rows, [name for name in COMPONENTS if name not in ("resultQuality", "parameters")])
    array = []
    for at in which:
        making = rows.makings[int(rows.made[at])]
        parameters = {"number": int(rows.number[at]), "replaces": int(rows.replaces[at]) or None,
                      "q": int(rows.flags[at]), "node": making.node, "sensor": making.sensor}  # fmt: skip
        own = [columns[name][at] for name in ("phenomenonTime", "resultTime", "result")]
        array.append([*own, {"q": int(rows.flags[at])}, parameters])
    return {"Datastream": {"@iot.id": target}, "components": list(COMPONENTS),
            "dataArray@iot.count": len(array), "dataArray": array}  # fmt: skip
