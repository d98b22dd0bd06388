"""What a VL53L1X on the ceiling sees: two zones ranged in turn, by rays against the bodies below.

Geometry: looks straight down from 2.4 to 2.6 m. The full array of 16 x 16 SPADs sees 27 degrees across its diagonal, 19
along a side (ST, VL53L1X datasheet); smaller regions see more than their share, because the lens blurs (ST AN5191: 8 x
8 still 20 and 4 x 4 15 degrees diagonal). So a zone of 6 x 16 SPADs at the edge is taken as 13 degrees along the
passage around +-6 degrees, and 20 across.

Range: every ray meets the nearest ellipsoid or the floor and returns light by reflectance, angle and 1/distance^2. The
sensor cannot keep echoes apart that are less than MERGE_M apart, and reports the nearest group that makes up SHARE of
the light. Noise 4 mm + 0.3 %. Then DROPPED of all ranges are missing and FALSE are anywhere between 0.05 and 4 m.

Not modelled: sun, rain, crosstalk of a dirty cover, dark hair that returns nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.walks.people import Person

STEP_MS = 25  # one range every 25 ms: 20 ms timing budget and the bus
DROPPED, FALSE = 0.05, 0.02
MERGE_M, SHARE = 0.30, 0.10
ALONG, ACROSS = np.deg2rad(13.0), np.deg2rad(20.0)
TILT = np.deg2rad(6.0)
FLOOR_REFLECTANCE = 0.35


@dataclass
class Leaf:
    """The upper edge of a door that stands in the view: z of the edge, x and its travel, and from which y on."""

    start_s: float
    end_s: float
    x_m: float
    from_y_m: float
    top_m: float = 2.0
    thick_m: float = 0.05


def _rays(zone: int) -> np.ndarray:
    along = np.linspace(-0.5, 0.5, 7) * ALONG + (TILT if zone else -TILT)
    across = np.linspace(-0.5, 0.5, 9) * ACROSS
    a, c = np.meshgrid(np.tan(along), np.tan(across), indexing="ij")
    rays = np.stack([a.ravel(), c.ravel(), -np.ones(a.size)], axis=-1)
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


RAYS = (_rays(0), _rays(1))
PARTS = tuple(np.flatnonzero(np.tile(mask, 7)) for mask in (np.arange(9) >= 0, np.arange(9) <= 4, np.arange(9) >= 4))


def ranges(
    rng: np.random.Generator, people: list[Person], until_s: float, ceiling_m: float, leaves: Sequence[Leaf] = ()
) -> np.ndarray:
    """Return ranges in mm (part, step) of zone 0, 1, 0, 1 ... every STEP_MS from t = 0 to `until_s`; 0 is dropped.

    The parts of the view are the whole and its halves towards -y and +y.
    """
    count = int(until_s * 1000 / STEP_MS) // 2 * 2
    t = np.arange(count) * STEP_MS / 1000
    out = np.zeros((len(PARTS), count))
    for zone in (0, 1):
        out[:, zone::2] = _seen(RAYS[zone], people, t[zone::2], ceiling_m, leaves)
    out = out * 1000
    out += rng.normal(0, 1, out.shape) * (4 + 0.003 * out)
    false = rng.random(out.shape) < FALSE
    out[false] = rng.uniform(50, 4000, int(false.sum()))
    out[rng.random(out.shape) < DROPPED] = 0
    return out.astype(np.uint16)


def _seen(
    rays: np.ndarray, people: list[Person], t: np.ndarray, ceiling_m: float, leaves: Sequence[Leaf]
) -> np.ndarray:
    """Return the range in metres of each part of the view at each time."""
    shape = (len(t), len(rays))
    distance = np.broadcast_to(ceiling_m / -rays[:, 2], shape).copy()
    light = np.broadcast_to(FLOOR_REFLECTANCE * -rays[:, 2] / distance[0] ** 2, shape).copy()
    for person in people:
        near = np.flatnonzero(np.abs(person.position(t)[0]) < 1.2)
        if len(near):
            _cover(person, t[near], near, rays, ceiling_m, distance, light)
    for leaf in leaves:
        _cover_by_leaf(leaf, t, rays, ceiling_m, distance, light)
    return np.array([_report(distance[:, part], light[:, part]) for part in PARTS])


def _cover(
    person: Person, t: np.ndarray, rows: np.ndarray, rays: np.ndarray, ceiling_m: float, distance: np.ndarray,
    light: np.ndarray,
) -> None:  # fmt: skip
    centres, axes, reflectances = person.body(t)
    for centre, axis, reflectance in zip(centres, axes, reflectances, strict=True):
        d = rays / axis  # (rays, 3)
        o = (np.array([0.0, 0.0, ceiling_m]) - centre) / axis  # (times, 3)
        b = o @ d.T
        dd = np.sum(d * d, axis=1)
        oo = np.sum(o * o, axis=1)[:, None]
        root = b * b - dd * (oo - 1)
        hit = root > 0
        s = np.where(hit, (-b - np.sqrt(np.maximum(root, 0))) / dd, np.inf)
        point = o[:, None, :] + s[:, :, None].clip(max=99) * d[None]
        normal = point / axis
        cosine = -np.sum(normal * rays[None], axis=2) / np.linalg.norm(normal, axis=2).clip(min=1e-9)
        nearer = hit & (s > 0.05) & (s < distance[rows])
        distance[rows] = np.where(nearer, s, distance[rows])
        light[rows] = np.where(nearer, reflectance * cosine.clip(min=0.05) / s.clip(min=0.1) ** 2, light[rows])


def _cover_by_leaf(
    leaf: Leaf, t: np.ndarray, rays: np.ndarray, ceiling_m: float, distance: np.ndarray, light: np.ndarray
) -> None:
    depth = ceiling_m - leaf.top_m
    s = depth / -rays[:, 2]
    x, y = rays[:, 0] * s, rays[:, 1] * s
    # it swings in from beyond the far zone and out again, within 0.8 s
    away = np.interp(t, [leaf.start_s, leaf.start_s + 0.8, leaf.end_s - 0.8, leaf.end_s], [0.4, 0, 0, 0.4])
    at = leaf.x_m + np.sign(leaf.x_m) * away
    hit = (np.abs(x[None] - at[:, None]) < leaf.thick_m / 2 + 0.01) & (y[None] > leaf.from_y_m) & (s < distance)
    distance[hit] = np.broadcast_to(s, distance.shape)[hit]
    light[hit] = np.broadcast_to(0.5 / s**2, distance.shape)[hit]


def _report(distance: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Return the light-weighted mean of the nearest group of echoes that holds SHARE of the light."""
    order = np.argsort(distance, axis=1)
    d = np.take_along_axis(distance, order, axis=1)
    w = np.take_along_axis(light, order, axis=1)
    total = w.sum(axis=1)
    out = d[:, -1].copy()
    done = np.zeros(len(d), bool)
    for i in range(d.shape[1]):
        group = (d >= d[:, i : i + 1]) & (d < d[:, i : i + 1] + MERGE_M)
        part = (w * group).sum(axis=1)
        pick = ~done & (part >= SHARE * total)
        out[pick] = ((d * w * group).sum(axis=1) / part.clip(min=1e-12))[pick]
        done |= pick
        if done.all():
            break
    return out
