"""SensorThings in memory: everything in lists, looked through from the first to the last with plain Python.

It shares no code with `device_manager.twin.evaluation`. Questions are trees of tuples:

    ("and", a, b)  ("or", a, b)  ("not", a)  ("compare", operator, path, literal)  ("call", function, path, text)

`text_of` writes one as the $filter that asks the same. Literals are numbers, text, None, or `Time(seconds)`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cmp_to_key
from typing import Any, NamedTuple

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
CALLS: dict[str, Callable[[str, str], bool]] = {
    "startswith": lambda a, b: a.startswith(b),
    "endswith": lambda a, b: a.endswith(b),
    "contains": lambda a, b: b in a,
}
Entities = dict[str, list[dict[str, Any]]]
Related = dict[tuple[str, int, str], list[int]]
PLURALS = {
    "Thing": "Things",
    "Datastream": "Datastreams",
    "Sensor": "Sensors",
    "ObservedProperty": "ObservedProperties",
    "FeatureOfInterest": "FeaturesOfInterest",
}


class Time(NamedTuple):
    """A moment in Unix s; an observation's interval is known by its begin."""

    time_s: int


def iso(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def text_of(tree: Any) -> str:
    """Return the $filter that asks for a tree."""
    if tree[0] in ("and", "or"):
        return f"({text_of(tree[1])}) {tree[0]} ({text_of(tree[2])})"
    if tree[0] == "not":
        return f"not ({text_of(tree[1])})"
    if tree[0] == "call":
        return f"{tree[1]}({tree[2]},{_literal(tree[3])})"
    return f"{tree[2]} {tree[1]} {_literal(tree[3])}"


def _literal(value: Any) -> str:
    if isinstance(value, Time):
        return iso(value.time_s)
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return "null" if value is None else str(value)


class Naive:
    """Entities by collection: dicts as the API writes them, with relations followed by `related`."""

    def __init__(self, entities: Entities, related: Related) -> None:
        self.entities = entities
        self._by_id = {(c, e["@iot.id"]): e for c, found in entities.items() for e in found}
        self._related = related

    def related(self, collection: str, entity_id: int, target: str) -> list[int]:
        """Return the ids of what an entity is related to, growing."""
        return sorted(self._related[collection, entity_id, target])

    def values(self, collection: str, entity: dict[str, Any], path: str) -> list[Any]:
        """Return what a path leads to: many values through many relations."""
        name, _, rest = path.partition("/")
        if name in ("id", "@iot.id"):
            return [entity["@iot.id"]]
        if name in entity and "@iot" not in name and not (rest and not isinstance(entity[name], dict)):
            return [_inner(entity[name], rest)] if rest else [_time(name, entity[name])]
        target = PLURALS.get(name, name)
        ids = self._related[collection, entity["@iot.id"], target]
        return [v for i in ids for v in self.values(target, self._by_id[target, i], rest)]

    def holds(self, collection: str, entity: dict[str, Any], tree: Any) -> bool:
        """True when the entity fits the question."""
        if tree[0] == "and":
            return self.holds(collection, entity, tree[1]) and self.holds(collection, entity, tree[2])
        if tree[0] == "or":
            return self.holds(collection, entity, tree[1]) or self.holds(collection, entity, tree[2])
        if tree[0] == "not":
            return not self.holds(collection, entity, tree[1])
        found = self.values(collection, entity, tree[2])
        if tree[0] == "call":
            return any(isinstance(v, str) and CALLS[tree[1]](v, tree[3]) for v in found)
        return any(_compare(tree[1], v, tree[3]) for v in found)

    def ask(self, collection: str, ids: Iterable[int] | None, tree: Any, orders: list[tuple[str, bool]]) -> list[int]:
        """Return the ids of what fits, in order."""
        among = None if ids is None else set(ids)
        found = [
            e
            for e in self.entities[collection]
            if (among is None or e["@iot.id"] in among) and (tree is None or self.holds(collection, e, tree))
        ]
        last = ("id", orders[-1][1] if orders else False)

        def order(a: dict[str, Any], b: dict[str, Any]) -> int:
            for path, descending in [*orders, last]:
                pick = max if descending else min
                keys = [pick(map(_rank, self.values(collection, e, path)), default=_rank(None)) for e in (a, b)]
                if keys[0] != keys[1]:
                    return (1 if keys[0] > keys[1] else -1) * (-1 if descending else 1)
            return 0

        return [e["@iot.id"] for e in sorted(found, key=cmp_to_key(order))]


def _inner(value: Any, path: str) -> Any:
    for name in path.split("/"):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _time(name: str, value: Any) -> Any:
    if name not in ("phenomenonTime", "resultTime", "time") or value is None:
        return value
    ends = [int(datetime.fromisoformat(text).timestamp()) for text in value.split("/")]
    return tuple(ends) if len(ends) == 2 else Time(ends[0])


def _compare(word: str, left: Any, right: Any) -> bool:
    if isinstance(left, tuple) and not isinstance(left, Time):
        left = Time(left[0])
    if left is None or right is None:
        return (left is None and right is None) if word == "eq" else word == "ne" and left is not right
    number = isinstance(left, int | float) and isinstance(right, int | float)
    if not number and type(left) is not type(right):
        return word == "ne"
    return OPERATORS[word](left, right)


def _rank(value: Any) -> tuple[int, Any]:
    if value is None:
        return 0, 0
    if isinstance(value, tuple):
        return 3, tuple(value) if len(value) == 2 else (value[0], value[0])
    return (4, value) if isinstance(value, str) else (2, value)
