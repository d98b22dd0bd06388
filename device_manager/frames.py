"""Thousands of frames at once: their heads as columns, their values as matrices. Pure numpy, no loop over values.

A value's place in the bytes depends on all values before it, but every byte knows how long the item is that it begins.
So the walk goes over all frames side by side: one step moves each frame to its next item. What the walk finds odd (an
item of another type, a list that does not end where the frame ends) goes the long way, through the contract's own
decoder, and what that refuses is `unreadable`.

>>> from firmware.wire.batch import MAX_BYTES, Batch
>>> batch = Batch(2, 2)
>>> batch.start(1_770_000_000, 60)
>>> batch.add([83, 7]); batch.add([84, None])
>>> buffer = bytearray(MAX_BYTES)
>>> found = decode([bytes(buffer[: batch.encode_into(buffer, 7, 1, 0)])], loads=None)
>>> found.groups[0].values[:, 0].tolist() == [83, 84, 7, MISSING]
True
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware.wire import VERSION, WireError, frame
from firmware.wire.batch import MAX_CHANNELS, MAX_RECORDS, MAX_VALUE

Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

MISSING = int(np.iinfo(np.int32).min)
NO_TIME = -1
_PAD_BYTES = 16
_NULL = 0xF6
_HEAD_ITEMS = 7  # version, log, seq, epoch, t0, interval_s, count


@dataclass(frozen=True, slots=True)
class Group:
    """Frames of one shape. `values` is (columns * count, frames), column after column, MISSING where nothing was read,
    or holds the first columns only; `rows` are the frames' positions among all."""

    rows: Ints
    columns: int
    count: int
    values: Values

    def column(self, index: int) -> Values:
        """Return one column as (frames, records)."""
        return self.values[index * self.count : (index + 1) * self.count].T


@dataclass(frozen=True, slots=True)
class Heads:
    """Heads of frames as columns. `t0` is NO_TIME where the clock was never set (then `boot` and `uptime_s` count, else
    they are 0). The heads of `unreadable` frames are 0."""

    log: Ints
    seq: Ints
    epoch: Ints
    t0: Ints
    interval_s: Ints
    count: Ints
    size: Ints
    boot: Ints
    uptime_s: Ints
    unreadable: Bools

    @property
    def columns(self) -> Ints:
        """Columns of each frame."""
        return self.size // np.maximum(self.count, 1)


@dataclass(frozen=True, slots=True)
class Frames(Heads):
    """Heads, and the groups that hold the values of all readable frames. `runs` are quality runs: (frame, column, first
    record, records, flags)."""

    groups: tuple[Group, ...]
    runs: Ints


def _lengths() -> npt.NDArray[np.int32]:
    lengths = np.zeros(256, dtype=np.int32)  # 0: no item of a frame begins like this, the walk stands still
    for major in (0x00, 0x20):
        lengths[major : major + 24] = 1
        lengths[major + 24 : major + 27] = (2, 3, 5)
    lengths[_NULL] = 1
    return lengths


def _small() -> Values:
    small = np.zeros(256, dtype=np.int32)
    small[:24] = np.arange(24)
    small[0x20:0x38] = -1 - np.arange(24)
    return small


_LENGTHS, _SMALL = _lengths(), _small()
_HEAD_BYTES = np.where(np.arange(32) < 24, 1, 0).astype(np.int64)
_HEAD_BYTES[24:27] = (2, 3, 5)


def distinct(numbers: Ints) -> list[int]:
    """Return the distinct numbers, sorted; fast where there is one."""
    if len(numbers) and (numbers == numbers[0]).all():
        return [int(numbers[0])]
    found: list[int] = np.unique(numbers).tolist()
    return found


