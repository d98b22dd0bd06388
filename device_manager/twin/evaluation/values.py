"""What two values say to each other.

Intervals compare by their begin with a moment, and by begin, then end, with another interval. Null equals null only,
and is neither greater nor smaller than anything. Values of different types are not equal, and neither is greater.
Text that is a time is one beside a time.
"""

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from device_manager.twin.query.parser import unix_s
from device_manager.twin.query.syntax import QueryError


class Moment(NamedTuple):
    """A time in Unix s."""

    time_s: float


class Span(NamedTuple):
    """An interval in Unix s."""

    start_s: float
    end_s: float


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
FLIPPED = {"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}


def compare(word: str, left: Any, right: Any) -> bool:
    """Return `left word right`."""
    pair = _alike(left, right)
    if pair is None:
        return word == "ne"
    if left is None or (isinstance(left, bool | dict | list) and word not in ("eq", "ne")):
        return word == "eq"
    return bool(OPERATORS[word](*pair))


def _alike(left: Any, right: Any) -> tuple[Any, Any] | None:
    """Return the two as something that Python compares, None when they are of different types."""
    if isinstance(left, Moment | Span) or isinstance(right, Moment | Span):
        return _times(as_time(left), as_time(right))
    if _is_number(left) and _is_number(right):
        return left, right
    return (left, right) if type(left) is type(right) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _times(left: Moment | Span | None, right: Moment | Span | None) -> tuple[Any, Any] | None:
    if left is None or right is None:
        return None
    if isinstance(left, Span) and isinstance(right, Span):
        return tuple(left), tuple(right)
    return left[0], right[0]


def as_time(value: Any) -> Moment | Span | None:
    """Return a time, also one that is written as text; None for what is none."""
    if isinstance(value, Moment | Span):
        return value
    if not isinstance(value, str) or not value[:1].isdigit():
        return None
    try:
        begin, slash, end = value.partition("/")
        return Span(unix_s(begin, 0), unix_s(end, 0)) if slash else Moment(unix_s(begin, 0))
    except QueryError:
        return None


def rank(value: Any) -> tuple[int, Any]:
    """Return a key that puts values of any types in one order, null first."""
    if value is None:
        return 0, 0
    if isinstance(value, bool):
        return 1, value
    if isinstance(value, int | float):
        return 2, value
    if isinstance(value, Moment | Span):
        return 3, (value[0], value[-1])
    return (4, value) if isinstance(value, str) else (5, str(value))
