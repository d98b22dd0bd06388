"""Text of one option -> its tree, by the grammar `grammar.lark`.

>>> parse("filter", "result gt 5 and not contains(name,'o''clock')")
Both(left=Compared(operator='gt', ...), right=Negated(...))

Text is at most LONGEST characters, nested at most DEEPEST levels and joined of at most MOST_TERMS terms, so that no
text can take long or overflow.
"""

import re
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken, VisitError

from device_manager.twin.query.syntax import (
    Both,
    Call,
    Compared,
    Either,
    Expansion,
    InnerOption,
    Literal,
    Negated,
    Order,
    Path,
    QueryError,
    Unsupported,
    children,
)

LONGEST = 8000
DEEPEST = 60
MOST_TERMS = 200
STARTS = ("filter", "orderby", "select", "expand")
_ZONE = re.compile(r"[ +](\d\d):?(\d\d)$")
_NAMES_OF_TOKENS = {
    "NAME": "a name",
    "STRING": "a text in quotes",
    "NUMBER": "a number",
    "COMPARISON": "eq, ne, gt, ge, lt or le",
    "FUNCTION": "a function",
    "RPAR": "')'",
    "LPAR": "'('",
    "COMMA": "','",
    "SEMICOLON": "';'",
    "SLASH": "'/'",
    "$END": "the end",
}


def parse(start: str, text: str) -> Any:
    """Return the tree of an option's text; `start` is one of STARTS. QueryError with its position when it is wrong."""
    if len(text) > LONGEST:
        raise QueryError(f"expected at most {LONGEST} characters, got {len(text)}", LONGEST)
    _check_depth(text)
    try:
        return _lark().parse(text, start=start)
    except VisitError as error:
        if isinstance(error.orig_exc, QueryError):
            raise error.orig_exc from None
        raise
    except UnexpectedInput as error:
        raise _explained(error, text) from None


def _check_depth(text: str) -> None:
    """Refuse text that is nested too deeply, or chained too long, for anything that walks its tree."""
    depth = terms = 0
    for match in re.finditer(r"'(?:[^']|'')*'|[()]|\b(not|and|or)\b", text, re.I):
        word = match[0].lower()
        depth += {"(": 1, ")": -1, "not": 1}.get(word, 0)
        terms += word in ("and", "or", "not")
        if depth > DEEPEST or terms > MOST_TERMS:
            raise QueryError(f"expected at most {DEEPEST} levels and {MOST_TERMS} terms", match.start())


def _explained(error: UnexpectedInput, text: str) -> QueryError:
    position = error.pos_in_stream
    if isinstance(error, UnexpectedEOF) or (isinstance(error, UnexpectedToken) and error.token.type == "$END"):
        position = len(text)
    position = len(text) if position is None or position < 0 else position
    wanted = error.allowed if isinstance(error, UnexpectedCharacters) else getattr(error, "expected", set())
    names = sorted({_NAMES_OF_TOKENS[name] for name in wanted or () if name in _NAMES_OF_TOKENS})
    got = repr(text[position : position + 20]) if position < len(text) else "the end"
    return QueryError(f"expected {', '.join(names) or 'something else'}, got {got}", position)


@cache
def _lark() -> Lark:
    grammar = files("device_manager.twin.query").joinpath("grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", start=list(STARTS), transformer=_Tree())


def _at(token: Any) -> int:
    return int(token.start_pos)


@v_args(inline=True)
class _Tree(Transformer[Token, Any]):
    """Makes the tree while the text is read."""

    def either(self, left: Any, _: Token, right: Any) -> Either:
        return Either(left, right)

    def both(self, left: Any, _: Token, right: Any) -> Both:
        return Both(left, right)

    def negated(self, _: Token, inner: Any) -> Negated:
        return Negated(inner)

    def compared(self, left: Any, operator: Token, right: Any) -> Compared:
        return Compared(operator.lower(), left, right, _at(operator))

    def calculated(self, _left: Any, operator: Token, _right: Any) -> Any:
        raise Unsupported(f"arithmetic ({operator}) is not supported", _at(operator))

    def call(self, name: Token, *arguments: Any) -> Call:
        return Call(name.lower(), tuple(a for a in arguments if a is not None), _at(name))

    def path(self, *names: Token) -> Path:
        return Path(tuple(str(name) for name in names), _at(names[0]))

    def string(self, token: Token) -> Literal:
        return Literal(token[1:-1].replace("''", "'"), "string", _at(token))

    def number(self, token: Token) -> Literal:
        return Literal(number(token), "number", _at(token))

    def boolean(self, token: Token) -> Literal:
        return Literal(token.lower() == "true", "boolean", _at(token))

    def null(self, token: Token) -> Literal:
        return Literal(None, "null", _at(token))

    def time(self, token: Token) -> Literal:
        return Literal(unix_s(str(token), _at(token)), "time", _at(token))

    def interval(self, token: Token) -> Literal:
        begin, end = token.split("/")
        return Literal((unix_s(begin, _at(token)), unix_s(end, _at(token))), "interval", _at(token))

    def geography(self, token: Token) -> Literal:
        text = token[token.index("'") + 1 : -1]
        return Literal(text, "geography", _at(token))

    def duration(self, token: Token) -> Literal:
        raise Unsupported("durations are not supported", _at(token))

    def order(self, path: Path, direction: Token | None = None) -> Order:
        return Order(path, direction is not None and direction.lower() == "desc")

    def orderby(self, *orders: Order) -> tuple[Order, ...]:
        return orders

    def select(self, *paths: Path) -> tuple[Path, ...]:
        return paths

    def expand(self, *expansions: Expansion) -> tuple[Expansion, ...]:
        return expansions

    def expansion(self, path: Path, *options: InnerOption | None) -> Expansion:
        return Expansion(path, tuple(option for option in options if option is not None))

    def in_filter(self, name: Token, value: Any) -> InnerOption:
        return InnerOption("$filter", value, _at(name))

    def in_orderby(self, name: Token, value: Any) -> InnerOption:
        return InnerOption("$orderby", value, _at(name))

    def in_select(self, name: Token, value: Any) -> InnerOption:
        return InnerOption("$select", value, _at(name))

    def in_expand(self, name: Token, value: Any) -> InnerOption:
        return InnerOption("$expand", value, _at(name))

    def in_top(self, name: Token, value: Token) -> InnerOption:
        return InnerOption("$top", str(value), _at(name))

    def in_skip(self, name: Token, value: Token) -> InnerOption:
        return InnerOption("$skip", str(value), _at(name))

    def in_count(self, name: Token, value: Token) -> InnerOption:
        return InnerOption("$count", str(value), _at(name))


def number(text: str) -> int | float:
    """Return a number; whole ones stay whole."""
    return int(text) if re.fullmatch(r"-?\d{1,18}", text) else float(text)


def unix_s(text: str, position: int) -> float:
    """Return the Unix time of ISO 8601 text; without a zone it is UTC. A blank for `+` is what forms make of it."""
    plain = _ZONE.sub(r"+\1:\2", text)
    try:
        read = datetime.fromisoformat(plain)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise QueryError(f"expected a time as 2026-06-01T12:00:00Z, got {text!r} ({error})", position) from None


def nodes(tree: Any) -> list[Any]:
    """Return all expressions of a tree, the outer before the inner."""
    found, left = [], [tree]
    while left:
        node = left.pop()
        found.append(node)
        left += reversed(children(node))
    return found
