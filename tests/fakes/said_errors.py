"""What errors say, read from sources: every sentence that a person may meet, with 7 where a value stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PIECES = ("expected", "got", "todo")
VALUE = "7"


def pieces_of(path: Path) -> set[str]:
    """Return what expected, got and todo of the errors in a file say, also by a name that was given a text before."""
    found = set()
    for one in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(one, ast.Call):
            found |= {text for word in one.keywords if word.arg in PIECES for text in _texts(word.value)}
        elif isinstance(one, ast.Assign):
            found |= {text for name in _names(one) if name in PIECES for text in _assigned(one, name)}
    return {text for text in found if re.search("[a-z]{2}", text)}


def node_errors(path: Path) -> set[str]:
    """Return the sentences that raise in a file of the firmware, their % places filled."""
    return {
        re.sub(r"%[.\d]*[a-z]", VALUE, one.value)
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and _name(call).endswith("Error")
        for argument in call.args
        for one in ast.walk(argument)
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value.startswith("expected")
    }


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _names(one: ast.Assign) -> Iterator[str]:
    for target in one.targets:
        for part in target.elts if isinstance(target, ast.Tuple) else [target]:
            if isinstance(part, ast.Name):
                yield part.id


def _assigned(one: ast.Assign, name: str) -> Iterator[str]:
    """Return the texts that a name is given, alone or among others."""
    if isinstance(one.value, ast.Tuple):
        for given, value in zip(_names(one), one.value.elts, strict=False):
            if given == name:
                yield from _texts(value)
    else:
        yield from _texts(one.value)


def _texts(value: ast.expr) -> Iterator[str]:
    match value:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr():
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else VALUE for part in value.values)
        case ast.IfExp():
            yield from _texts(value.body)
            yield from _texts(value.orelse)
