"""Load and validate the hardware catalogue: quantities, boards, sensors, node designs.

>>> quantities()["temperature"].unit
'Cel'
>>> designs()["street"].board.chip
'ESP32-S3'

Everything comes from TOML files of this package, is read once and never changes. A file that says something it may not
raises CatalogError, which names file, entry, what was expected and what came.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from hardware.board import Board, parse_board
from hardware.design import Design, parse_design
from hardware.fields import CatalogError
from hardware.sensor import Sensor, parse_sensor

__all__ = ["CatalogError", "Quantity", "boards", "designs", "parse_quantities", "quantities", "sensors"]

KINDS = ("mean", "max", "min", "level", "percentile", "total")


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is measured. `denominator`: integer on the wire per unit; `range`: possible readings in `unit`, or None."""

    name: str
    title: str
    unit: str
    denominator: int
    kind: str
    range: tuple[float, float] | None


@cache
def quantities() -> dict[str, Quantity]:
    """Return all quantities by name, in the order of quantities.toml."""
    return parse_quantities((files("hardware") / "quantities.toml").read_text("utf-8"))


@cache
def boards() -> dict[str, Board]:
    """Return all boards by name."""
    return {name: parse_board(name, text) for name, text in _texts("boards").items()}


@cache
def sensors() -> dict[str, Sensor]:
    """Return all sensors by name."""
    return {name: parse_sensor(name, text, quantities()) for name, text in _texts("sensors").items()}


@cache
def designs() -> dict[str, Design]:
    """Return all node designs by name."""
    return {name: parse_design(name, text, boards(), sensors()) for name, text in _texts("designs").items()}


def _texts(folder: str) -> dict[str, str]:
    found = [entry for entry in (files("hardware") / folder).iterdir() if entry.name.endswith(".toml")]
    return {entry.name.removesuffix(".toml"): entry.read_text("utf-8") for entry in sorted(found, key=lambda e: e.name)}


def parse_quantities(text: str) -> dict[str, Quantity]:
    """Parse the TOML text of a list of quantities; CatalogError names the entry at fault."""
    return {name: _quantity(name, table) for name, table in tomllib.loads(text).items()}


def _quantity(name: str, table: dict[str, object]) -> Quantity:
    known = {"title": str, "unit": str, "denominator": int, "kind": str, "range": list}
    for key, value in table.items():
        if key not in known or not isinstance(value, known[key]):
            raise CatalogError(f"quantities.toml [{name}]: expected {', '.join(known)}; got {key} = {value!r}")
    missing = [key for key in known if key not in table and key != "range"]
    if missing:
        raise CatalogError(f"quantities.toml [{name}]: expected {', '.join(missing)}; got none")
    if table["kind"] not in KINDS:
        raise CatalogError(f"quantities.toml [{name}]: expected kind {', '.join(KINDS)}; got {table['kind']!r}")
    limits = table.get("range")
    if limits is not None and (len(limits) != 2 or limits[0] >= limits[1]):  # type: ignore[arg-type, index]
        raise CatalogError(f"quantities.toml [{name}]: expected range = [low, high]; got {limits!r}")
    return Quantity(**{**table, "name": name, "range": tuple(limits) if limits else None})  # type: ignore[arg-type]
