"""Keys under which ids are given, what needs one, and which sites moved. Pure.

Datastream         site/quantity/aggregate
Sensor             node/sensor
ObservedProperty   quantity
Measured           site/node/sensor/quantity/unit (its id means nothing; it is remembered)
"""

from collections.abc import Iterable, Sequence

from device_manager.ports import Deployment, Site
from device_manager.series.calibration import Calibration
from device_manager.twin.ports import Measured, Placed
from device_manager.twin.vocabulary import aggregates

CORRECTED = "corrected"


def stream_key(site_id: int, quantity: str, aggregate: str) -> str:
    """Return the key of a Datastream."""
    return f"{site_id}/{quantity}/{aggregate}"


def sensor_key(node_id: int, sensor: str) -> str:
    """Return the key of a Sensor."""
    return f"{node_id}/{sensor}"


def measured_key(measured: Measured) -> str:
    """Return the key under which a Measured is remembered."""
    site_id, node_id, sensor, quantity, unit = measured
    return f"{site_id}/{node_id}/{quantity}/{unit}/{sensor}"


def measured_of(key: str) -> Measured:
    """Return the Measured of a key; units have no `/n` but may have a `/`, sensors neither.

    >>> measured_of("3/7/pm2_5/ug/m3/air")
    Measured(site_id=3, node_id=7, sensor='air', quantity='pm2_5', unit='ug/m3')
    """
    site_id, node_id, quantity, rest = key.split("/", 3)
    unit, sensor = rest.rsplit("/", 1)
    return Measured(int(site_id), int(node_id), sensor, quantity, unit)


def keys_needed(measured: Iterable[Measured], calibrations: Iterable[Calibration]) -> dict[str, list[str]]:
    """Return the keys that must have an id, by kind. A corrected Datastream is there once a calibration concerns it."""
    known = sorted(measured)
    made = list(calibrations)
    streams = []
    for site_id, node_id, sensor, quantity, _ in known:
        corrected = any(_concerns(c, site_id, node_id, sensor, quantity) for c in made)
        names = (a.name for a in aggregates(quantity) if a.name != CORRECTED or corrected)
        streams += [stream_key(site_id, quantity, name) for name in names]
    return {
        "Measured": [measured_key(m) for m in known],
        "Sensor": [sensor_key(m.node_id, m.sensor) for m in known],
        "ObservedProperty": [m.quantity for m in known],
        "Datastream": streams,
    }


def _concerns(calibration: Calibration, site_id: int, node_id: int, sensor: str, quantity: str) -> bool:
    there = calibration.target.site_id in (None, site_id)
    return there and calibration.concerns(node_id, sensor, quantity)


def moved(
    sites: Sequence[Site], places: Sequence[Placed], deployments: Sequence[Deployment], now_s: int
) -> list[Placed]:
    """Return the places that are new: a site's first one holds from its first deployment on, a later one from now."""
    last = {place.site_id: place for place in places}
    first_s: dict[int, int] = {}
    for row in deployments:
        first_s[row.site_id] = min(row.since_s, first_s.get(row.site_id, row.since_s))
    found = []
    for site in sorted(sites):
        position = (site.latitude, site.longitude, site.height_m)
        before = last.get(site.site_id)
        if before is None:
            found.append(Placed(0, site.site_id, min(first_s.get(site.site_id, now_s), now_s), *position))
        elif before[3:] != position:
            found.append(Placed(0, site.site_id, max(now_s, before.since_s + 1), *position))
    return found
