"""Columns on disk: matrices of numbers -> few bytes, without any loss.

A row of a matrix is one channel, a column one interval. Whole numbers are kept as differences along the row, zigzag, in
the fewest bytes that hold the largest; the first bytes of all numbers come first, then the second ones, then zlib.
Floats that are whole multiples of 1/denominator are kept as those multiples, others bit for bit.

    >>> restored = unpack(pack([np.array([[3, 4, 5]]), np.array([[0.1, 0.2, 0.3]])], 10), 10)
    >>> restored[1].tolist()
    [[0.1, 0.2, 0.3]]

The first byte is the version of this format, 1.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

VERSION = 1
_LEVEL = 4
_HEAD = struct.Struct("<BBHI")  # what it holds, bytes of a number, rows, columns
_WHOLE, _SCALED, _FLOAT = 0, 1, 2
_WIDTHS = (1, 2, 4, 8)
Matrix = npt.NDArray[Any]


def pack(matrices: Sequence[Matrix], denominators: int | npt.NDArray[np.int64]) -> bytes:
    """Return the bytes of 2-D int64 or float64 matrices; `denominators` is one for all or one for each row."""
    parts = [_packed(matrix, denominators) for matrix in matrices]
    return bytes((VERSION,)) + zlib.compress(b"".join(parts), _LEVEL)


def unpack(body: bytes, denominators: int | npt.NDArray[np.int64]) -> list[Matrix]:
    """Return what `pack` was given; ValueError for another version."""
    if not body or body[0] != VERSION:
        raise ValueError(f"expected packed columns of version {VERSION}, got {body[:1].hex() or 'nothing'}")
    data, at, found = zlib.decompress(body[1:]), 0, []
    while at < len(data):
        matrix, at = _unpacked(data, at, denominators)
        found.append(matrix)
    return found


def _packed(matrix: Matrix, denominators: int | npt.NDArray[np.int64]) -> bytes:
    if matrix.dtype != np.float64:
        return _whole(_WHOLE, matrix.astype(np.int64))
    scale = np.reshape(denominators, (-1, 1))
    with np.errstate(invalid="ignore"):
        scaled = np.rint(matrix * scale)
        fits = np.isfinite(scaled).all() and (np.abs(scaled) < 1 << 53).all() and (scaled / scale == matrix).all()
    if fits:
        return _whole(_SCALED, scaled.astype(np.int64))
    return _planes(_FLOAT, np.ascontiguousarray(matrix).view(np.uint64))


def _whole(holds: int, matrix: npt.NDArray[np.int64]) -> bytes:
    steps = np.diff(matrix, axis=1, prepend=0)
    return _planes(holds, ((steps << 1) ^ (steps >> 63)).view(np.uint64))


def _planes(holds: int, numbers: npt.NDArray[np.uint64]) -> bytes:
    largest = int(numbers.max()) if numbers.size else 0
    width = next(w for w in _WIDTHS if largest < 1 << 8 * w)
    planes = numbers.astype(f"<u{width}").reshape(-1, 1).view(np.uint8).T
    return _HEAD.pack(holds, width, *numbers.shape) + planes.tobytes()


def _unpacked(data: bytes, at: int, denominators: int | npt.NDArray[np.int64]) -> tuple[Matrix, int]:
    holds, width, rows, columns = _HEAD.unpack_from(data, at)
    at += _HEAD.size
    planes = np.frombuffer(data, dtype=np.uint8, count=rows * columns * width, offset=at)
    numbers = np.ascontiguousarray(planes.reshape(width, -1).T).view(f"<u{width}").reshape(rows, columns)
    at += rows * columns * width
    if holds == _FLOAT:
        return numbers.astype(np.uint64).view(np.float64), at
    numbers = numbers.astype(np.uint64)
    steps = (numbers >> np.uint64(1)).view(np.int64) ^ -(numbers & np.uint64(1)).view(np.int64)
    whole = np.cumsum(steps, axis=1)
    return (whole / np.reshape(denominators, (-1, 1)) if holds == _SCALED else whole), at
