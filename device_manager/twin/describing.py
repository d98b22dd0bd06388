"""What a twin needs to know of a place, a sensor and a Datastream, as entities of SensorThings.

Positions are GeoJSON `[longitude, latitude, height]` in WGS 84; the height is that above ground, and `properties.mount`
says so. A field that nobody has entered is null.
"""

from collections.abc import Sequence
from typing import Any

from device_manager.ports import Deployment, Site
from device_manager.twin import vocabulary as words
from device_manager.twin.ports import Measured, Placed, Terms
from device_manager.twin.times import iso

Entity = dict[str, Any]
_GEOJSON = "application/geo+json"
_MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
_LAYER = "{quantity}_{layer}"


def thing(site: Site, hung: Sequence[tuple[str, Deployment]]) -> Entity:
    """Return a site; `hung` are the names of its nodes with their times, by begin."""
    present = [name for name, row in hung if row.until_s is None]
    properties = {
        "site": site.name,
        "district": site.district,
        "timeZone": site.zone,
        "deviceId": present[-1] if present else None,
        "cityObject": site.gml_id or None,
        "mount": mount(site),
        "deployments": [
            {"node": name, "since": iso(row.since_s), "until": None if row.until_s is None else iso(row.until_s)}
            for name, row in hung
        ],
    }
    return {"name": site.title or site.name, "description": f"Sensors at {site.title or site.name}, {site.district}",
            "properties": properties}  # fmt: skip


def mount(site: Site) -> Entity:
    """Return how the sensors of a site hang."""
    return {
        "heightAboveGround_m": site.height_m,
        "heightRef": "ground",
        "azimuth_deg": site.heading_deg,
        "fixture": site.fixture or None,
    }


def _point(place: Placed) -> Entity:
    return {"type": "Point", "coordinates": [place.longitude, place.latitude, place.height_m]}


def location(place: Placed, site: Site) -> Entity:
    """Return a place of a site."""
    name = site.title or site.name
    properties = {"mount": mount(site), "cityObject": site.gml_id or None, "since": iso(place.since_s)}
    return {"name": name, "description": f"Position of {name}", "encodingType": _GEOJSON, "location": _point(place),
            "properties": properties}  # fmt: skip


def feature(place: Placed, site: Site) -> Entity:
    """Return what is observed at a place: the air, the sound and the people around it."""
    name = site.title or site.name
    return {"name": name, "description": f"Surroundings of {name}", "encodingType": _GEOJSON, "feature": _point(place),
            "properties": {"cityObject": site.gml_id or None}}  # fmt: skip


def historical_location(place: Placed) -> Entity:
    """Return since when a site is at a place."""
    return {"time": iso(place.since_s)}


def sensor(node: str, name: str) -> Entity:
    """Return a sensor of a node."""
    return {
        "name": f"{node} {name}",
        "description": f"Sensor {name} of node {node}",
        "encodingType": "text/plain",
        "metadata": f"citynode node {node}, sensor {name}",
        "properties": {"node": node, "sensor": name},
    }


def observed_property(quantity: str) -> Entity:
    """Return a quantity."""
    title = words.title(quantity)
    properties = {"quantity": quantity, "frequencyWeighting": words.time_weighting(quantity)}
    return {"name": quantity, "definition": words.definition(quantity), "description": title, "properties": properties}


def datastream(site: Site, measured: Measured, aggregate: str, area: Entity | None, terms: Terms) -> Entity:
    """Return a Datastream; `layerName`, `serviceName` and `aggregateDuration` are those that Hamburg's clients ask."""
    kind, quantity, unit = words.BY_AGGREGATE[aggregate], measured.quantity, words.unit(measured.unit)
    place = site.title or site.name
    properties = {
        "quantity": quantity,
        "aggregate": aggregate,
        "serviceName": "citynode",
        "layerName": _LAYER.format(quantity=quantity, layer=kind.layer),
        "aggregateDuration": words.duration(quantity, kind) or None,
        "method": words.method(quantity),
        "sensorClass": words.sensor_class(quantity),
        "sensor": measured.sensor,
        "licence": terms.licence,
        "licenceUrl": terms.licence_url,
        "retention": terms.retention,
        "cityObject": site.gml_id or None,
    }
    return {
        "name": f"{quantity} {aggregate}, {place}",
        "description": f"{words.title(quantity)} at {place}, {kind.title}",
        "observationType": _MEASUREMENT,
        "unitOfMeasurement": unit._asdict(),
        "observedArea": area,
        "phenomenonTime": None,
        "resultTime": None,
        "properties": properties,
    }
