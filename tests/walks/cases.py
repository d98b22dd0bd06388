"""The kinds of walks, as a list of episodes a case; each episode stands alone, with time before and after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tests.walks.people import HALF_M, Person, loiter, turn_back, walk
from tests.walks.tof import Leaf

LEAD_S = 0.6
FULL_M = 0.4


@dataclass
class Episode:
    """People, what a perfect counter would count, and how long it takes."""

    people: list[Person]
    entered: int
    left: int
    until_s: float
    leaves: list[Leaf] = field(default_factory=list)


def crossings(person: Person) -> tuple[int, int]:
    """Return how often the body's middle went from x < -0.4 m to x > 0.4 m, and back: what a full crossing is."""
    x = person.position(np.arange(person.times[0], person.times[-1], 0.05))[0]
    sides = np.sign(x) * (np.abs(x) > FULL_M)
    sides = sides[sides != 0]
    return int((np.diff(sides) > 0).sum()), int((np.diff(sides) < 0).sum())


def single(rng: np.random.Generator, **fixed: float) -> Episode:
    """One person walks through a lane of a door's width."""
    direction = _side(rng)
    return _episode([walk(rng, LEAD_S, direction, _lane(rng), **fixed)], direction, 1)


def children(rng: np.random.Generator, half_m: float = HALF_M) -> Episode:
    """As `single`, 1.1 to 1.3 m."""
    return single(rng, half_m=half_m, height_m=rng.uniform(1.1, 1.3))


def tall_and_fast(rng: np.random.Generator, half_m: float = HALF_M) -> Episode:
    """As `single`, 1.85 to 2.0 m at 1.7 to 2 m/s: the shortest time under the sensor."""
    return single(rng, half_m=half_m, height_m=rng.uniform(1.85, 2.0), speed=rng.uniform(1.7, 2.0))


def in_line(rng: np.random.Generator, half_m: float = HALF_M) -> Episode:
    """Two or three people behind one another, 0.7 to 1.2 m from middle to middle, at one speed."""
    direction, lane, speed = _side(rng), _lane(rng), rng.uniform(0.5, 2.0)
    start, people = LEAD_S, []
    for _ in range(int(rng.integers(2, 4))):
        people.append(
            walk(
                rng, start, direction, lane + rng.normal(0, 0.03), half_m=half_m, speed=speed * rng.uniform(0.98, 1.02)
            )
        )
        start += rng.uniform(0.7, 1.2) / speed
    return _episode(people, direction, len(people))


def abreast(rng: np.random.Generator, half_m: float = HALF_M) -> Episode:
    """Two people shoulder to shoulder, level to within 0.15 m: wider than one lane."""
    direction, speed = _side(rng), rng.uniform(0.5, 1.6)
    heights = rng.uniform(1.1, 2.0, 2)
    apart = 0.13 * heights.sum() + rng.uniform(0.0, 0.08)
    people = [
        walk(rng, LEAD_S + rng.uniform(0, 0.15) / speed, direction, (k - 0.5) * apart + rng.normal(0, 0.03),
             height_m=float(heights[k]), speed=speed, half_m=half_m)
        for k in (0, 1)
    ]  # fmt: skip
    return _episode(people, direction, 2)


def turned_back(rng: np.random.Generator, half_m: float = HALF_M) -> Episode:
    """One person comes as far as anywhere from the first edge to under the second zone, and goes back."""
    return _episode([turn_back(rng, LEAD_S, _side(rng), _lane(rng), rng.uniform(-0.45, 0.15), half_m)], 1, 0)


def loitering(rng: np.random.Generator, half_m: float = HALF_M) -> Episode:
    """One person stands 5 to 40 s at the edge or under the sensor, and leaves to either side."""
    direction, to = _side(rng), _side(rng)
    way = {"at_m": rng.uniform(-0.4, 0.4), "stay_s": rng.uniform(5, 40), "to": to, "half_m": half_m}
    person = loiter(rng, LEAD_S, direction, _lane(rng), **way)
    entered, left = crossings(person)
    return Episode([person], entered, left, float(person.times[-1]) + 0.8)


def open_door(rng: np.random.Generator, half_m: float = HALF_M) -> Episode:
    """A door leaf swings to the edge of one zone and stands there 20 to 60 s; three people pass beside it."""
    side = _side(rng)
    stand_s = rng.uniform(20, 60)
    edge = rng.uniform(0.04, 0.20)
    leaf = Leaf(0.5, 0.5 + stand_s, side * rng.uniform(0.06, 0.14), edge)
    people, entered = [], 0
    for at in np.sort(rng.uniform(2, stand_s - 4, 3)) + np.array([0, 1.5, 3.0]):
        direction = _side(rng)
        entered += direction > 0
        height = rng.uniform(1.1, 2.0)
        lane = min(edge - 0.02 - 0.13 * height, 0.0) - rng.uniform(0.0, 0.04)
        people.append(walk(rng, float(at), direction, lane, height_m=height, speed=rng.uniform(0.7, 1.8)))
    end = max(stand_s + 2, max(p.times[-1] for p in people) + 1)
    return Episode(people, int(entered), 3 - int(entered), float(end), [leaf])


def door_alone(rng: np.random.Generator) -> Episode:
    """A door leaf swings to the edge of one zone, stands there 2 to 60 s and closes; nobody comes."""
    stand_s = rng.uniform(2, 60)
    leaf = Leaf(0.5, 0.5 + stand_s, _side(rng) * rng.uniform(0.06, 0.14), rng.uniform(-0.1, 0.10))
    return Episode([], 0, 0, stand_s + 2, [leaf])


def street(rng: np.random.Generator, half_m: float = HALF_M) -> Episode:
    """A minute of mixed traffic in one lane: 12 people in both directions at random, at least 1 s apart."""
    people, entered, at = [], 0, LEAD_S
    for _ in range(12):
        kind = rng.random()
        direction = _side(rng)
        if kind < 0.15:
            person = turn_back(rng, at, direction, _lane(rng), rng.uniform(-0.45, 0.15), half_m)
        else:
            person = walk(rng, at, direction, _lane(rng), half_m=half_m)
            entered += direction > 0
        people.append(person)
        at = float(person.times[-1]) - 1.0 + rng.exponential(2.0)
    turned = sum(abs(p.along_m[-1] - p.along_m[0]) < 1 for p in people)
    return Episode(people, int(entered), 12 - turned - int(entered), float(people[-1].times[-1]) + 1)


CASES: dict[str, Callable[[np.random.Generator], Episode]] = {
    "single": single,
    "children 1.1 to 1.3 m": children,
    "tall and fast": tall_and_fast,
    "in line": in_line,
    "two abreast": abreast,
    "turn-backs": turned_back,
    "loitering": loitering,
    "open door, people pass": open_door,
    "door alone": door_alone,
    "mixed": street,
}


def _side(rng: np.random.Generator) -> int:
    return 1 if rng.random() < 0.5 else -1


def _lane(rng: np.random.Generator) -> float:
    return float(np.clip(rng.normal(0, 0.08), -0.18, 0.18))


def _episode(people: list[Person], direction: int, crossings: int) -> Episode:
    until = max(float(p.times[-1]) for p in people) + 0.8
    return Episode(people, crossings * (direction > 0), crossings * (direction < 0), until)
