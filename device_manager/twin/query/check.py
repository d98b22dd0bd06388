"""Names of a tree against the model: paths lead somewhere, functions are known and get what they need.

>>> resolve(model.DATASTREAM, Path(("Thing", "properties", "district"), 0))
Way(relations=(Relation(name='Thing', ...),), kind=..., field='properties', inner=('district',))
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from device_manager.twin.geometry import geometry
from device_manager.twin.model import BY_NAME, GEOMETRY, OPEN, Kind, Relation
from device_manager.twin.query.parser import nodes
from device_manager.twin.query.syntax import Call, Literal, Order, Path, QueryError, Unsupported

FUNCTIONS = {
    "startswith": 2,
    "endswith": 2,
    "contains": 2,
    "substringof": 2,
    "tolower": 1,
    "toupper": 1,
    "now": 0,
    "st_within": 2,
    "st_intersects": 2,
    "geo.intersects": 2,
    "geo.distance": 2,
}
GIVING_TRUTH = ("startswith", "endswith", "contains", "substringof", "st_within", "st_intersects", "geo.intersects")
GEOMETRIC = ("st_within", "st_intersects", "geo.intersects", "geo.distance")
_OF_THE_STANDARD = frozenset(
    {
        "length",
        "indexof",
        "substring",
        "trim",
        "concat",
        "year",
        "month",
        "day",
        "hour",
        "minute",
        "second",
        "fractionalseconds",
        "date",
        "time",
        "totaloffsetminutes",
        "mindatetime",
        "maxdatetime",
        "round",
        "floor",
        "ceiling",
        "geo.length",
        "st_equals",
        "st_disjoint",
        "st_touches",
        "st_overlaps",
        "st_crosses",
        "st_contains",
        "st_relate",
        "before",
        "after",
        "meets",
        "during",
        "overlaps",
        "starts",
        "finishes",
        "isof",
        "cast",
        "any",
        "all",
    }
)


class Way(NamedTuple):
    """Where a path leads: through `relations` to `field` of `kind`, and within that to `inner`."""

    relations: tuple[Relation, ...]
    kind: Kind
    field: str
    inner: tuple[str, ...]


def kind_of(relation: Relation) -> Kind:
    """Return the kind that a relation leads to."""
    return BY_NAME[relation.kind]


def relation(kind: Kind, name: str, position: int) -> Relation:
    """Return the kind's relation of that name; QueryError when there is none."""
    found = kind.relation(name)
    if found is None:
        known = ", ".join(r.name for r in kind.relations)
        raise QueryError(f"expected a relation of {kind.name} ({known}), got {name!r}", position)
    return found


@lru_cache(4096)
def resolve(kind: Kind, path: Path) -> Way:
    """Return where a path leads; QueryError with its position when it leads nowhere."""
    names, start = _without_start(kind, path.names), kind
    relations: list[Relation] = []
    for index, name in enumerate(names):
        field = kind.field(name)
        if field is not None:
            return _way(start, relations, kind, field, names[index + 1 :], path)
        found = kind.relation(name)
        if found is None:
            known = ", ".join([*kind.fields, *(r.name for r in kind.relations)])
            raise QueryError(f"expected a property of {kind.name} ({known}), got {name!r}", path.position)
        relations.append(found)
        kind = kind_of(found)
    raise QueryError(f"expected a property of {kind.name} behind {'/'.join(names)!r}, got its end", path.position)


def _without_start(kind: Kind, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names without a first one that says again what kind the path starts from."""
    again = len(names) > 1 and BY_NAME.get(names[0]) is kind and not kind.relation(names[0])
    return names[1:] if again else names


def _way(start: Kind, relations: Sequence[Relation], kind: Kind, field: str, inner: tuple[str, ...], path: Path) -> Way:
    if inner and kind.fields[field] not in (OPEN, GEOMETRY):
        raise QueryError(f"expected nothing behind {field!r} of {kind.name}, got {inner[0]!r}", path.position)
    if kind.name == "Observation" and start is not kind:
        raise Unsupported(f"{'/'.join(path.names)!r}: going through Observations is not supported", path.position)
    return Way(tuple(relations), kind, field, inner)


def expression(kind: Kind, tree: Any) -> None:
    """Raise QueryError unless every path and function of a filter is known, and the whole says true or false."""
    for node in nodes(tree):
        if isinstance(node, Path):
            resolve(kind, node)
        elif isinstance(node, Call):
            _function(node)
        elif isinstance(node, Literal) and node.kind == "geography":
            geometry(str(node.value), node.position)
    if not _says_truth(tree):
        raise QueryError("expected a comparison", tree.position)


def _says_truth(tree: Any) -> bool:
    """True for what can be true or false; a path may lead to a property that is."""
    if isinstance(tree, Literal):
        return tree.kind == "boolean"
    return not isinstance(tree, Call) or tree.name in GIVING_TRUTH


def _function(call: Call) -> None:
    if call.name not in FUNCTIONS:
        if call.name in _OF_THE_STANDARD:
            raise Unsupported(f"the function {call.name} is not supported", call.position)
        raise QueryError(f"expected a function ({', '.join(FUNCTIONS)}), got {call.name!r}", call.position)
    wanted = FUNCTIONS[call.name]
    if len(call.arguments) != wanted:
        got = len(call.arguments)
        raise QueryError(f"expected {wanted} arguments of {call.name}, got {got}", call.position)


def orders(kind: Kind, found: Sequence[Order]) -> tuple[Order, ...]:
    """Return the keys of an $orderby; QueryError when one leads nowhere."""
    for order in found:
        if _by_observations(kind, order):
            continue
        resolve(kind, order.path)
    return tuple(found)


def _by_observations(kind: Kind, order: Order) -> bool:
    """True for `Observations/phenomenonTime` of Datastreams, which is known without reading observations."""
    return kind.name == "Datastream" and order.path.names in OF_OBSERVATIONS


SELF_LINK = "@iot.selfLink"
OF_OBSERVATIONS = (("Observations", "phenomenonTime"), ("Observation", "phenomenonTime"))


def selected(kind: Kind, paths: Sequence[Path]) -> tuple[str, ...]:
    """Return the names of the fields and relations of a $select."""
    found = []
    for path in paths:
        name = path.names[0]
        if name == SELF_LINK:
            found.append(name)
            continue
        field, related = kind.field(name), kind.relation(name)
        if field is None and related is None:
            raise QueryError(f"expected a property of {kind.name}, got {name!r}", path.position)
        found.append(field if field is not None else related.name if related else "")
    return tuple(found)
