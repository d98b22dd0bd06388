"""Load and validate the hardware catalogue; today the closed list of quantities.

>>> quantities()["temperature"].unit
'Cel'
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

KINDS = ("mean", "max", "min", "level", "percentile", "total")


class CatalogError(ValueError):
    """A catalogue file says something it may not: file, entry, expected, got."""


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
