"""Whole columns as parameters, for `unnest`: PostgreSQL's binary form of an array (`array_recv`), packed at once.

psycopg asks for the right way to write each value; a batch of ingest has ten thousand of them, of which it is known.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_INT4, _INT8, _TEXT = 23, 20, 25  # oids of elements, the same on every server (pg_type.dat)


class Int4s:
    """An int4[]; OverflowError for a number that is none."""

    oid: ClassVar[int] = 1007

    def __init__(self, values: Sequence[int]) -> None:
        self.packed = _numbers(_INT4, values, np.dtype(">i4"))


class Int8s:
    """An int8[]; OverflowError for a number that is none."""

    oid: ClassVar[int] = 1016

    def __init__(self, values: Sequence[int]) -> None:
        self.packed = _numbers(_INT8, values, np.dtype(">i8"))


class Texts:
    """A text[] of UTF-8; UnicodeEncodeError for what is no text."""

    oid: ClassVar[int] = 1009

    def __init__(self, values: Sequence[str]) -> None:
        encoded = [value.encode() for value in values]
        lengths = np.fromiter(map(len, encoded), dtype=">i4", count=len(encoded)).tobytes()
        parts = [b""] * (2 * len(encoded))
        parts[::2] = [lengths[at : at + 4] for at in range(0, len(lengths), 4)]
        parts[1::2] = encoded
        self.packed = _head(_TEXT, len(encoded)) + b"".join(parts)


def register(connection: "psycopg.Connection[Any]") -> None:
    """Let a connection take these columns as parameters (`%b`)."""
    for kind in (Int4s, Int8s, Texts):
        connection.adapters.register_dumper(kind, type(f"{kind.__name__}Dumper", (_Packed,), {"oid": kind.oid}))


class _Packed(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        """Return what was packed already."""
        packed: bytes = obj.packed
        return packed


def _head(element: int, count: int) -> bytes:
    """Return one dimension of `count` elements from index 1 on, none of them null."""
    return np.array([1 if count else 0, 0, element, *((count, 1) if count else ())], dtype=">i4").tobytes()


def _numbers(element: int, values: Sequence[int], kind: npt.DTypeLike) -> bytes:
    form = np.dtype([("length", ">i4"), ("value", kind)])
    items = np.empty(len(values), dtype=form)
    items["length"] = form["value"].itemsize
    items["value"] = np.array(values, dtype=kind)  # refuses what does not fit
    return _head(element, len(values)) + items.tobytes()
