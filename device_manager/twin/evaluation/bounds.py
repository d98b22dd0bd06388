"""What a filter says of time, number and Datastream before anything is read: bounds that all answers lie in.

>>> find(parse("filter", "phenomenonTime ge 1970-01-01T00:01:00Z and id gt 7"), now_s=0)
Bounds(since_s=60, until_s=..., low=8, high=..., streams=None)
"""

import math
from typing import NamedTuple

from device_manager.twin.evaluation.expressions import values
from device_manager.twin.evaluation.values import FLIPPED, Moment, Span, as_time
from device_manager.twin.query.parser import nodes
from device_manager.twin.query.syntax import Both, Compared, Expression, Path

EVER_S = 1 << 40
LAST = 1 << 62
LONGEST_S = 2 * 86_400  # no observation covers more


class Bounds(NamedTuple):
    """Begins in [since_s, until_s), numbers in low..high, Datastreams by id (None: any)."""

    since_s: int = -EVER_S
    until_s: int = EVER_S
    low: int = 1
    high: int = LAST
    streams: frozenset[int] | None = None

    def both(self, other: "Bounds") -> "Bounds":
        """Return what lies in both."""
        streams = [s for s in (self.streams, other.streams) if s is not None]
        return Bounds(
            max(self.since_s, other.since_s),
            min(self.until_s, other.until_s),
            max(self.low, other.low),
            min(self.high, other.high),
            frozenset.intersection(*streams) if streams else None,
        )


def find(tree: Expression | None, now_s: float) -> Bounds:
    """Return the bounds of a filter of observations."""
    if isinstance(tree, Both):
        return find(tree.left, now_s).both(find(tree.right, now_s))
    if not isinstance(tree, Compared):
        return Bounds()
    operator, path, other = tree.operator, tree.left, tree.right
    if not isinstance(path, Path):
        operator, path, other = FLIPPED[operator], other, path
    if not isinstance(path, Path) or any(isinstance(node, Path) for node in nodes(other)):
        return Bounds()
    (value,) = values(other, lambda _: [], now_s)
    return _of_comparison(_plain(path.names), operator, value)


def _plain(names: tuple[str, ...]) -> tuple[str, ...]:
    names = names[1:] if names[0] in ("Observations", "Observation") else names
    return tuple("id" if name == "@iot.id" else name for name in names)


def _of_comparison(names: tuple[str, ...], operator: str, value: object) -> Bounds:
    if names in (("Datastream", "id"), ("Datastreams", "id")):
        whole = isinstance(value, int) and not isinstance(value, bool)
        return Bounds(streams=frozenset({int(str(value))})) if operator == "eq" and whole else Bounds()
    if names == ("id",) and isinstance(value, int | float) and not isinstance(value, bool):
        low, high = _range(operator, value)
        return Bounds(low=max(low, 1), high=high - 1)
    time = as_time(value)
    if names == ("phenomenonTime",) and time is not None:
        return _of_begin(operator, time)
    if names == ("resultTime",) and time is not None:
        low, high = _range(operator, time[0])
        return Bounds(since_s=max(low - LONGEST_S, -EVER_S), until_s=min(high, EVER_S))
    return Bounds()


def _of_begin(operator: str, time: Moment | Span) -> Bounds:
    loose = {"gt": "ge", "lt": "le"}.get(operator, operator) if isinstance(time, Span) else operator
    low, high = _range(loose, time[0])
    return Bounds(since_s=max(low, -EVER_S), until_s=min(high, EVER_S))


def _range(operator: str, value: float) -> tuple[int, int]:
    """Return [low, high) of the whole numbers that compare so with a value."""
    if not math.isfinite(value) or abs(value) > LAST:
        return -LAST, LAST + 1
    low = {"ge": math.ceil(value), "gt": math.floor(value) + 1, "eq": math.ceil(value)}.get(operator, -LAST)
    high = {"lt": math.ceil(value), "le": math.floor(value) + 1, "eq": math.floor(value) + 1}.get(operator, LAST + 1)
    return low, high
