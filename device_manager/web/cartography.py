"""The map: web mercator in metres, so that tiles of any server fit, and the plain base that is drawn without one. Pure.

x counts metres to the east and y metres to the south, both from the north-west corner of the mercator world, at the
equator's scale; SVG takes them as they are.
"""

import math
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

EARTH_M = 6_378_137.0
_HALF_M = math.pi * EARTH_M
_LEAST_M = 1500.0
TILE_PIXELS = 256
MOST_TILES = 64


class Frame(NamedTuple):
    """A rectangle of the map."""

    x: float
    y: float
    width: float
    height: float


class Tile(NamedTuple):
    """A tile of level `z` and the rectangle that it covers."""

    z: int
    column: int
    row: int
    frame: Frame


class Outline(NamedTuple):
    """A district: its points in map metres, and where its name stands."""

    name: str
    points: tuple[tuple[float, float], ...]
    middle: tuple[float, float]


def project(latitude: float, longitude: float) -> tuple[float, float]:
    """Return the place on the map of degrees (WGS 84)."""
    latitude = max(-85.0, min(85.0, latitude))
    x = math.radians(longitude) * EARTH_M + _HALF_M
    y = _HALF_M - math.log(math.tan(math.pi / 4 + math.radians(latitude) / 2)) * EARTH_M
    return round(x, 1), round(y, 1)


def around(points: Iterable[tuple[float, float]], ratio: float = 1.15) -> Frame:
    """Return a frame of width = ratio * height that holds all points with some room around them."""
    xs, ys = zip(*points, strict=True)
    height = max((max(ys) - min(ys)) * 1.3, (max(xs) - min(xs)) * 1.2 / ratio, _LEAST_M)
    x, y = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    return Frame(round(x - height * ratio / 2, 1), round(y - height / 2, 1), round(height * ratio, 1), round(height, 1))


def tiles(frame: Frame, pixels: int = 1200) -> list[Tile]:
    """Return the tiles that cover a frame shown `pixels` wide, MOST_TILES at most."""
    z = max(0, min(19, round(math.log2(2 * _HALF_M / frame.width * pixels / TILE_PIXELS))))
    while True:
        size = 2 * _HALF_M / 2**z
        columns = range(int(frame.x // size), int((frame.x + frame.width) // size) + 1)
        rows = range(int(frame.y // size), int((frame.y + frame.height) // size) + 1)
        if len(columns) * len(rows) <= MOST_TILES:
            break
        z -= 1
    return [
        Tile(z, c, r, Frame(round(c * size, 1), round(r * size, 1), round(size, 1), round(size, 1)))
        for r in rows
        for c in columns
    ]


@cache
def base() -> tuple[tuple[Outline, ...], tuple[tuple[tuple[float, float], ...], ...]]:
    """Return the district outlines and the river lines of `city.toml`."""
    found = tomllib.loads((Path(__file__).parent / "city.toml").read_text("utf-8"))
    outlines = tuple(_outline(name, points) for name, points in found["districts"].items())
    return outlines, tuple(tuple(project(*point) for point in points) for points in found["rivers"].values())


def _outline(name: str, degrees: list[list[float]]) -> Outline:
    points = tuple(project(*point) for point in degrees)
    xs, ys = zip(*points, strict=True)
    return Outline(name, points, (round(sum(xs) / len(xs), 1), round(sum(ys) / len(ys), 1)))
