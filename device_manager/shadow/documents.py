"""Shadows as JSON documents, the form in which the store keeps them.

Fields that a document lacks have their defaults and unknown ones are ignored, so that an older or newer citynode's
document reads.
"""

from collections.abc import Sequence
from typing import cast

import orjson

from device_manager.ports import ShadowEvent
from device_manager.shadow.fold import CHANGES, NAMES, Fields, Shadow, fields_of, fold

_FIELDS = frozenset(NAMES)
_REMEMBERED = 20_000


def to_document(shadow: Shadow) -> str:
    """Return the shadow as JSON text."""
    return _encoded(fields_of(shadow))


def _encoded(fields: Fields) -> str:
    return orjson.dumps(fields, default=list).decode()  # `default` is for named tuples


def from_document(document: str) -> Shadow:
    """Return the shadow that `to_document` wrote."""
    return Shadow(**_read(document))


def _read(document: str) -> Fields:
    found: Fields = orjson.loads(document)
    if found.keys() == _FIELDS:
        return found
    return {**fields_of(Shadow(found["node"])), **{name: found[name] for name in NAMES if name in found}}


class _Glimpse:
    """What looks like a Shadow and takes a third of the time to make: a document's fields over the defaults."""

    buffered, not_held = Shadow.buffered, Shadow.not_held
    bytes_per_value, rejected = Shadow.bytes_per_value, Shadow.rejected


for _name, _value in fields_of(Shadow("")).items():
    setattr(_Glimpse, _name, _value)


def glimpse(document: str) -> Shadow:
    """Return the shadow that `to_document` wrote, for looking at only: it is no Shadow to fold or to change.

    For lists of thousands of nodes.
    """
    found = _Glimpse()
    found.__dict__ = orjson.loads(document)
    return cast(Shadow, found)


class JsonFold:
    """The `ShadowFold` port. It remembers what it wrote, so that a document that comes back need not be read."""

    def __init__(self) -> None:
        self._written: dict[str, tuple[str, Fields]] = {}

    def fold(self, document: str | None, node: str, events: Sequence[object]) -> str:
        """Return the document of `node` after `events`."""
        fields = _folded(self._known(document, node), events)
        if len(self._written) >= _REMEMBERED:
            self._written.clear()
        made = _encoded(fields)
        self._written[node] = made, fields
        return made

    def _known(self, document: str | None, node: str) -> Fields:
        """Return the fields of a document, the caller's own."""
        written = self._written.get(node)
        if written and written[0] == document:
            return dict(written[1])
        return _read(document) if document else fields_of(Shadow(node))


def _folded(fields: Fields, events: Sequence[object]) -> Fields:
    for event in events:
        change = CHANGES.get(type(event))
        if change:
            change(fields, event)
        else:
            fields.update(fields_of(fold(Shadow(**fields), cast(ShadowEvent, event))))
    return fields
