"""Shorten the names of parameters in the firmware, see `firmware_names` for why: 160 names less on a node.

A parameter is its function's own business, so all functions may use the same few names, unless

    a call anywhere names it                f(size=3) needs the word
    it has a default                        which invites such calls
    it is something else in its function    a name that is imported, global, nonlocal or deleted there, or in a class

>>> shorten_parameters({"a.py": "def grow(size, step=1):\\n    return size + step\\n"})
{'a.py': 'def grow(_a, step=1):\\n    return _a + step\\n'}
"""

import ast
import itertools
import string
from collections.abc import Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef
Span = tuple[int, int, str]  # line from 1, column in bytes, the old name


def shorten_parameters(sources: dict[str, str]) -> dict[str, str]:
    """Return the modules (path -> text) with short parameters; all modules of the node must be given at once."""
    trees = {path: ast.parse(text) for path, text in sources.items()}
    named = {node.arg for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    return {path: _rewritten(text, _changes(trees[path], named)) for path, text in sources.items()}


def _changes(tree: ast.Module, named: set[str | None]) -> dict[Span, str]:
    """Return what to replace in one module: the outermost functions decide for those within."""
    changes: dict[Span, str] = {}
    # Of the whole module: mpy-cross puts a constant's value wherever it reads its name, even for a parameter.
    words = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    words |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    for function in _outermost(tree):
        free = (name for name in _short_names() if name not in words)
        renamed = dict(zip(sorted(_own(function) - named - _elsewhere(function)), free, strict=False))
        for node in ast.walk(function):
            name = node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else ""
            if name in renamed:
                changes[(node.lineno, node.col_offset, name)] = renamed[name]  # type: ignore[attr-defined]
    return changes


def _outermost(tree: ast.AST) -> Iterator[Function]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield node
        else:
            yield from _outermost(node)


def _own(function: Function) -> set[str]:
    """Return the parameters without a default, of the function and of those within."""
    found: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, Function | ast.Lambda):
            plain = node.args.args[: len(node.args.args) - len(node.args.defaults)]
            found |= {argument.arg for argument in plain}
    return found


def _elsewhere(function: Function) -> set[str | None]:
    """Return names that mean something that this module's rewriting does not follow."""
    found: set[str | None] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Global | ast.Nonlocal):
            found.update(node.names)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name)
        elif isinstance(node, Function):
            found |= {node.name, *_names_around(node)}
        elif isinstance(node, ast.ExceptHandler | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arguments):
            outer = [*node.defaults, *(default for default in node.kw_defaults if default)]
            found.update(part.id for value in outer for part in ast.walk(value) if isinstance(part, ast.Name))
            found.update(argument.arg for argument in (node.vararg, node.kwarg, *node.kwonlyargs) if argument)
            found.update(argument.arg for argument in node.args[len(node.args) - len(node.defaults) :])
        if isinstance(node, ast.ClassDef):
            found.update(part.id for part in ast.walk(node) if isinstance(part, ast.Name))
    return found


def _names_around(function: Function) -> set[str]:
    """Return the names in decorators and annotations: they are looked up outside."""
    annotations = [argument.annotation for argument in function.args.args]
    around = [*function.decorator_list, *annotations, function.returns]
    return {part.id for value in around if value for part in ast.walk(value) if isinstance(part, ast.Name)}


def _short_names() -> Iterator[str]:
    for size in (1, 2):
        for letters in itertools.product(string.ascii_lowercase, repeat=size):
            yield "_" + "".join(letters)


def _rewritten(text: str, changes: dict[Span, str]) -> str:
    lines = [line.encode() for line in text.splitlines(keepends=True)]
    for (row, column, old), new in sorted(changes.items(), reverse=True):
        line = lines[row - 1]
        lines[row - 1] = line[:column] + new.encode() + line[column + len(old.encode()) :]
    return b"".join(lines).decode()
