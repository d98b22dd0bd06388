"""Shadows as JSON documents, the form in which the store keeps them.

Fields that a document lacks have their defaults and unknown ones are ignored, so that an older or newer citynode's
document reads.
"""

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import cast

from device_manager.ports import ShadowEvent
from device_manager.shadow.fold import Shadow, fold

_NAMES = tuple(field.name for field in fields(Shadow))


def to_document(shadow: Shadow) -> str:
    """Return the shadow as JSON text."""
    return json.dumps({name: getattr(shadow, name) for name in _NAMES}, separators=(",", ":"))


def from_document(document: str) -> Shadow:
    """Return the shadow that `to_document` wrote."""
    found = json.loads(document)
    return Shadow(**{name: found[name] for name in _NAMES if name in found})


class JsonFold:
    """The `ShadowFold` port."""

    def fold(self, document: str | None, node: str, events: Sequence[object]) -> str:
        """Return the document of `node` after `events`."""
        shadow = from_document(document) if document else Shadow(node)
        for event in events:
            shadow = fold(shadow, cast(ShadowEvent, event))
        return to_document(shadow)
