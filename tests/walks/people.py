"""A person: a body of ellipsoids that follows a path with gait.

Proportions of stature are those of Drillis and Contini as printed in Winter, Biomechanics and Motor Control of Human
Movement: shoulder at 0.818 H, hip at 0.530 H, shoulder breadth 0.259 H. A head is 0.15 m wide, 0.20 m deep and 0.24 m
high in adults, and nearly so in children. Step length is 0.41 H at 1.35 m/s and grows with the root of the speed; the
body bobs by 2 cm a step and sways by 2 cm a stride, and its speed changes by 6 % within a step.

Axes: x along the passage (IN is towards +x), y across, z up, in metres; t in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

Array = np.ndarray
HALF_M = 1.6


@dataclass
class Person:
    """`height_m`; `times` and `along_m` are the path (piecewise linear), `across_m` the lane; outside they stand."""

    height_m: float
    times: Array
    along_m: Array
    across_m: float
    backpack: bool = False
    phase: float = 0.0
    sway: tuple[Array, Array] | None = field(default=None, repr=False)  # extra movement (x, y) over `times`

    def position(self, t: Array) -> tuple[Array, Array]:
        """Return x and y of the body's middle at the times `t`."""
        x = np.interp(t, self.times, self.along_m)
        y = np.full_like(t, self.across_m)
        step = self._step_phase(t)
        x = x + 0.02 * np.sin(2 * np.pi * step)
        y = y + 0.02 * np.sin(np.pi * step)
        if self.sway is not None:
            x = x + np.interp(t, self.times, self.sway[0])
            y = y + np.interp(t, self.times, self.sway[1])
        return x, y

    def velocity(self, t: Array) -> tuple[Array, Array]:
        """Return the velocity of the body's middle, in m/s."""
        x0, y0 = self.position(t - 0.05)
        x1, y1 = self.position(t + 0.05)
        return (x1 - x0) / 0.1, (y1 - y0) / 0.1

    def _step_phase(self, t: Array) -> Array:
        fine = np.linspace(self.times[0], self.times[-1], max(2, int(20 * (self.times[-1] - self.times[0]))))
        speed = np.abs(np.gradient(np.interp(fine, self.times, self.along_m), fine))
        length = 0.41 * self.height_m * np.sqrt(np.maximum(speed, 0.1) / 1.35)
        steps = np.concatenate([[0.0], np.cumsum((speed / length)[:-1] * np.diff(fine))])
        return np.interp(t, fine, steps) + self.phase

    def body(self, t: Array) -> tuple[Array, Array, Array]:
        """Return centres (ellipsoid, time, 3), half axes (ellipsoid, 3) and reflectances (ellipsoid) at `t`."""
        x, y = self.position(t)
        facing = np.sign(self.along_m[-1] - self.along_m[0]) or 1.0
        step = self._step_phase(t)
        swing = np.sin(np.pi * step)
        tall = self.height_m
        bob = 0.02 * np.cos(2 * np.pi * step)
        scale = 0.85 + 0.15 * min(1.0, tall / 1.75)
        reach = 0.10 * tall
        parts = [  # dx, dy, z, half axes, reflectance at 940 nm
            (0.02 * facing, 0.0, tall - 0.12 * scale, (0.10 * scale, 0.077 * scale, 0.12 * scale), 0.45),
            (0.0, 0.0, 0.785 * tall, (0.062 * tall, 0.130 * tall, 0.040 * tall), 0.5),
            (0.0, 0.0, 0.62 * tall, (0.070 * tall, 0.095 * tall, 0.19 * tall), 0.5),
            (reach * swing, 0.125 * tall, 0.50 * tall, (0.045, 0.04, 0.12 * tall), 0.5),
            (-reach * swing, -0.125 * tall, 0.50 * tall, (0.045, 0.04, 0.12 * tall), 0.5),
            (-reach * swing, 0.05 * tall, 0.28 * tall, (0.07, 0.06, 0.24 * tall), 0.4),
            (reach * swing, -0.05 * tall, 0.28 * tall, (0.07, 0.06, 0.24 * tall), 0.4),
        ]
        if self.backpack:
            parts.append((-0.12 * tall * facing, 0.0, 0.68 * tall, (0.08, 0.15, 0.13 * tall), 0.4))
        centres = np.array(
            [np.stack([x + dx, y + dy, z + bob + 0.0 * t], axis=-1) for dx, dy, z, _, _ in parts]
        )  # fmt: skip
        return centres, np.array([axes for *_, axes, _ in parts]), np.array([r for *_, r in parts])


