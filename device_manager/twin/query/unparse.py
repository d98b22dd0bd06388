"""A Query -> the options that read as it: for links to the next page, of what was expanded too.

>>> options(read(DATASTREAM, [("$filter", "id  eq 5")]))
[('$filter', 'id eq 5'), ('$top', '100')]
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote

from device_manager.twin.query.options import Expand, Query
from device_manager.twin.query.syntax import Both, Call, Compared, Either, Literal, Negated, Order, Path

SAFE = "$(),;:/'@*=-"


def options(query: Query) -> list[tuple[str, str]]:
    """Return names and values of the options, without $skip and $cursor."""
    found = [
        ("$filter", expression(query.filter) if query.filter is not None else ""),
        ("$orderby", ",".join(map(_order, query.orders))),
        ("$select", ",".join(query.select)),
        ("$expand", ",".join(map(_expand, query.expands))),
        ("$count", "true" if query.count else ""),
        ("$resultFormat", query.form),
        ("$top", str(query.top)),
    ]
    return [(name, value) for name, value in found if value]


def next_link(url: str, query: Query, others: Sequence[tuple[str, str]], cursor: str) -> str:
    """Return the link to the page behind this one; `others` are options of the request that are not ours."""
    pairs = [*others, *options(query), ("$skip", str(query.skip + query.top))]
    pairs += [("$cursor", cursor)] if cursor else []
    return url + "?" + "&".join(f"{quote(name, safe=SAFE)}={quote(value, safe=SAFE)}" for name, value in pairs)


def expression(tree: Any) -> str:
    """Return the text of a filter."""
    if isinstance(tree, Both | Either):
        word = "and" if isinstance(tree, Both) else "or"
        return f"({expression(tree.left)}) {word} ({expression(tree.right)})"
    if isinstance(tree, Negated):
        return f"not ({expression(tree.inner)})"
    if isinstance(tree, Compared):
        return f"{_side(tree.left)} {tree.operator} {_side(tree.right)}"
    if isinstance(tree, Call):
        return f"{tree.name}({','.join(map(expression, tree.arguments))})"
    return "/".join(tree.names) if isinstance(tree, Path) else _literal(tree)


def _side(tree: Any) -> str:
    plain = isinstance(tree, Literal | Path | Call)
    return expression(tree) if plain else f"({expression(tree)})"


def _literal(literal: Literal) -> str:
    value = cast(Any, literal.value)
    if literal.kind == "time":
        return _time(value)
    if literal.kind == "interval":
        return f"{_time(value[0])}/{_time(value[1])}"
    if literal.kind in ("string", "geography"):
        text: str = "'" + value.replace("'", "''") + "'"
        return text if literal.kind == "string" else "geography" + text
    return repr(value) if literal.kind == "number" else {None: "null", True: "true", False: "false"}[value]


def _time(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat().replace("+00:00", "Z")


def _order(order: Order) -> str:
    return "/".join(order.path.names) + (" desc" if order.descending else " asc")


def _expand(expand: Expand) -> str:
    inner = ";".join(f"{name}={value}" for name, value in options(expand.query))
    return f"{expand.relation.name}({inner})"
