"""Take typed values out of TOML tables; whatever does not fit is an error that names file, entry, expected and got.

>>> reader = Reader("boards/x.toml", {"title": "X", "flash_bytes": "8 MB"})
>>> reader.text("title")
'X'
>>> reader.whole("flash_bytes")
Traceback (most recent call last):
hardware.fields.CatalogError: boards/x.toml flash_bytes: expected a whole number of 0 or more; got '8 MB'

A key that nobody asked for is an error as well: `done` raises it, so that a typing mistake never goes unnoticed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_OPTION = "a whole number, a text or a list of whole numbers"


class CatalogError(ValueError):
    """A catalogue file says something it may not: file, entry, expected, got."""


class Reader:
    """One table of a file. `where` names it in errors; methods called maybe_... return None for an absent key."""

    def __init__(self, where: str, table: Mapping[str, object]) -> None:
        self.where = where
        self._table = table
        self._asked: list[str] = []

    def text(self, key: str) -> str:
        """Return a text that is not empty."""
        return str(self._required(key, self.maybe_text(key), "a text"))

    def maybe_text(self, key: str) -> str | None:
        """Return a text that is not empty, or None."""
        found = self._take(key, "a text", lambda value: isinstance(value, str) and bool(value.strip()))
        return None if found is None else str(found)

    def choice(self, key: str, options: Sequence[str]) -> str:
        """Return one of `options`."""
        expected = f"one of {', '.join(options)}"
        return str(self._required(key, self._take(key, expected, lambda value: value in options), expected))

    def whole(self, key: str, low: int = 0) -> int:
        """Return a whole number of `low` or more."""
        return int(self._required(key, self.maybe_whole(key, low), _at_least(low)))

    def maybe_whole(self, key: str, low: int = 0) -> int | None:
        """Return a whole number of `low` or more, or None."""
        found = self._take(key, _at_least(low), lambda value: _is_whole(value, low))
        return None if found is None else int(found)

    def maybe_number(self, key: str) -> float | None:
        """Return a number above 0, or None."""
        found = self._take(key, "a number above 0", lambda value: _is_number(value) and value > 0)
        return None if found is None else float(found)

    def number(self, key: str) -> float:
        """Return a number above 0."""
        return float(self._required(key, self.maybe_number(key), "a number above 0"))

    def span(self, key: str) -> tuple[float, float]:
        """Return [low, high] as a pair."""
        expected = "[low, high] in rising order"
        low, high = self._required(key, self._take(key, expected, _is_span), expected)
        return float(low), float(high)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; an absent key is an empty one."""
        found = self._take(key, "a list of texts", lambda value: _all(value, lambda item: isinstance(item, str)))
        return tuple(found or ())

    def wholes(self, key: str) -> tuple[int, ...]:
        """Return a list of whole numbers; an absent key is an empty one."""
        found = self._take(key, "a list of whole numbers", lambda value: _all(value, lambda item: _is_whole(item, 0)))
        return tuple(found or ())

    def table(self, key: str) -> Reader:
        """Return a table as another reader."""
        found = self.maybe_table(key)
        if found is None:
            raise self.error(key, "a table", "nothing")
        return found

    def maybe_table(self, key: str) -> Reader | None:
        """Return a table as another reader, or None."""
        found = self._take(key, "a table", lambda value: isinstance(value, dict))
        return Reader(f"{self.where} [{key}]", found) if isinstance(found, dict) else None

    def tables(self, key: str) -> list[Reader]:
        """Return a list of tables as readers, named by their `name` or their number; an absent key is an empty one."""
        found = self._take(key, "a list of tables", lambda value: _all(value, lambda item: isinstance(item, dict)))
        rows: list[dict[str, object]] = list(found or ())
        return [Reader(f"{self.where} [[{key}]] {row.get('name', number)}", row) for number, row in enumerate(rows)]

    def options(self) -> dict[str, object]:
        """Return all keys with whole numbers, texts or lists of whole numbers: what a driver asks for besides pins."""
        return {name: self._required(name, self._take(name, _OPTION, _is_option), _OPTION) for name in self._table}

    def names(self) -> list[str]:
        """Return the table's keys in the order of the file, for tables whose keys are data."""
        return list(self._table)

    def error(self, key: str, expected: str, got: object) -> CatalogError:
        """Return the error for `key`; `got` is shown as it stands in the file."""
        shown = got if got == "nothing" else repr(got)
        return CatalogError(f"{self.where} {key}: expected {expected}; got {shown}")

    def done(self) -> None:
        """Refuse keys that nobody asked for."""
        unknown = [key for key in self._table if key not in self._asked]
        if unknown:
            raise CatalogError(f"{self.where}: expected only {', '.join(self._asked)}; got {', '.join(unknown)}")

    def _take(self, key: str, expected: str, fits: Callable[[Any], bool]) -> Any:
        self._asked.append(key)
        value = self._table.get(key)
        if value is not None and not fits(value):
            raise self.error(key, expected, value)
        return value

    def _required(self, key: str, value: Any, expected: str) -> Any:
        if value is None:
            raise self.error(key, expected, "nothing")
        return value


def parse(where: str, text: str) -> Reader:
    """Return a reader of the TOML `text` of file `where`."""
    try:
        return Reader(where, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise CatalogError(f"{where}: expected TOML; got {error}") from None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object, low: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


def _is_option(value: object) -> bool:
    return isinstance(value, str) or _is_any_whole(value) or _all(value, _is_any_whole)


def _is_any_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_span(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)) and value[0] <= value[1]


def _all(value: object, fits: Callable[[object], bool]) -> bool:
    return isinstance(value, list) and all(map(fits, value))


def _at_least(low: int) -> str:
    return f"a whole number of {low} or more"
