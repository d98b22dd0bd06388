"""What a design draws, rail by rail and mode by mode, from numbers with a source alone; what is not known is named.

A rail made from another one counts there with the same current. That is exact for a linear regulator and too much for a
switching one, whose efficiency no source says.
"""

from __future__ import annotations

from dataclasses import dataclass

from hardware.board import MODES
from hardware.design import Design

INPUT = "5V"
CHIP_RAIL = "3V3"
PEAK = "peak"


@dataclass(frozen=True, slots=True)
class Draw:
    """What all rails give in one mode; `rails_ma` by rail, `watts` at the input."""

    mode: str
    rails_ma: dict[str, float]
    watts: float


@dataclass(frozen=True, slots=True)
class Power:
    """`draws` by mode, the last one when all peaks meet. `unknown` are lines that say which numbers are missing."""

    draws: tuple[Draw, ...]
    unknown: tuple[str, ...]


def power(design: Design) -> Power:
    """Return what is known of a design's supply: sensors measuring in each known mode of the board, then all peaks."""
    modes = [mode for mode in map(design.board.mode, MODES) if mode]
    sensors = {m.name: (m.rail, m.sensor.supply.typical_ma or 0.0) for m in design.sensors if m.sensor.supply}
    draws = []
    for mode in modes:
        rails = {rail: _on_rail(design, rail, sensors, mode.milliamps) for rail in design.rails}
        draws.append(_draw(design, mode.name, rails))
    draws.append(_draw(design, PEAK, {rail: rail_most_ma(design, rail) for rail in design.rails}))
    return Power(tuple(draws), tuple(_unknown(design)))


def rail_most_ma(design: Design, rail: str) -> float:
    """Return what hangs on a rail when all peaks meet, in milliamperes; sensors without a number count nothing."""
    sensors = {m.name: (m.rail, m.sensor.supply.most_ma or 0.0) for m in design.sensors if m.sensor.supply}
    return _on_rail(design, rail, sensors, design.board.peak_ma or 0.0)


def _on_rail(design: Design, rail: str, sensors: dict[str, tuple[str, float]], chip_ma: float) -> float:
    own_ma = sum(milliamps for hangs_on, milliamps in sensors.values() if hangs_on == rail)
    chip_share_ma = chip_ma if rail == CHIP_RAIL else 0.0
    made_of_it = [other.name for other in design.rails.values() if other.fed_by == rail]
    return own_ma + chip_share_ma + sum(_on_rail(design, other, sensors, chip_ma) for other in made_of_it)


def _draw(design: Design, mode: str, rails_ma: dict[str, float]) -> Draw:
    rounded = {rail: round(milliamps, 2) for rail, milliamps in rails_ma.items()}
    return Draw(mode, rounded, round(rails_ma[INPUT] / 1000 * design.rails[INPUT].volts, 2))


def _unknown(design: Design) -> list[str]:
    lines = [f"{design.board.name}: current in mode {mode}" for mode in MODES if not design.board.mode(mode)]
    for mounted in design.sensors:
        supply, what = mounted.sensor.supply, f"{mounted.name} ({mounted.sensor.name})"
        if supply is None:
            lines.append(f"{what}: supply voltage and current")
        else:
            lines += [f"{what}: typical current"] if supply.typical_ma is None else []
            lines += [f"{what}: peak current"] if supply.peak_ma is None else []
    lines += [f"{rail.name}: losses of {rail.part}" for rail in design.rails.values() if rail.part]
    return lines
