"""The register as CSV (RFC 4180, UTF-8, with a head): sites.csv, nodes.csv, stays.csv, groups.csv.

Tags and the nodes of a group have spaces between them, times are ISO 8601, what is missing is an empty cell. The
columns may stand in any order.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from device_manager.errors import UsageError
from device_manager.registry.records import TABLES, Kinds, Record

_TODO = "correct it; nothing was changed"


def texts(tables: Mapping[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Return {file name: text} of all tables."""
    return {f"{name}.csv": _text(rows, TABLES[name]) for name, rows in tables.items()}


def records(directory: Path) -> dict[str, list[Record]]:
    """Read the files of a directory, as far as they are there; UsageError names file, line and column."""
    return {
        name: list(read(directory / f"{name}.csv", name)) for name in TABLES if (directory / f"{name}.csv").exists()
    }


def read(path: Path, table: str) -> Iterator[Record]:
    """Yield the records of one file."""
    kinds = TABLES[table]
    try:
        reader = csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""), strict=True)
        rows = _lines(reader, path)
        head = next(rows, (1, []))[1]
        _check_head(head, kinds, path)
        for line, row in rows:
            if row:
                yield _record(path, line, head, row, kinds)
    except UnicodeDecodeError as error:
        before = path.read_bytes()[: error.start]
        where = _at(path, before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        raise UsageError(expected="UTF-8", got=where, todo=_TODO) from None


def _lines(reader: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line on which a row begins, cells)."""
    line = 1
    try:
        for row in reader:
            yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        got = f"{error} in {_at(path, line, 1)}"
        raise UsageError(expected="CSV", got=got, todo=_TODO) from None


def _check_head(head: list[str], kinds: Kinds, path: Path) -> None:
    for column, field in enumerate(head, 1):
        if field not in kinds or field in head[: column - 1]:
            got = f"{field!r} in {_at(path, 1, column)}"
            raise UsageError(expected=f"each of {', '.join(kinds)} once", got=got, todo=_TODO)
    missing = [field for field, kind in kinds.items() if field not in head and not kind.endswith("?")]
    if missing:
        raise UsageError(expected=f"a column {missing[0]}", got=f"none in {_at(path, 1, len(head) + 1)}", todo=_TODO)


def _record(path: Path, line: int, head: list[str], row: list[str], kinds: Kinds) -> Record:
    def where(field: str) -> str:
        return f"{_at(path, line, head.index(field) + 1)} ({field})"

    if len(row) != len(head):
        got = f"{len(row)} in {_at(path, line, min(len(row), len(head)) + 1)}"
        raise UsageError(expected=f"{len(head)} cells", got=got, todo=_TODO)
    cells = dict(zip(head, row, strict=True))
    return Record({field: _value(cells.get(field, ""), kind, field, where) for field, kind in kinds.items()}, where)


def _value(cell: str, kind: str, field: str, where: Callable[[str], str]) -> Any:
    if kind.endswith("?") and not cell:
        return None
    try:
        return _PARSERS[kind.rstrip("?")](cell)
    except ValueError:
        got = f"{cell!r} in {where(field)}"
        raise UsageError(expected=f"{field} as {kind.rstrip('?')}", got=got, todo=_TODO) from None


def _instant(cell: str) -> datetime:
    found = datetime.fromisoformat(cell)
    if found.tzinfo is None:
        raise ValueError
    return found.astimezone(UTC)


_PARSERS: Mapping[str, Callable[[str], Any]] = {"text": str, "number": float, "words": str.split, "time": _instant}


def _text(rows: list[dict[str, Any]], kinds: Kinds) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(kinds)
    writer.writerows([_cell(row[field]) for field in kinds] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return " ".join(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _at(path: Path, line: int, column: int) -> str:
    return f"{path}, line {line}, column {column}"
