"""Which nodes a group has when it is a question: `district=Innenstadt and not tag=school`. Pure.

    FIELD=VALUE, FIELD!=VALUE, joined by and, or, not and parentheses; a * in a value stands for any characters;
    a value with spaces or parentheses stands in double quotes, a " in it is written \\"

A node matches FIELD=VALUE when one of its values of that field does: a node has many tags, and one that hangs nowhere
has no district. FIELDS are the words that a question may use.

>>> matches(parse('tag=air and not site=hof*'), {"tag": ("air", "new"), "site": ("rathausplatz",)})
True
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # loaded when a question is asked: a list of nodes need not wait for it
    from lark import Lark, Token, Tree

    Query = Tree[Token]
else:
    Query = Any

from device_manager.errors import UsageError

FIELDS = ("node", "tag", "admission", "site", "site-tag", "district", "fixture", "zone", "board", "firmware", "release")
Facts = Mapping[str, Iterable[str]]

_GRAMMAR = r"""
?start: any
?any: all ("or" all)* -> any
?all: term ("and" term)* -> all
?term: "not" term -> no | "(" any ")" | FIELD OPERATOR VALUE -> test
OPERATOR: "!=" | "="
FIELD: /[a-z][a-z-]*(?=\s*!?=)/
VALUE: /"(\\.|[^"\\])*"/ | /[^\s()"=!]+/
%ignore /\s+/
"""


@cache
def _parser() -> "Lark":
    from lark import Lark

    return Lark(_GRAMMAR, parser="lalr", lexer="contextual")


def parse(text: str) -> Query:
    """Return the question of a text; UsageError names the column."""
    from lark import Token
    from lark.exceptions import UnexpectedInput, UnexpectedToken

    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        column = len(text) + 1 if at_end else error.column
        got = f"{text!r}, which breaks at column {column}"
        todo = 'write for example `district=Innenstadt and not tag=school`, values with spaces in "quotes"'
        raise UsageError(expected="FIELD=VALUE with and, or, not", got=got, todo=todo) from None
    for test in tree.find_data("test"):
        field = test.children[0]
        if isinstance(field, Token) and field not in FIELDS:
            got = f"{field} at column {field.column}"
            raise UsageError(expected=f"one of {', '.join(FIELDS)}", got=got, todo="correct the question")
    return tree


def matches(query: Query, facts: Facts) -> bool:
    """True when a node of these facts belongs to it."""
    parts: list[Any] = query.children
    if query.data == "any":
        return any(matches(part, facts) for part in parts)
    if query.data == "all":
        return all(matches(part, facts) for part in parts)
    if query.data == "no":
        return not matches(parts[0], facts)
    field, operator, value = parts
    found: bool = any(_pattern(value).fullmatch(known) for known in facts.get(field, ()))
    return found if operator == "=" else not found


@cache
def _pattern(value: str) -> re.Pattern[str]:
    text = json.loads(value) if value.startswith('"') else value
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)
