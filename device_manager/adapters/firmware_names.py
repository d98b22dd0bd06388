"""Shorten the firmware's private names before it is compiled: on a node every name costs memory for ever.

MicroPython keeps each name that compiled code uses once (about 7 bytes and its length on an ESP32, 11 on a PC), in
tables that double in size. A name that begins with one underscore and occurs in one module only is nobody else's
business, so all modules may use the same few short ones (but not a class and its base in another module: they share
one instance's names); a private integer becomes a constant, which needs no name at
all. Public names, lines and behaviour stay as they are; a traceback shows the right line under a short name.

    >>> shorten({"a.py": "_LIMIT = 3\\n\\ndef _grow(n):\\n    return n + _LIMIT\\n"})
    {'a.py': '_a = const(3)\\n\\ndef _b(n):\\n    return n + _a\\n'}
"""

import ast
import io
import itertools
import re
import string
import tokenize
from collections import Counter
from collections.abc import Iterator

_PRIVATE = re.compile(r"_[a-zA-Z][a-zA-Z0-9_]*")
_SMALL = 1 << 30  # beyond, a constant is no small integer on an ESP32


def shorten(sources: dict[str, str]) -> dict[str, str]:
    """Return the modules (path -> text) with short private names; all modules of the node must be given at once."""
    names = {path: _private_names(text) for path, text in sources.items()}
    modules = Counter(name for found in names.values() for name in found)
    taken = set(itertools.chain.from_iterable(re.findall(r"\b_[a-z]{1,2}\b", text) for text in sources.values()))
    families = _families(sources)
    spare = {family: _short_names(taken) for family in set(families.values())}
    return {
        path: _rewritten(text, _plan(text, [n for n in names[path] if modules[n] == 1], spare[families[path]]))
        for path, text in sources.items()
    }


def _families(sources: dict[str, str]) -> dict[str, str]:
    """Return module -> a name for all modules that are tied by classes and their bases."""
    family = {path: path for path in sources}
    for path, text in sources.items():
        for base in _base_modules(text):
            found = [other for other in sources if other in (f"{base}.py", f"{base}/__init__.py")]
            for other in found:
                old, new = family[other], family[path]
                family = {module: new if tied == old else tied for module, tied in family.items()}
    return family


def _base_modules(text: str) -> set[str]:
    """Return the modules, as paths without ending, from which the bases of this module's classes are imported."""
    nodes = list(ast.walk(ast.parse(text)))
    bases = {
        base.id for node in nodes if isinstance(node, ast.ClassDef) for base in node.bases if isinstance(base, ast.Name)
    }
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {
        str(node.module).replace(".", "/")
        for node in imports
        if bases & {alias.asname or alias.name for alias in node.names}
    }


def _private_names(text: str) -> Counter[str]:
    """Return how often each private name occurs as a word anywhere, in comments and strings too."""
    return Counter(word for word in re.findall(r"\b\w+\b", text) if _PRIVATE.fullmatch(word))


def _plan(text: str, own: list[str], spare: Iterator[str]) -> dict[str, str]:
    """Return old name -> new name for those names of a module that only its code uses, the most frequent first."""
    counts: Counter[str] = Counter()
    hidden: set[str] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            counts[token.string] += 1
        elif token.type == tokenize.STRING:  # a name that a string spells (getattr, f-string) must stay
            hidden.update(re.findall(r"\b\w+\b", token.string))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            hidden.update(part for alias in node.names for part in alias.name.split("."))
        elif isinstance(node, ast.keyword) and node.arg:  # the callee may be of another module
            hidden.add(node.arg)
    kept = sorted((name for name in own if counts[name] and name not in hidden), key=lambda n: (-counts[n], n))
    return dict(zip(kept, spare, strict=False))


def _short_names(taken: set[str]) -> Iterator[str]:
    for size in (1, 2):
        for letters in itertools.product(string.ascii_lowercase, repeat=size):
            name = "_" + "".join(letters)
            if name not in taken:
                yield name


def _rewritten(text: str, plan: dict[str, str]) -> str:
    """Return the text with the names replaced and private integers of the module made constants, line by line."""
    constants = {node.lineno: node for node in ast.parse(text).body if _is_private_integer(node, plan)}
    lines = text.splitlines(keepends=True)
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    for token in reversed(tokens):
        if token.type == tokenize.NAME and token.string in plan:
            row, column = token.start
            line = lines[row - 1]
            lines[row - 1] = line[:column] + plan[token.string] + line[token.end[1] :]
    for row in constants:
        lines[row - 1] = re.sub(r"^(\w+) = ([^#\n]*[^#\n ])", r"\1 = const(\2)", lines[row - 1])
    return "".join(lines)


def _is_private_integer(node: ast.stmt, plan: dict[str, str]) -> bool:
    """True for `_NAME = 3 * 4` at the top of a module: one line, integers only, small, and private to the module."""
    if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and node.lineno == node.end_lineno):
        return False
    target = node.targets[0]
    if not isinstance(target, ast.Name) or target.id not in plan or target.id != target.id.upper():
        return False
    allowed = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)
    if not all(isinstance(part, allowed) for part in ast.walk(node.value)):
        return False
    constants = [part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)]
    if not all(type(value) is int for value in constants):
        return False
    value = eval(compile(ast.Expression(node.value), "constant", "eval"), {"__builtins__": {}})  # noqa: S307 - integers
    return type(value) is int and abs(value) < _SMALL
