"""The live mirror: observations as MQTT messages, as soon as they have a number. Pure.

    v1.1/Datastreams(17)/Observations      every new observation as in the SensorThings API; the newest is retained
    twin/1/rathausplatz/pm2_5/15min        the newest one as plain JSON, retained, for who wants neither CBOR nor an API

    {"site":"rathausplatz","quantity":"pm2_5","aggregate":"15min","unit":"ug/m3","value":8.3,"start":"2026-..Z",
     "end":"2026-..Z","usable":true,"quality":[],"node":"kempten-01","number":1207}

What comes late is published without being retained, and under the number that names the one it replaces. `Mirror` keeps
a cursor: it moves when the broker has said that it has everything up to there.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import orjson

from device_manager.twin.catalogue import Catalogue
from device_manager.twin.evaluation.columns import quality, table
from device_manager.twin.observations import Rows
from device_manager.twin.service import Twin
from device_manager.twin.times import iso
from device_manager.twin.writing.entities import observations

CURSOR = "mirror"
BATCH = 5000
MOST_BEHIND = 200_000


class Message(NamedTuple):
    """What is published."""

    topic: str
    payload: bytes
    retain: bool


class Cursors(Protocol):
    """How far each reader of the observation numbers has come; durable when a call returns."""

    def get(self, name: str) -> int | None:
        """Return the number up to which a reader has everything, None for one that never read."""
        ...

    def put(self, name: str, number: int) -> None:
        """Move a reader's cursor."""
        ...


class Mirror:
    """Publishes what is new. `publish` returns when the broker has all of it, and raises otherwise."""

    def __init__(self, twin: Twin, cursors: Cursors, publish: Callable[[Sequence[Message]], None], base: str) -> None:
        self._twin = twin
        self._cursors = cursors
        self._publish = publish
        self._base = base

    def begin(self, now_s: float) -> None:
        """Publish the newest observation of every Datastream: the broker may be a new one."""
        catalogue = self._twin.refresh(now_s)
        latest = self._twin.live.latest(catalogue.streams)
        self._publish(messages(catalogue, latest, latest, self._base))

    def step(self, now_s: float) -> bool:
        """Publish the next ones; True when there are more. Who is far behind gets the newest ones only."""
        catalogue = self._twin.refresh(now_s)
        last, after = self._twin.reader.last_number(), self._cursors.get(CURSOR)
        if after is None or last - after > MOST_BEHIND:
            self.begin(now_s)
            self._cursors.put(CURSOR, last)
            return False
        if last <= after:
            return False
        high = min(last, after + BATCH)
        rows = self._twin.reader.between(catalogue, after + 1, high)
        latest = self._twin.live.latest(np.unique(rows.stream).tolist())
        self._publish(messages(catalogue, rows, latest, self._base))
        self._cursors.put(CURSOR, high)
        return high < last


def messages(catalogue: Catalogue, rows: Rows, latest: Rows, base: str) -> list[Message]:
    """Return the messages of observations; `latest` are the newest ones of their Datastreams."""
    newest = dict(zip(latest.stream.tolist(), latest.number.tolist(), strict=True))
    written = observations(base, table(catalogue, rows, 0.0), ())
    made = []
    for at, (stream_id, number) in enumerate(zip(rows.stream.tolist(), rows.number.tolist(), strict=True)):
        retain = newest.get(stream_id) == number
        made.append(Message(f"v1.1/Datastreams({stream_id})/Observations", orjson.dumps(written[at]), retain))
        if retain:
            made.append(plain(catalogue, rows, at))
    return made


def plain(catalogue: Catalogue, rows: Rows, at: int) -> Message:
    """Return the plain message of one observation."""
    stream = catalogue.streams[int(rows.stream[at])]
    site = catalogue.entities["Thing"][stream.site_id]["properties"]["site"]
    unit: Mapping[str, str] = catalogue.entities["Datastream"][stream.stream_id]["unitOfMeasurement"]
    said, value = quality(int(rows.flags[at])), float(rows.value[at])
    body: dict[str, Any] = {
        "site": site,
        "quantity": stream.quantity,
        "aggregate": stream.aggregate,
        "unit": unit["symbol"],
        "value": None if np.isnan(value) else value,
        "start": iso(int(rows.start_s[at])),
        "end": iso(int(rows.end_s[at])),
        "usable": said["usable"],
        "quality": said["flags"],
        "node": rows.makings[int(rows.made[at])].node,
        "number": int(rows.number[at]),
    }
    return Message(f"twin/1/{site}/{stream.quantity}/{stream.aggregate}", orjson.dumps(body), True)
