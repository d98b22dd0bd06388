"""The register as a directory of TOML files that git can compare: one file for each site, node and group.

    sites/<name>.toml   nodes/<name>.toml (with a [[stay]] for each place where it hung)   groups/<name>.toml

What is missing stands in no file; everything else is written, in a fixed order.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomli_w

from device_manager.errors import UsageError
from device_manager.registry.records import TABLES, Kinds, Record

FOLDERS = ("sites", "nodes", "groups")
_ERROR = re.compile(r"(?P<what>.*?) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL)
_TYPES: Mapping[str, tuple[type, ...]] = {"text": (str,), "number": (float, int), "words": (list,), "time": (datetime,)}
_TODO = "correct it; nothing was changed"


def texts(tables: Mapping[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Return {path within the directory: text} of all files."""
    files = {}
    for folder in FOLDERS:
        for row in tables[folder]:
            table = {field: value for field, value in row.items() if field != "name" and value is not None}
            own = tables["stays"] if folder == "nodes" else []
            stays = [_stay(stay) for stay in own if stay["node"] == row["name"]]
            files[f"{folder}/{row['name']}.toml"] = tomli_w.dumps(table) + "".join(stays)
    return files


def _stay(row: Mapping[str, Any]) -> str:
    fields = {field: value for field, value in row.items() if field != "node" and value is not None}
    return "\n[[stay]]\n" + tomli_w.dumps(fields)


def records(directory: Path) -> dict[str, list[Record]]:
    """Read the folders that are there; UsageError names file, line and column of what cannot be read."""
    there = [folder for folder in FOLDERS if (directory / folder).is_dir()]
    found: dict[str, list[Record]] = {folder: [] for folder in there}
    if "nodes" in found:
        found["stays"] = []
    for folder in there:
        for path in sorted((directory / folder).glob("*.toml")):
            _read(path, folder, found)
    return found


def _read(path: Path, folder: str, found: dict[str, list[Record]]) -> None:
    text, table = _load(path)
    stays = table.pop("stay", []) if folder == "nodes" else []
    if not isinstance(stays, list) or not all(isinstance(stay, dict) for stay in stays):
        raise UsageError(expected="[[stay]] tables", got=f"another `stay` in {path}", todo=_TODO)
    heads = [0, *(match.start() for match in re.finditer(r"^\s*\[\[\s*stay\s*\]\]", text, re.MULTILINE))]
    found[folder].append(_record(path, text, 0, {**table, "name": path.stem}, TABLES[folder]))
    for head, stay in zip(heads[1:], stays, strict=False):
        found["stays"].append(_record(path, text, head, {**stay, "node": path.stem}, TABLES["stays"]))
    if len(heads) - 1 != len(stays):
        raise UsageError(expected="each stay as [[stay]]", got=f"another form in {path}", todo=_TODO)


def _load(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_bytes().decode("utf-8")
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        before = path.read_bytes()[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise UsageError(expected="UTF-8", got=_at(path, line, column), todo=_TODO) from None
    except tomllib.TOMLDecodeError as error:
        match = _ERROR.fullmatch(str(error))
        end = text.count("\n") + 1, len(text) - text.rfind("\n")
        line, column = (int(match["line"]), int(match["column"])) if match and match["line"] else end
        got = f"{match['what'] if match else error} in {_at(path, line, column)}"
        raise UsageError(expected="TOML", got=got, todo=_TODO) from None


def _record(path: Path, text: str, head: int, values: Mapping[str, Any], kinds: Kinds) -> Record:
    def where(field: str) -> str:
        return _at(path, *_place(text, head, field))

    made: dict[str, Any] = {}
    for field, value in values.items():
        if field not in kinds:
            got = f"{field} in {where(field)}"
            raise UsageError(expected=f"one of {', '.join(kinds)}", got=got, todo=_TODO)
        made[field] = _value(value, kinds[field].rstrip("?"), field, where)
    for field, kind in kinds.items():
        if field not in made and not kind.endswith("?"):
            raise UsageError(expected=f"a line `{field} = ..`", got=f"none in {_at(path, 1, 1)}", todo=_TODO)
    return Record({field: made.get(field) for field in kinds}, where)


def _value(value: Any, kind: str, field: str, where: Callable[[str], str]) -> Any:
    right = isinstance(value, _TYPES[kind]) and not isinstance(value, bool)
    if right and kind == "words":
        right = all(isinstance(word, str) for word in value)
    if right and kind == "time":
        right = value.tzinfo is not None
    if not right:
        means = {"text": "a text", "number": "a number", "words": "a list of texts", "time": "a time with its offset"}
        raise UsageError(expected=f"{field} = {means[kind]}", got=f"{value!r} in {where(field)}", todo=_TODO)
    if kind == "time":
        return value.astimezone(UTC)
    return float(value) if kind == "number" else value


def _place(text: str, head: int, field: str) -> tuple[int, int]:
    """Return line and column of a field's value behind position `head`; of the head itself when it is not there."""
    match = re.compile(rf"^[ \t]*{re.escape(field)}[ \t]*=[ \t]*", re.MULTILINE).search(text, head)
    at = match.end() if match else head
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _at(path: Path, line: int, column: int) -> str:
    return f"{path}, line {line}, column {column}"


def names(directory: Path) -> Iterator[str]:
    """Yield the paths within `directory` that `texts` may have written: what an export may remove."""
    for folder in FOLDERS:
        for path in (directory / folder).glob("*.toml"):
            yield f"{folder}/{path.name}"