class _Walk:
    """One buffer of all frames put end to end."""

    def __init__(self, payloads: Sequence[bytes]) -> None:
        lengths = np.fromiter(map(len, payloads), dtype=np.int64, count=len(payloads))
        self.ends = np.cumsum(lengths)
        self.at = self.ends - lengths
        self.bytes = np.frombuffer(b"".join(payloads) + bytes(_PAD_BYTES), dtype=np.uint8)
        self.last = len(self.bytes) - _PAD_BYTES // 2  # behind the end of all, so that who runs over it is seen
        self.odd: Bools = lengths < _HEAD_ITEMS + 2
        self.extras: Bools = np.zeros(len(payloads), dtype=bool)

    def head(self, major: int, *, null: int | None = None) -> Ints:
        """Read one item's head of every frame and step behind it; `null` stands for null where that is allowed."""
        first = self.bytes[self.at]
        info = first & 31
        value: Ints = info.astype(np.int64)
        for width, mark in ((1, 24), (2, 25), (4, 26)):
            wide = np.flatnonzero(info == mark)
            if len(wide):
                value[wide] = self._number(self.at[wide] + 1, width)
        length: Ints = _HEAD_BYTES[info]
        fits = (first >> 5 == major) & (length > 0)
        if null is not None:
            empty = first == _NULL
            value[empty], length[empty] = null, 1
            fits |= empty
        self.odd |= ~fits
        self.at = np.minimum(self.at + np.maximum(length, 1), self.last)
        return value

    def shape(self) -> None:
        """Read the first byte: an array of 8 or 9 items."""
        first = self.bytes[self.at]
        self.extras = first == 0x89
        self.odd |= (first != 0x88) & ~self.extras
        self.at = self.at + 1

    def values(self, rows: Ints, size: int, *, whole: bool) -> tuple[Values, Bools]:
        """Return the running sums of the first `size` values of each frame in `rows`, and which frames walked well:
        over items of the right types, and, when that is the `whole` list, to the end."""
        at = np.empty((size + 1, len(rows)), dtype=np.int32)
        first = np.empty((size, len(rows)), dtype=np.uint8)
        at[0] = self.at[rows]
        for step in range(size):
            np.take(self.bytes, at[step], out=first[step], mode="clip")
            np.add(at[step], _LENGTHS[first[step]], out=at[step + 1])
            np.minimum(at[step + 1], self.last, out=at[step + 1])
        ends = self.ends[rows]
        good: Bools = (_LENGTHS[first] > 0).all(axis=0) & (at[-1] <= ends)
        if whole:
            good &= np.where(self.extras[rows], at[-1] < ends, at[-1] == ends)
        self.at[rows] = at[-1]
        sums, fits = self._sums(first, at)
        return sums, good & fits

    def _sums(self, first: npt.NDArray[np.uint8], at: npt.NDArray[np.int32]) -> tuple[Values, Bools]:
        """Return the running sums, and which frames stay within what a value can be."""
        differences = _SMALL[first]
        kind = (first & 0x1F).reshape(-1)
        flat, where, flat_first = differences.reshape(-1), at[:-1].reshape(-1), first.reshape(-1)
        fits: Bools = np.ones(first.shape[1], dtype=bool)
        for width, mark in ((1, 24), (2, 25), (4, 26)):
            wide = np.flatnonzero(kind == mark)
            if len(wide):
                number = self._number(where[wide].astype(np.int64) + 1, width)
                flat[wide] = np.where(flat_first[wide] >= 0x20, -1 - number, number)
                if width == 4:  # shorter ones cannot add up to more than a value can be
                    fits[wide[number > 2 * MAX_VALUE] % len(fits)] = False
        sums = np.cumsum(differences, axis=0, dtype=np.int32)
        if (kind == 26).any():
            fits &= (np.abs(np.cumsum(differences, axis=0, dtype=np.int64)) <= MAX_VALUE).all(axis=0)
        sums[first == _NULL] = MISSING
        return sums, fits

    def _number(self, at: Ints, width: int) -> Ints:
        value: Ints = self.bytes[at].astype(np.int64)
        for step in range(1, width):
            value = value << 8 | self.bytes[at + step]
        return value


def decode(
    payloads: Sequence[bytes],
    loads: Callable[[bytes], object] | None,
    wanted: Callable[[Ints], int] | None = None,
) -> Frames:
    """Decode frames; `loads` (a codec's) reads extras and odd frames, None for the contract's own decoder.

    `wanted` gets the epochs of all frames and returns how many leading columns are enough: the rest is not looked at.
    """
    walk, columns = _walk_heads(payloads)
    width = columns["size"] // np.maximum(columns["count"], 1)
    groups = _groups(walk, width, columns["count"], wanted(columns["epoch"]) if wanted else MAX_CHANNELS)
    runs = _look_closer(payloads, loads, columns, groups, np.flatnonzero(walk.odd | walk.extras), walk.odd)
    groups = [_without(group, columns["unreadable"]) for group in groups]
    return Frames(**columns, groups=tuple(groups), runs=np.array(runs, dtype=np.int64).reshape(len(runs), 5))


