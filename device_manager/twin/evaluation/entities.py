"""Entities of the catalogue: what a path leads to, which a filter leaves, in which order."""

from collections.abc import Iterable, Sequence
from typing import Any

from device_manager.twin.catalogue import Catalogue
from device_manager.twin.evaluation.budget import Budget
from device_manager.twin.evaluation.expressions import truth
from device_manager.twin.evaluation.values import Moment, as_time, rank
from device_manager.twin.model import INTERVAL, TIME, Kind
from device_manager.twin.query.check import OF_OBSERVATIONS, Way, kind_of, resolve
from device_manager.twin.query.options import Query
from device_manager.twin.query.syntax import Order, Path


def values_at(catalogue: Catalogue, way: Way, kind: Kind, entity_id: int) -> list[Any]:
    """Return the values that a way leads to from an entity; many where it goes through collections."""
    ids: Iterable[int] = (entity_id,)
    for relation in way.relations:
        ids = [other for one in ids for other in catalogue.related(kind.name, one, relation.kind)]
        kind = kind_of(relation)
    entities = catalogue.entities[way.kind.name]
    if way.field == "id":
        return list(ids)
    return [inner(way, entities[one].get(way.field)) for one in dict.fromkeys(ids)]


def inner(way: Way, value: Any) -> Any:
    """Return what a way finds within a field's value, with times as times."""
    if way.kind.fields[way.field] in (TIME, INTERVAL):
        return as_time(value)
    for name in way.inner:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def chosen(catalogue: Catalogue, query: Query, ids: Sequence[int], now_s: float, budget: Budget) -> list[int]:
    """Return those of the entities that the query's filter leaves, in its order."""
    kind, tree = query.kind, query.filter
    found = list(ids)
    if tree is not None:
        ways: dict[Path, Way] = {}

        def lookup_in(entity_id: int) -> Any:
            budget.look()
            return lambda path: values_at(catalogue, ways.setdefault(path, resolve(kind, path)), kind, entity_id)

        found = [i for i in found if truth(tree, lookup_in(i), now_s)]
    return ordered(catalogue, kind, query.orders, found)


def ordered(catalogue: Catalogue, kind: Kind, orders: Sequence[Order], ids: Iterable[int]) -> list[int]:
    """Return ids by the keys; the id goes last, in the direction of the last key."""
    found = sorted(ids, reverse=bool(orders) and orders[-1].descending)
    for order in reversed(orders):
        keys = {i: _key(catalogue, kind, order, i) for i in found}
        found.sort(key=keys.__getitem__, reverse=order.descending)
    return found


def _key(catalogue: Catalogue, kind: Kind, order: Order, entity_id: int) -> Any:
    """Return the key of an entity: of many values the least, or the greatest when it is descending."""
    if order.path.names in OF_OBSERVATIONS and kind.name == "Datastream":
        span = catalogue.spans.get(entity_id)
        found: list[Any] = [Moment(span[1] if order.descending else span[0])] if span else []
    else:
        found = values_at(catalogue, resolve(kind, order.path), kind, entity_id)
    ranked = [rank(value) for value in found] or [rank(None)]
    return max(ranked) if order.descending else min(ranked)
