"""What the public page shows: the newest value and the last days of each quantity at each site. Pure.

Everything is read through a `View`, and through the public one only: the page shows nobody more than everybody.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from device_manager.series.deriving import DERIVED
from device_manager.twin.catalogue import Catalogue, Stream
from device_manager.twin.observations import by_time
from device_manager.twin.public import COUNTS, MINUTES, Grain
from device_manager.twin.sources import Newests, Observed

QUANTITIES = (
    *("air_quality_index", "pm2_5", "pm10", "co2", "laeq", "lden"),
    *("footfall_in", "footfall_out", "temperature", "relative_humidity"),
)
DAYS_S = 3 * 86_400
STALE_S = 2 * 3600
WIDTH, HEIGHT = 300.0, 60.0  # of a curve, in its own units
MAP_SIZE, MAP_MARGIN = 400.0, 50.0
_METRES_PER_DEGREE = 111_320.0


class Value(NamedTuple):
    """A quantity at a site: newest value (None: missing, too old or kept back), its time, a curve with its ends."""

    quantity: str
    unit: str
    value: float | None
    end_s: int
    minutes: int
    lines: tuple[str, ...]
    low: float | None
    high: float | None
    curve_minutes: int


class Spot(NamedTuple):
    """A site: number on the map, place on it, what is measured."""

    number: int
    name: str
    title: str
    x: float
    y: float
    values: tuple[Value, ...]
    zone: str


class Shown(NamedTuple):
    """The page: sites, and how many metres `bar` units of the map are."""

    spots: tuple[Spot, ...]
    bar: float
    bar_m: int


def shown(catalogue: Catalogue, observed: Observed, newests: Newests, grain: Grain, now_s: int) -> Shown:
    """Return the page as it is now."""
    finest = next(name for name, minutes in MINUTES.items() if minutes >= grain.minutes)
    places = [(i, entity["location"]["coordinates"]) for i, entity in _located(catalogue)]
    points, bar, bar_m = projected([(p[0], p[1]) for _, p in places])
    spots = []
    for number, ((site_id, _), (x, y)) in enumerate(zip(places, points, strict=True), start=1):
        thing = catalogue.entities["Thing"][site_id]
        keys = [(site_id, q, DERIVED[q].period if q in DERIVED else finest) for q in QUANTITIES]
        values = [_value(catalogue, observed, newests, key, now_s) for key in keys]
        known = tuple(value for value in values if value is not None)
        zone = str(thing["properties"]["timeZone"])
        spots.append(Spot(number, str(thing["properties"]["site"]), str(thing["name"]), x, y, known, zone))
    return Shown(tuple(spots), bar, bar_m)


def _located(catalogue: Catalogue) -> list[tuple[int, dict[str, dict[str, list[float]]]]]:
    found = []
    for site_id in catalogue.entities["Thing"]:
        places = catalogue.related("Thing", site_id, "Location")[-1:]
        found += [(site_id, catalogue.entities["Location"][i]) for i in places]
    return found


def projected(places: Sequence[tuple[float, float]]) -> tuple[list[tuple[float, float]], float, int]:
    """Return (x, y) on the map for (longitude, latitude), and a scale bar: its length on the map and in metres."""
    if not places:
        return [], 0.0, 0
    middle = math.cos(math.radians(sum(lat for _, lat in places) / len(places)))
    metres = [(lon * _METRES_PER_DEGREE * middle, lat * _METRES_PER_DEGREE) for lon, lat in places]
    left, bottom = min(x for x, _ in metres), min(y for _, y in metres)
    right, top = max(x for x, _ in metres), max(y for _, y in metres)
    extent = max(right - left, top - bottom, 100.0)
    scale = (MAP_SIZE - 2 * MAP_MARGIN) / extent
    shift_x, shift_y = (extent - (right - left)) / 2, (extent - (top - bottom)) / 2
    points = [
        (MAP_MARGIN + (x - left + shift_x) * scale, MAP_SIZE - MAP_MARGIN - (y - bottom + shift_y) * scale)
        for x, y in metres
    ]
    bar_m = max(m for m in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000) if m <= max(extent / 3, 10))
    return points, bar_m * scale, bar_m


def _value(
    catalogue: Catalogue, observed: Observed, newests: Newests, key: tuple[int, str, str], now_s: int
) -> Value | None:
    site_id, quantity, finest = key
    stream_id = catalogue.by_key.get(key)
    if stream_id is None:
        return None
    latest = newests.latest([stream_id])
    if not len(latest):
        return None
    value, end_s = float(latest.value[0]), int(latest.end_s[0])
    old = now_s - end_s > max(STALE_S, 2 * MINUTES[finest] * 60)
    coarse = finest if quantity in COUNTS or finest != "15min" else "1h"
    curve = catalogue.by_key.get((site_id, quantity, coarse), stream_id)
    lines, low, high = _curve(catalogue, observed, catalogue.streams[curve], now_s)
    unit = str(catalogue.entities["Datastream"][stream_id]["unitOfMeasurement"]["symbol"])
    present = None if old or math.isnan(value) else value
    return Value(quantity, unit, present, end_s, MINUTES[finest], lines, low, high, MINUTES[coarse])


def _curve(
    catalogue: Catalogue, observed: Observed, stream: Stream, now_s: int
) -> tuple[tuple[str, ...], float | None, float | None]:
    """Return the points of the last days as SVG `points`, a line for each stretch without a hole, and its ends."""
    since_s = now_s - DAYS_S
    rows = by_time(observed.rows(catalogue, [stream], since_s, now_s + 1))
    known = ~np.isnan(rows.value)
    if not known.any():
        return (), None, None
    low, high = float(rows.value[known].min()), float(rows.value[known].max())
    x = (rows.start_s - since_s) / DAYS_S * WIDTH
    y = HEIGHT - (rows.value - low) / max(high - low, 1e-9) * HEIGHT
    length_s = MINUTES[stream.aggregate] * 60
    lines: list[list[str]] = []
    before_s = None
    for at in np.flatnonzero(known).tolist():
        start_s = int(rows.start_s[at])
        if before_s is None or start_s - before_s > 1.5 * length_s:
            lines.append([])
        lines[-1].append(f"{x[at]:.1f},{y[at]:.1f}")
        before_s = start_s
    return tuple(" ".join(line if len(line) > 1 else line * 2) for line in lines), low, high
