"""Geometry of filters, by shapely: WKT of literals, GeoJSON of entities, in the plane of degrees (as FROST does)."""

from functools import lru_cache
from typing import Any

from shapely import GEOSException, from_wkt, make_valid
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from device_manager.twin.query.syntax import QueryError


@lru_cache(256)
def _read(text: str) -> BaseGeometry | None:
    try:
        found = from_wkt(text)
        return None if found is None else make_valid(found)
    except (GEOSException, ValueError):
        return None


def geometry(text: str, position: int = 0) -> BaseGeometry:
    """Return the geometry of a WKT text; QueryError with the position when it is none."""
    found = _read(text)
    if found is None:
        raise QueryError(f"expected a geometry as POINT(10.3 47.7), got {text[:40]!r}", position)
    return found


def of_entity(value: Any) -> BaseGeometry | None:
    """Return the geometry of GeoJSON, None for anything else."""
    if isinstance(value, BaseGeometry):
        return value
    if not isinstance(value, dict) or "coordinates" not in value:
        return None
    return shape(value)


def intersects(one: BaseGeometry, other: BaseGeometry) -> bool:
    """True when the two share a point."""
    return bool(one.intersects(other))


def within(one: BaseGeometry, other: BaseGeometry) -> bool:
    """True when `one` lies in `other`."""
    return bool(one.within(other))


def distance(one: BaseGeometry, other: BaseGeometry) -> float | None:
    """Return the distance in degrees, None where one of them is empty."""
    return None if one.is_empty or other.is_empty else float(one.distance(other))
