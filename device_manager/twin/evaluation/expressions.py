"""A filter of one entity. A path through a collection has many values: a comparison holds when it holds for any.

>>> truth(parse("filter", "name eq 'a' or 2 lt 1"), lambda path: ["a"], now_s=0)
True
"""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

from device_manager.twin import geometry
from device_manager.twin.evaluation.values import Moment, Span, compare
from device_manager.twin.query.syntax import Both, Call, Compared, Either, Expression, Literal, Negated, Path

Lookup = Callable[[Path], Sequence[Any]]


def truth(tree: Expression, lookup: Lookup, now_s: float) -> bool:
    """True when the filter holds; `lookup` gives the values of a path."""
    if isinstance(tree, Both):
        return truth(tree.left, lookup, now_s) and truth(tree.right, lookup, now_s)
    if isinstance(tree, Either):
        return truth(tree.left, lookup, now_s) or truth(tree.right, lookup, now_s)
    if isinstance(tree, Negated):
        return not truth(tree.inner, lookup, now_s)
    if isinstance(tree, Compared):
        left, right = (values(side, lookup, now_s) for side in (tree.left, tree.right))
        return any(compare(tree.operator, a, b) for a, b in product(left, right))
    return any(value is True for value in values(tree, lookup, now_s))


def values(tree: Expression, lookup: Lookup, now_s: float) -> Sequence[Any]:
    """Return the values that an expression has."""
    if isinstance(tree, Literal):
        return [constant(tree)]
    if isinstance(tree, Path):
        return lookup(tree)
    if isinstance(tree, Call):
        if tree.name == "now":
            return [Moment(now_s)]
        arguments = [values(argument, lookup, now_s) for argument in tree.arguments]
        return [_FUNCTIONS[tree.name](*some) for some in product(*arguments)]
    return [truth(tree, lookup, now_s)]


def constant(literal: Literal) -> Any:
    """Return the value of a literal."""
    value: Any = literal.value
    if literal.kind == "time":
        return Moment(value)
    if literal.kind == "interval":
        return Span(*value)
    return geometry.geometry(value) if literal.kind == "geography" else value


def _on_text(function: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda a, b: isinstance(a, str) and isinstance(b, str) and function(a, b)


def _on_shapes(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def apply(a: Any, b: Any) -> Any:
        one, other = geometry.of_entity(a), geometry.of_entity(b)
        return None if one is None or other is None else function(one, other)

    return apply


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "startswith": _on_text(str.startswith),
    "endswith": _on_text(str.endswith),
    "contains": _on_text(lambda a, b: b in a),
    "substringof": _on_text(lambda a, b: a in b),
    "tolower": lambda a: a.lower() if isinstance(a, str) else None,
    "toupper": lambda a: a.upper() if isinstance(a, str) else None,
    "st_within": _on_shapes(geometry.within),
    "st_intersects": _on_shapes(geometry.intersects),
    "geo.intersects": _on_shapes(geometry.intersects),
    "geo.distance": _on_shapes(geometry.distance),
}
