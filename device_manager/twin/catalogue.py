"""Register and ids -> entities, linked: everything but observations. Pure.

    catalogue = build(Sources(sites, names, deployments, places, ids), Terms())
    catalogue.entities["Thing"][1]["name"]
    catalogue.related("Thing", 1, "Datastream")          # ids, growing

Entities are dicts as they are written, with the key `id`. Those of Datastreams get their times from `touch`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from device_manager.ports import Deployment, Site
from device_manager.twin import describing as say
from device_manager.twin.naming import measured_of, sensor_key
from device_manager.twin.ports import Measured, Placed, Terms
from device_manager.twin.times import interval

Ints = npt.NDArray[np.int64]
Entity = dict[str, Any]
_TIME_BITS = 36


class Stream(NamedTuple):
    """A Datastream: what its observations are."""

    stream_id: int
    site_id: int
    quantity: str
    aggregate: str


class Sources(NamedTuple):
    """What a catalogue is made of: `nodes` are names by `node_id`, `ids` by kind and key."""

    sites: Sequence[Site]
    nodes: Mapping[int, str]
    deployments: Sequence[Deployment]
    places: Sequence[Placed]
    ids: Mapping[str, Mapping[str, int]]


@dataclass(slots=True)
class Catalogue:
    """Entities by kind and id, links by (kind, kind) and id, Datastreams by id and key, places by site and begin."""

    entities: dict[str, dict[int, Entity]]
    links: dict[tuple[str, str], dict[int, tuple[int, ...]]]
    streams: dict[int, Stream]
    by_key: dict[tuple[int, str, str], int]
    node_names: dict[int, str]
    spans: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    place_keys: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    place_ids: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def related(self, kind: str, entity_id: int, to: str) -> tuple[int, ...]:
        """Return the ids of the entities that one is related to, growing."""
        return self.links.get((kind, to), {}).get(entity_id, ())

    def node_name(self, node_id: int) -> str:
        """Return a node's name; one that was registered a moment ago is its number."""
        return self.node_names.get(node_id, str(node_id))

    def touch(self, stream_id: int, first_s: int, last_s: int, end_s: int) -> None:
        """Say over what time a Datastream has observations: begin of the first, begin and end of the last."""
        self.spans[stream_id] = (first_s, last_s, end_s)
        entity = self.entities["Datastream"][stream_id]
        entity["phenomenonTime"] = entity["resultTime"] = interval(first_s, end_s)

    def features(self, site_ids: Ints, start_s: Ints) -> Ints:
        """Return the id of the FeatureOfInterest, which is that of the place, of observations at sites."""
        if not len(self.place_keys):
            return np.zeros(len(site_ids), dtype=np.int64)
        at = np.searchsorted(self.place_keys, site_ids << _TIME_BITS | np.maximum(start_s, 0), side="right") - 1
        same = self.place_keys[np.maximum(at, 0)] >> _TIME_BITS == site_ids
        at = np.where(same & (at >= 0), at, at + 1)  # before the first place that is known: that one
        return self.place_ids[np.clip(at, 0, len(self.place_ids) - 1)]


def build(sources: Sources, terms: Terms) -> Catalogue:
    """Return the catalogue."""
    measured = [measured_of(key) for key in sources.ids.get("Measured", {})]
    made = Catalogue({}, {}, {}, {}, dict(sources.nodes))
    sites = {site.site_id: site for site in sources.sites}
    measured = [m for m in measured if m.site_id in sites and m.node_id in made.node_names]
    _places(made, sources, sites)
    _sensors(made, sources, measured)
    _streams(made, sources, sites, measured, terms)
    for kind in ("ObservedProperty", "Datastream", "Sensor", "Thing", "Location"):
        made.entities.setdefault(kind, {})
    return made


