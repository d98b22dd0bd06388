"""What an LD2450 sees: report frames of people who walk through its field.

Fitted to a captured stream of one person at a desk (tests/data/ld2450, `fit` below repeats it): positions wander as an
AR(1) process; at 2.1 m across the beam 107 to 155 mm (3.5 degrees) with a correlation of 0.91 to 0.93 from frame to
frame, along it 41 to 44 mm with 0.80 to 0.86. The person moved too, so this is an upper bound of the noise. Speed comes
in steps of 8 cm/s (39 and 79 where 40 and 80 would stand) and is positive going away. A target that is lost coasts: its
speed stands still, its steps shrink by 3 % a frame, and it ends after 17 frames; a person who sat still was gone for 85
frames. Frames come at 11.2 Hz.

Assumed, because no capture with two people exists: targets that differ by less than RESOLUTION_M in range and MERGE_M_S
in radial speed are one target between them (two antennas cannot tell two angles in one cell); a new target is reported
after 3 frames; a target fades in FADE of frames; 5 % of targets are missing from a frame and 2 % are anywhere within
1 m.

The radar hangs beside the passage, 2 m back and 2 m aside, and looks at 45 degrees across it, so that people abreast
and people in line differ in range.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.walks.people import Person

FRAME_MS = 89
ANGLE_SIGMA, ANGLE_PHI = np.deg2rad(3.5), 0.92
RANGE_SIGMA_M, RANGE_PHI = 0.043, 0.84
SPEED_STEP = 8
COAST_FRAMES, COAST_SHRINK = 17, 0.969
RESOLUTION_M, MERGE_M_S = 0.36, 0.12
ACQUIRE_FRAMES = 3
FADE, FADE_BACK = 0.01, 0.25
DROPPED, FALSE, FALSE_M = 0.05, 0.02, 1.0
AT = np.array([-2.0, -2.0])
VIEW, REACH_M = np.deg2rad(60), 6.0
HEAD, TAIL = b"\xaa\xff\x03\x00", b"\x55\xcc"


def to_radar(x: float, y: float) -> tuple[float, float]:
    """Return radar axes (x to its right, y ahead, m) of a point of the passage; it looks along (1, 1)."""
    dx, dy = x - AT[0], y - AT[1]
    return float((dx - dy) / np.sqrt(2)), float((dx + dy) / np.sqrt(2))


def line_mm() -> tuple[int, int, int, int]:
    """Return the line x = 0 of the passage from y = -1.5 to 1.5 m in the radar's axes; IN is towards +x."""
    a, b = to_radar(0, 1.5), to_radar(0, -1.5)
    return round(a[0] * 1000), round(a[1] * 1000), round(b[0] * 1000), round(b[1] * 1000)


@dataclass
class Target:
    """One target of the radar: its wandering error, and how long it has been seen or lost."""

    angle: float = 0.0
    reach: float = 0.0
    seen: int = 0
    lost: int = 0
    fading: bool = False
    at: np.ndarray = field(default_factory=lambda: np.zeros(2))
    step: np.ndarray = field(default_factory=lambda: np.zeros(2))
    speed: int = 0


