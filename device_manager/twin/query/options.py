"""The query string -> a Query. Names of options are trimmed and may be written in any case, as clients do.

What begins with `$` and is no option of SensorThings is answered with 501 when OData has it, else with 400; what
begins otherwise is left to others (a token, a cache buster).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from device_manager.twin.model import Kind, Relation
from device_manager.twin.query import check
from device_manager.twin.query.parser import parse
from device_manager.twin.query.syntax import Expansion, Expression, Order, Path, QueryError, Unsupported

DEFAULT_TOP = 100
MOST_TOP = 10_000
DEEPEST_EXPAND = 6
FORMATS = {"dataarray": "dataArray", "csv": "CSV", "geojson": "GeoJSON"}
TREES = {"$filter": "filter", "$orderby": "orderby", "$select": "select", "$expand": "expand"}
_PLAIN = ("$top", "$skip", "$count", "$resultformat", "$cursor")
_OF_ODATA = ("$apply", "$compute", "$deltatoken", "$format", "$id", "$index", "$levels", "$search", "$value",
             "$skiptoken", "$schemaversion", "$metadata", "$batch")  # fmt: skip


class Expand(NamedTuple):
    """A relation that comes within its entity, as its own query says."""

    relation: Relation
    query: "Query"


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of entities of one kind. `select` () means all; `cursor` is where an earlier page ended."""

    kind: Kind
    top: int = DEFAULT_TOP
    skip: int = 0
    count: bool = False
    select: tuple[str, ...] = ()
    orders: tuple[Order, ...] = ()
    filter: Expression | None = None
    expands: tuple[Expand, ...] = ()
    form: str = ""
    cursor: str = ""


def read(kind: Kind, pairs: Iterable[tuple[str, str]]) -> Query:
    """Return the query that the (name, value) pairs of a query string make; QueryError names option and position."""
    found: dict[str, Any] = {}
    for raw_name, text in pairs:
        name = raw_name.strip().lower()
        if not name.startswith("$"):
            continue
        if name in found:
            raise QueryError(f"expected {name} once, got it again", 0, name)
        found[name] = _value(name, text)
    return _made(kind, [(name, value, 0) for name, value in found.items()], 0)


def _value(name: str, text: str) -> Any:
    if name in _OF_ODATA:
        raise Unsupported(f"{name} is not supported", None, name)
    if name in _PLAIN:
        return text
    if name not in TREES:
        raise QueryError(f"expected an option of SensorThings, got {name}", None, name)
    try:
        return parse(TREES[name], text)
    except QueryError as error:
        raise error.within(name) from None


def _made(kind: Kind, options: Sequence[tuple[str, Any, int]], depth: int) -> Query:
    query = Query(kind)
    if depth > DEEPEST_EXPAND:
        raise Unsupported(f"more than {DEEPEST_EXPAND} levels of $expand are not supported", 0, "$expand")
    names = [name for name, _, _ in options]
    for name, value, position in options:
        if names.count(name) > 1:
            raise QueryError(f"expected {name} once, got it again", position, "$expand")
        try:
            query = _with(query, name, value, depth)
        except QueryError as error:
            raise error.within("$expand" if depth else name) from None
    return query


def _with(query: Query, name: str, value: Any, depth: int) -> Query:
    """Return the query with one more option."""
    kind = query.kind
    if name == "$top":
        return replace(query, top=min(_whole(value), MOST_TOP))
    if name == "$skip":
        return replace(query, skip=_whole(value))
    if name == "$count":
        return replace(query, count=_boolean(value))
    if name == "$resultformat":
        return replace(query, form=_form(kind, value))
    if name == "$cursor":
        return replace(query, cursor=value)
    if name == "$filter":
        check.expression(kind, value)
        return replace(query, filter=value)
    if name == "$orderby":
        return replace(query, orders=check.orders(kind, value))
    if name == "$select":
        return replace(query, select=check.selected(kind, value))
    return replace(query, expands=_expands(kind, value, depth))


def _whole(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise QueryError(f"expected a whole number from 0, got {text[:20]!r}", 0)
    return int(text)


def _boolean(text: str) -> bool:
    if text.strip().lower() not in ("true", "false"):
        raise QueryError(f"expected true or false, got {text[:20]!r}", 0)
    return text.strip().lower() == "true"


def _form(kind: Kind, text: str) -> str:
    form = FORMATS.get(text.strip().lower())
    if form is None:
        raise QueryError(f"expected dataArray, CSV or GeoJSON, got {text[:20]!r}", 0)
    if form == "dataArray" and kind.name != "Observation":
        raise Unsupported(f"dataArray is for Observations, not for {kind.collection}")
    return form


def _expands(kind: Kind, expansions: Sequence[Expansion], depth: int) -> tuple[Expand, ...]:
    found: dict[str, Expand] = {}
    for expansion in expansions:
        made = _expand(kind, expansion, expansion.path.names, depth)
        known = found.get(made.relation.name)
        found[made.relation.name] = _merged(known, made) if known else made
    return tuple(found.values())


def _expand(kind: Kind, expansion: Expansion, names: tuple[str, ...], depth: int) -> Expand:
    """Return what one item of $expand asks for; `A/B(..)` is `A($expand=B(..))`."""
    relation = check.relation(kind, names[0], expansion.path.position)
    target = check.kind_of(relation)
    if len(names) > 1:
        inner = _expand(target, expansion, names[1:], depth + 1)
        return Expand(relation, replace(_made(target, [], depth + 1), expands=(inner,)))
    options = [(option.name, option.value, option.position) for option in expansion.options]
    return Expand(relation, _made(target, options, depth + 1))


def _merged(one: Expand, other: Expand) -> Expand:
    """Return two expansions of one relation as one; only what is below them may differ."""
    if replace(one.query, expands=()) != replace(other.query, expands=()):
        name = one.relation.name
        raise QueryError(f"expected {name} once in $expand, got it again with other options", 0, "$expand")
    inner = {expand.relation.name: expand for expand in one.query.expands}
    for expand in other.query.expands:
        known = inner.get(expand.relation.name)
        inner[expand.relation.name] = _merged(known, expand) if known else expand
    return Expand(one.relation, replace(one.query, expands=tuple(inner.values())))


def order_path(name: str, *, descending: bool = False) -> Order:
    """Return an order by one field."""
    return Order(Path((name,), 0), descending)
