"""The tree of an expression, and the errors that clients meet. Positions count from 0 in the text of the option.

>>> Compared("gt", Path(("result",), 0), Literal(5.0, "number", 10), 7).operator
'gt'
"""

from typing import NamedTuple


class QueryError(Exception):
    """The request is wrong: HTTP 400. `position` is where in the text of `option` reading stopped, None for none."""

    status = 400
    word = "Bad Request"

    def __init__(self, message: str, position: int | None = None, option: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.option = option

    def within(self, option: str) -> "QueryError":
        """Return the error with the option that it happened in, unless it knows."""
        self.option = self.option or option
        return self


class Unsupported(QueryError):
    """The request is right, and this server does not do it: HTTP 501."""

    status = 501
    word = "Not Implemented"


class Late(QueryError):
    """The request is right, and took too long: HTTP 503."""

    status = 503
    word = "Service Unavailable"


class NotFound(QueryError):
    """There is no such entity: HTTP 404."""

    status = 404
    word = "Not Found"


class Literal(NamedTuple):
    """A value: `kind` is string, number, boolean, null, time (value: Unix s), interval (a pair), or geography."""

    value: object
    kind: str
    position: int


class Path(NamedTuple):
    """Names from an entity on, through relations and into properties."""

    names: tuple[str, ...]
    position: int


class Call(NamedTuple):
    """A function of expressions."""

    name: str
    arguments: "tuple[Expression, ...]"
    position: int


class Compared(NamedTuple):
    """`left operator right`; `operator` is eq, ne, gt, ge, lt or le."""

    operator: str
    left: "Expression"
    right: "Expression"
    position: int


class Both(NamedTuple):
    """`left and right`."""

    left: "Expression"
    right: "Expression"


class Either(NamedTuple):
    """`left or right`."""

    left: "Expression"
    right: "Expression"


class Negated(NamedTuple):
    """`not inner`."""

    inner: "Expression"


Expression = Literal | Path | Call | Compared | Both | Either | Negated


class Order(NamedTuple):
    """A key to sort by."""

    path: Path
    descending: bool


class Expansion(NamedTuple):
    """A relation to follow, with its options."""

    path: Path
    options: "tuple[InnerOption, ...]"


class InnerOption(NamedTuple):
    """An option within `$expand(..)`: its name and its tree, or its text where it has none."""

    name: str
    value: object
    position: int


def children(node: object) -> tuple["Expression", ...]:
    """Return the expressions that an expression is made of."""
    if isinstance(node, Call):
        return node.arguments
    if isinstance(node, Compared | Both | Either):
        return node.left, node.right
    return (node.inner,) if isinstance(node, Negated) else ()
