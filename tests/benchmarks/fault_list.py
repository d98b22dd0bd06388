"""Every fault that a virtual node can have, read from the sources of its models and shims, so that none is forgotten.

A model asks for its fault by name (`self.fault() == "frozen"`, `fault in ("a", "b")`, `{"a": ..}.get(self.fault())`):
these names are what it offers. What the bus does to every part on it is asked for in `firmware/virtual/i2c.py`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

VIRTUAL = Path(__file__).parents[2] / "firmware" / "virtual"
SHARED = {"__init__": "Part", "dust": "Dust", "sen5x6x": "Sen"}  # what models are made of, by module: the class
NO_SENSOR = {"air", "passers"}
NEEDS_CRC = "bad_crc"


def offered() -> dict[str, set[str]]:
    """Return {model: its faults}."""
    trees = {path.stem: ast.parse(path.read_text("utf-8")) for path in (VIRTUAL / "models").glob("*.py")}
    bus = asked(ast.parse((VIRTUAL / "i2c.py").read_text("utf-8")))
    found = {}
    for name in trees.keys() - SHARED.keys() - NO_SENSOR:
        made_of = _made_of(name, trees)
        faults = {fault for part in made_of for fault in asked(trees[part])}
        found[name] = faults | (_of_bus(bus, [trees[part] for part in made_of]) if _on_i2c(name) else set())
    return found


def _made_of(name: str, trees: dict[str, ast.Module]) -> set[str]:
    """Return the module and those of SHARED whose class it inherits, at any depth."""
    bases = {base.id for one in ast.walk(trees[name]) if isinstance(one, ast.ClassDef) for base in one.bases
             if isinstance(base, ast.Name)}  # fmt: skip
    found = {name}
    for module, kind in SHARED.items():
        if kind in bases:
            found |= _made_of(module, trees) if module != name else set()
    return found


def _of_bus(bus: set[str], trees: list[ast.Module]) -> set[str]:
    """Return the bus's faults; a wrong check sum needs a part that sends one."""
    names = {one.id for tree in trees for one in ast.walk(tree) if isinstance(one, ast.Name)}
    return bus if "with_crc" in names else bus - {NEEDS_CRC}


def _on_i2c(name: str) -> bool:
    text = (VIRTUAL.parent / "sensing" / "drivers" / f"{name}.py").read_text("utf-8")
    return "i2c" in text


def asked(tree: ast.Module) -> set[str]:
    """Return the names that a fault is compared with, or looked up by."""
    return {text for one in ast.walk(tree) for side in _beside_faults(one) for text in _texts(side)}


def _beside_faults(one: ast.AST) -> list[ast.expr]:
    match one:
        case ast.Compare() if _is_fault(one.left):
            return one.comparators
        case ast.Call(func=ast.Attribute(attr="get", value=ast.Dict(keys=keys))) if any(map(_is_fault, one.args)):
            return [key for key in keys if key]
    return []


def _is_fault(one: ast.AST) -> bool:
    if isinstance(one, ast.Call):
        return isinstance(one.func, ast.Attribute) and one.func.attr == "fault"
    return isinstance(one, ast.Name) and one.id == "fault"


def _texts(one: ast.AST) -> Iterator[str]:
    for part in ast.walk(one):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value:
            yield part.value