def _places(made: Catalogue, sources: Sources, sites: Mapping[int, Site]) -> None:
    hung = _deployed(sources, made.node_names)
    made.entities["Thing"] = {i: say.thing(site, hung.get(i, [])) for i, site in sorted(sites.items())}
    places = sorted((p for p in sources.places if p.site_id in sites), key=lambda p: (p.site_id, p.since_s))
    made.place_keys = np.array([p.site_id << _TIME_BITS | max(p.since_s, 0) for p in places], dtype=np.int64)
    made.place_ids = np.array([p.location_id for p in places], dtype=np.int64)
    present = {place.site_id: place.location_id for place in places}
    by_id = sorted((place.location_id, place) for place in places)
    made.entities["Location"] = {i: say.location(p, sites[p.site_id]) for i, p in by_id}
    made.entities["FeatureOfInterest"] = {i: say.feature(p, sites[p.site_id]) for i, p in by_id}
    made.entities["HistoricalLocation"] = {i: say.historical_location(p) for i, p in by_id}
    _link(made, "Thing", "Location", sorted(present.items()))
    _link(made, "Thing", "HistoricalLocation", [(p.site_id, i) for i, p in by_id])
    _link(made, "HistoricalLocation", "Location", [(i, i) for i, _ in by_id])


def _deployed(sources: Sources, names: Mapping[int, str]) -> dict[int, list[tuple[str, Deployment]]]:
    found: dict[int, list[tuple[str, Deployment]]] = {}
    for row in sorted(sources.deployments, key=lambda row: row.since_s):
        if row.node_id in names:
            found.setdefault(row.site_id, []).append((names[row.node_id], row))
    return found


def _sensors(made: Catalogue, sources: Sources, measured: Sequence[Measured]) -> None:
    sensors, properties = sources.ids.get("Sensor", {}), sources.ids.get("ObservedProperty", {})
    made.entities["Sensor"] = dict(
        sorted((sensors[sensor_key(m.node_id, m.sensor)], say.sensor(made.node_names[m.node_id], m.sensor))
               for m in {(m.node_id, m.sensor): m for m in measured}.values())
    )  # fmt: skip
    quantities = {m.quantity for m in measured}
    made.entities["ObservedProperty"] = dict(sorted((properties[q], say.observed_property(q)) for q in quantities))


def _streams(
    made: Catalogue, sources: Sources, sites: Mapping[int, Site], measured: Sequence[Measured], terms: Terms
) -> None:
    """Add the Datastreams; each names the sensor that came last to its site."""
    since = {(row.site_id, row.node_id): row.since_s for row in sorted(sources.deployments, key=lambda r: r.since_s)}
    newest: dict[tuple[int, str], Measured] = {}
    for m in sorted(measured, key=lambda m: (since.get((m.site_id, m.node_id), 0), m)):
        newest[m.site_id, m.quantity] = m
    sensors, properties = sources.ids.get("Sensor", {}), sources.ids.get("ObservedProperty", {})
    places = {site_id: made.related("Thing", site_id, "Location")[-1:] for site_id in sites}
    found = made.entities["Datastream"] = {}
    of_thing, of_sensor, of_property = [], [], []
    for key, stream_id in sources.ids.get("Datastream", {}).items():
        site, quantity, aggregate = key.split("/")
        if (int(site), quantity) not in newest:
            continue
        m = newest[int(site), quantity]
        made.streams[stream_id] = stream = Stream(stream_id, m.site_id, quantity, aggregate)
        made.by_key[stream[1:]] = stream_id
        area = [made.entities["Location"][i]["location"] for i in places[m.site_id]]
        found[stream_id] = say.datastream(sites[m.site_id], m, aggregate, area[0] if area else None, terms)
        of_thing.append((m.site_id, stream_id))
        of_sensor.append((sensors[sensor_key(m.node_id, m.sensor)], stream_id))
        of_property.append((properties[quantity], stream_id))
    for kind, pairs in (("Thing", of_thing), ("Sensor", of_sensor), ("ObservedProperty", of_property)):
        _link(made, kind, "Datastream", pairs)


def _link(made: Catalogue, kind: str, other: str, pairs: Sequence[tuple[int, int]]) -> None:
    """Link entities of two kinds both ways."""
    for (one, two), found in (((kind, other), pairs), ((other, kind), [(b, a) for a, b in pairs])):
        links: dict[int, list[int]] = {}
        for a, b in found:
            links.setdefault(a, []).append(b)
        made.links[one, two] = {a: tuple(sorted(bs)) for a, bs in links.items()}
