"""A series as the rules see it: one quantity of one sensor, sorted by time, NaN where missing."""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

HOUR_S, DAY_S = 3_600, 86_400


def _no_flags() -> Ints:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """Columns of equal length: `start_s` (Unix s of each record's begin, rising), `value`, `flags`.

    `interval_s` is the time from one record to the next when nothing is lost; 0 takes the median of what came.
    `is_total` says that the values are a counter's rising totals, as footfall is on the wire, and not people an
    interval; `check` makes people of them. Raises ValueError when columns differ in length or times do not rise.
    """

    node: str
    quantity: str
    start_s: Ints
    value: Floats
    flags: Ints = field(default_factory=_no_flags)
    interval_s: float = 0.0
    sensor: str = ""
    is_total: bool = False
    boots_s: tuple[int, ...] = ()
    """When the sensor is known to have been switched on, Unix s."""

    def __post_init__(self) -> None:
        flags = self.flags if len(self.flags) else np.zeros(len(self.value), dtype=np.int64)
        if not len(self.start_s) == len(self.value) == len(flags):
            lengths = f"{len(self.start_s)} times, {len(self.value)} values, {len(flags)} flags"
            raise ValueError(f"expected columns of equal length, got {lengths}")
        if np.any(np.diff(self.start_s) <= 0):
            raise ValueError(f"expected rising times in {self.name}, got equal or falling ones: sort and join them")
        object.__setattr__(self, "flags", flags)
        if not self.interval_s:
            object.__setattr__(self, "interval_s", _usual_interval(self.start_s))

    @property
    def name(self) -> str:
        """The node, its sensor where it has a name, and the quantity."""
        return "/".join(part for part in (self.node, self.sensor, self.quantity) if part)

    @property
    def present(self) -> Bools:
        """Mask of the rows that have a value."""
        return ~np.isnan(self.value)

    def between(self, start_s: float, end_s: float) -> "Channel":
        """Return the records that begin in [start_s, end_s)."""
        first, last = np.searchsorted(self.start_s, [start_s, end_s])
        return self.where(slice(int(first), int(last)))

    def where(self, rows: Bools | slice) -> "Channel":
        """Return some of the rows, with the same interval."""
        return replace(self, start_s=self.start_s[rows], value=self.value[rows], flags=self.flags[rows])

    def without(self, bad: Bools) -> "Channel":
        """Return the channel with values missing where `bad` is true."""
        return replace(self, value=np.where(bad, np.nan, self.value))


def _usual_interval(start_s: Ints) -> float:
    return float(np.median(np.diff(start_s))) if len(start_s) > 1 else 60.0