def walk(rng: np.random.Generator, start_s: float, direction: int, across_m: float, **fixed: float) -> Person:
    """Return a person who walks straight through from 1.6 m (or half_m) before x = 0 to as far behind it; +1 is IN."""
    height, speed = draw(rng, fixed)
    distance = 2 * fixed.get("half_m", HALF_M)
    times = np.linspace(0, distance / speed, 12)
    along = direction * (speed * times - distance / 2)
    return _person(rng, height, times + start_s, along, across_m)


def turn_back(
    rng: np.random.Generator, start_s: float, direction: int, across_m: float, apex_m: float, half_m: float = HALF_M
) -> Person:
    """Return a person who comes from -direction as far as x = apex_m * direction, waits a little, and goes back."""
    height, speed = draw(rng, {})
    pause = rng.uniform(0.1, 1.5)
    distance = half_m + apex_m
    ramp = np.linspace(0, 1, 10)
    slow = 1 - (1 - ramp) ** 1.5  # slows down towards the apex
    leg_s = 1.3 * distance / speed
    out = direction * (-half_m + distance * slow)
    times = np.concatenate([leg_s * ramp, leg_s + pause + leg_s * ramp]) + start_s
    return _person(rng, height, times, np.concatenate([out, out[::-1]]), across_m)


def loiter(rng: np.random.Generator, start_s: float, direction: int, across_m: float, **way: float) -> Person:
    """Return a person who comes, stands around x = at_m for stay_s, wandering, and leaves to the side `to` (+1, -1)."""
    height, speed = draw(rng, {})
    at_m, stay_s, to, half_m = way["at_m"], way["stay_s"], way["to"], way.get("half_m", HALF_M)
    wander = np.arange(0, stay_s, 0.5)
    drift = np.zeros_like(wander)
    for i in range(1, len(drift)):
        drift[i] = 0.85 * drift[i - 1] + rng.normal(0, 0.05)
    come = abs(-half_m * direction - at_m) / speed
    leave = abs(half_m * to - at_m) / speed
    times = np.concatenate([[0], come + wander, [come + stay_s, come + stay_s + leave]]) + start_s
    along = np.concatenate([[-half_m * direction], at_m + drift, [at_m, half_m * to]])
    person = _person(rng, height, times, along, across_m)
    quiver = np.linspace(times[0], times[-1], int(10 * (times[-1] - times[0])))
    person.times, person.along_m = quiver, np.interp(quiver, times, along)
    person.sway = (_tremble(rng, len(quiver)), _tremble(rng, len(quiver)))
    return person


def draw(rng: np.random.Generator, fixed: dict[str, float]) -> tuple[float, float]:
    """Return a height of 1.1 to 2.0 m and a speed of 0.5 to 2 m/s, uniform, unless they are fixed."""
    return fixed.get("height_m", rng.uniform(1.1, 2.0)), fixed.get("speed", rng.uniform(0.5, 2.0))


def _person(rng: np.random.Generator, height: float, times: Array, along: Array, across: float) -> Person:
    return Person(height, times, along, across, bool(rng.random() < 0.2), rng.uniform(0, 2))


def _tremble(rng: np.random.Generator, count: int) -> Array:
    """Sway of a standing person: a centimetre or two, slow."""
    out = np.zeros(count)
    for i in range(1, count):
        out[i] = 0.93 * out[i - 1] + rng.normal(0, 0.006)
    return out
