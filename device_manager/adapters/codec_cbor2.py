"""Codec with cbor2: C speed, and as strict as a node's own decoder where it matters.

No tags (they would become dates, patterns, big numbers, references to themselves), no indefinite lengths, no duplicate
keys nor others than integers and texts, bounded depth, nothing after the item. Longer heads than necessary are let
through: any CBOR library reads them.
"""

import io
from collections.abc import Callable, Mapping
from typing import NoReturn

import cbor2

MAX_DEPTH = 8
_KNOWN_TAGS = (
    *(0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799),
)  # every tag that cbor2 decodes by itself


def _refuse_known_tag(value: object, immutable: bool) -> NoReturn:
    raise ValueError("expected no tag, got one")


def _refuse_tag(tag: cbor2.CBORTag, immutable: bool) -> NoReturn:
    raise ValueError(f"expected no tag, got tag {tag.tag}")


def _check_keys(pairs: Mapping[object, object], immutable: bool) -> Mapping[object, object]:
    for key in pairs:
        if type(key) is not int and type(key) is not str:  # 1.0 and true would pass for 1
            raise ValueError(f"expected integer or text keys, got {type(key).__name__}")
    return pairs


_SEMANTIC: Mapping[int, Callable[[object, bool], NoReturn]] = dict.fromkeys(_KNOWN_TAGS, _refuse_known_tag)


class Cbor2Codec:
    """The `Codec` port. It holds nothing, so threads may share one."""

    def loads(self, payload: bytes) -> object:
        """Decode exactly one item that fills `payload`; ValueError otherwise."""
        source = io.BytesIO(payload)
        try:
            value: object = cbor2.CBORDecoder(
                source,
                tag_hook=_refuse_tag,
                object_hook=_check_keys,
                semantic_decoders=_SEMANTIC,
                max_depth=MAX_DEPTH,
                allow_indefinite=False,
                allow_duplicate_keys=False,
            ).decode()
        except cbor2.CBORError as error:
            raise ValueError(_innermost(error)) from None
        if source.tell() != len(payload):
            raise ValueError(f"expected the end at byte {source.tell()}, got {len(payload) - source.tell()} more bytes")
        return value

    def dumps(self, value: object) -> bytes:
        """Encode plain objects in the shortest form."""
        return cbor2.dumps(value)


def _innermost(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__