def decode_plain(payloads: Sequence[bytes]) -> Heads:
    """Check whole frames that nobody has admitted yet; `unreadable` is all that is not a dated frame without extras."""
    walk, columns = _walk_heads(payloads)
    width = columns["size"] // np.maximum(columns["count"], 1)
    walk.odd |= walk.extras | (columns["t0"] == NO_TIME)
    _groups(walk, width, columns["count"], MAX_CHANNELS)
    columns["unreadable"] = walk.odd
    return Heads(**columns)


def heads(payloads: Sequence[bytes], loads: Callable[[bytes], object] | None) -> Heads:
    """Decode the heads of frames that were admitted before, without a look at their values."""
    walk, columns = _walk_heads(payloads)
    closer = np.flatnonzero(walk.odd | (columns["t0"] == NO_TIME))
    _look_closer(payloads, loads, columns, [], closer, walk.odd)
    return Heads(**columns)


def _walk_heads(payloads: Sequence[bytes]) -> tuple[_Walk, dict[str, Any]]:
    walk = _Walk(payloads)
    walk.shape()
    version = walk.head(0)
    columns = {name: walk.head(0) for name in ("log", "seq", "epoch")}
    columns["t0"] = walk.head(0, null=NO_TIME)
    columns |= {"interval_s": walk.head(0), "count": walk.head(0), "size": walk.head(4)}
    count, size = columns["count"], columns["size"]
    width = size // np.maximum(count, 1)
    walk.odd |= (version != VERSION) | (count < 1) | (count > MAX_RECORDS)
    walk.odd |= (width * count != size) | (width < 1) | (width > MAX_CHANNELS)
    columns |= {"boot": np.zeros_like(size), "uptime_s": np.zeros_like(size)}
    columns["unreadable"] = np.zeros(len(payloads), dtype=bool)
    return walk, columns


def _groups(walk: _Walk, columns: Ints, count: Ints, wanted: int) -> list[Group]:
    """Decode the frames of each shape together, `wanted` columns of each; those that walk badly become odd."""
    groups = []
    shapes = np.where(walk.odd, -1, columns * 1024 + count)
    for shape in distinct(shapes):
        if shape < 0:
            continue
        rows = np.flatnonzero(shapes == shape)
        width = min(shape >> 10, wanted)
        values, good = walk.values(rows, width * (shape & 1023), whole=width == shape >> 10)
        walk.odd[rows[~good]] = True
        if not good.all():
            rows, values = rows[good], values[:, good]
        groups.append(Group(rows, shape >> 10, shape & 1023, values))
    return groups


def _look_closer(
    payloads: Sequence[bytes],
    loads: Callable[[bytes], object] | None,
    columns: dict[str, Any],
    groups: list[Group],
    rows: Ints,
    odd: Bools,
) -> list[tuple[int, int, int, int, int]]:
    """Read what the walk did not: extras of plain frames, and whole odd ones. Returns the quality runs."""
    runs: list[tuple[int, int, int, int, int]] = []
    for row in rows.tolist():
        found = _carefully(payloads[row], loads)
        if found is None:
            for column in columns.values():
                column[row] = 0
            columns["unreadable"][row] = True
            continue
        runs += [(row, *run) for run in found.runs]
        columns["boot"][row], columns["uptime_s"][row] = found.boot or 0, found.uptime_s or 0
        if odd[row]:
            _take(found, row, columns, groups)
    return runs


def _carefully(payload: bytes, loads: Callable[[bytes], object] | None) -> Any:
    """Return the contract's own `Frame`, None when it refuses the bytes."""
    try:
        return frame.decode(payload) if loads is None else frame.from_items(loads(payload))
    except (WireError, ValueError):
        return None


def _without(group: Group, unreadable: Bools) -> Group:
    keep = ~unreadable[group.rows]
    return group if keep.all() else Group(group.rows[keep], group.columns, group.count, group.values[:, keep])


def _take(found: Any, row: int, columns: dict[str, Any], groups: list[Group]) -> None:
    for name in ("log", "seq", "epoch", "interval_s", "count"):
        columns[name][row] = getattr(found, name)
    columns["t0"][row] = NO_TIME if found.t0 is None else found.t0
    columns["size"][row] = len(found.values)
    values = np.array([MISSING if v is None else v for v in found.values], dtype=np.int32)
    width = len(found.values) // found.count
    groups.append(Group(np.array([row], dtype=np.int64), width, found.count, values.reshape(-1, 1)))