class Radar:
    """Turns people into frames, one at a time; keeps a target for each person."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.targets: dict[int, Target] = {}

    def frames(self, people: list[Person], until_s: float) -> bytes:
        """Return the report frames from t = 0 to `until_s`."""
        t = np.arange(0, until_s, FRAME_MS / 1000)
        tracks = [(*p.position(t), *p.velocity(t), p.times[0], p.times[-1]) for p in people]
        self.targets.clear()
        return b"".join(self._frame([self._truth(track, i, t[i]) for track in tracks]) for i in range(len(t)))

    def _truth(self, track: tuple, i: int, now: float) -> tuple[np.ndarray, np.ndarray] | None:
        """Return position and velocity in radar axes, None outside the view."""
        x, y, vx, vy, first, last = track
        if not first <= now <= last:
            return None
        at = np.array(to_radar(x[i], y[i]))
        reach = float(np.hypot(*at))
        if reach > REACH_M or abs(np.arctan2(at[0], at[1])) > VIEW:
            return None
        v = np.array([(vx[i] - vy[i]), (vx[i] + vy[i])]) / np.sqrt(2)
        return at, v

    def _frame(self, truths: list[tuple[np.ndarray, np.ndarray] | None]) -> bytes:
        cells = _merge(truths)
        for key in range(len(truths)):
            if key in cells:
                self._see(self.targets.setdefault(key, Target()), *cells[key])
            elif key in self.targets:
                self._lose(self.targets[key])
        self.targets = {k: t for k, t in self.targets.items() if t.lost <= COAST_FRAMES}
        shown = [t for t in self.targets.values() if t.seen > ACQUIRE_FRAMES and self.rng.random() >= DROPPED]
        self.rng.shuffle(shown)  # a slot is no name
        slots = b"".join(self._slot(t) for t in shown[:3])
        return HEAD + slots + bytes(24 - len(slots)) + TAIL

    def _see(self, target: Target, at: np.ndarray, velocity: np.ndarray) -> None:
        target.fading = self.rng.random() < (1 - FADE_BACK if target.fading else FADE)
        if target.fading:
            return self._lose(target)
        if target.lost and target.seen:
            target.lost = 0
        target.seen += 1
        target.angle = _wander(self.rng, target.angle, ANGLE_SIGMA, ANGLE_PHI)
        target.reach = _wander(self.rng, target.reach, RANGE_SIGMA_M, RANGE_PHI)
        reach, angle = np.hypot(*at) + target.reach, np.arctan2(at[0], at[1]) + target.angle
        target.at = np.array([reach * np.sin(angle), reach * np.cos(angle)])
        target.step = 0.7 * target.step + 0.3 * velocity * FRAME_MS / 1000  # what its own filter makes of it
        speed = _radial(at, velocity)
        target.speed = SPEED_STEP * round((100 * speed + self.rng.normal(0, 6)) / SPEED_STEP)
        return None

    def _lose(self, target: Target) -> None:
        target.lost += 1
        target.step = target.step * COAST_SHRINK
        target.at = target.at + target.step

    def _slot(self, target: Target) -> bytes:
        at = target.at + (self.rng.uniform(-FALSE_M, FALSE_M, 2) if self.rng.random() < FALSE else 0)
        speed = {40: 39, 80: 79, -40: -39, -80: -79}.get(target.speed, target.speed)
        return struct.pack("<4H", _code(at[0] * 1000), _code(max(1.0, at[1] * 1000)), _code(speed), 360)


def fit(path: Path, first: int = 245, last: int = 301) -> dict[str, tuple[float, float]]:
    """Return (standard deviation in mm, correlation of neighbours) of x and y, frames first..last, detrended."""
    raw = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, 30)[first:last, 4:8].copy().view("<u2").astype(int)
    out = {}
    for name, column in zip("xy", np.where(raw & 0x8000, raw & 0x7FFF, -(raw & 0x7FFF)).T, strict=True):
        rest = column - np.polyval(np.polyfit(np.arange(len(column)), column, 1), np.arange(len(column)))
        out[name] = (float(rest.std()), float((rest[1:] * rest[:-1]).sum() / (rest**2).sum()))
    return out


def _radial(at: np.ndarray, velocity: np.ndarray) -> float:
    """Speed away from the radar."""
    return float(velocity @ at / np.hypot(*at))


def _merge(truths: list[tuple[np.ndarray, np.ndarray] | None]) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Return what the radar can tell apart: persons in one cell appear as the first of them, between them."""
    cells: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for key, truth in enumerate(truths):
        if truth is None:
            continue
        for other, (at, velocity) in cells.items():
            near = abs(np.hypot(*at) - np.hypot(*truth[0])) < RESOLUTION_M
            if near and abs(_radial(at, velocity) - _radial(*truth)) < MERGE_M_S:
                cells[other] = ((at + truth[0]) / 2, (velocity + truth[1]) / 2)
                break
        else:
            cells[key] = truth
    return cells


def _wander(rng: np.random.Generator, value: float, sigma: float, phi: float) -> float:
    return phi * value + float(rng.normal(0, sigma * np.sqrt(1 - phi * phi)))


def _code(value: float) -> int:
    """The radar's sign and magnitude: bit 15 set is positive."""
    magnitude = min(0x7FFF, abs(round(value)))
    return magnitude | 0x8000 if value >= 0 else magnitude
