"""Default parameters of the rules by quantity: the table limits.toml, checked when it is read."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Limits:
    """Parameters of one quantity, in its unit; None: this is not judged. What each means stands in limits.toml."""

    low: float | None = None
    high: float | None = None
    stuck_h: float | None = None
    step: float = 0.1
    saturates: float | None = None
    jump: float | None = None
    spike_factor: float | None = None
    spike_offset: float = 0.0
    flat: float | None = None
    pair_abs: float | None = None
    pair_rel: float = 0.0
    drift_abs: float | None = None
    drift_factor: float | None = None
    floor_db: float | None = None
    by_day: bool = False
    settle: float | None = None


def read(text: str) -> dict[str, Limits]:
    """Return limits by quantity from TOML; raises ValueError with the name of a key that is not known."""
    known = {one.name for one in fields(Limits)}
    tables = tomllib.loads(text)
    for quantity, table in tables.items():
        if strange := set(table) - known:
            raise ValueError(f"[{quantity}]: expected keys out of {sorted(known)}, got {sorted(strange)}")
    return {quantity: Limits(**table) for quantity, table in tables.items()}


LIMITS: Mapping[str, Limits] = read(files("device_manager.quality").joinpath("limits.toml").read_text("utf-8"))

NO_LIMITS = Limits()
"""Of a quantity that the table does not name: nothing is judged but presence."""
