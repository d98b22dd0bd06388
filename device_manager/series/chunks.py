"""Roll-ups as they are stored: one chunk holds all channels of one node at one site for some time, as matrices.

    15min: a day of Unix time a chunk     1h: 8 days     1d, noise_day: 64 days

A chunk is made anew where readings came or changed, and compared with what was there: only cells that differ are
changed, and get a new observation number. A cell that lost all its readings stays, without a value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from device_manager.series import packing
from device_manager.series.calendar import DAY_S, NOISE_DAY
from device_manager.series.channels import Key
from device_manager.series.epochs import Channel
from device_manager.series.rollups import RollUp, kind_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
SPANS_S = {"15min": DAY_S, "1h": 8 * DAY_S, "1d": 64 * DAY_S, NOISE_DAY: 64 * DAY_S}
_FLOATS = ("value", "low", "high")
_INTS = ("seconds", "readings", "flags", "number")


class ChunkKey(NamedTuple):
    """Where a chunk lies; `first_s` is a multiple of the period's span."""

    node_id: int
    site_id: int
    period: str
    first_s: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows are `channels`, columns intervals [start_s, end_s); a cell without `number` and `readings` is empty."""

    channels: tuple[Channel, ...]
    start_s: Ints
    end_s: Ints
    value: Floats
    low: Floats
    high: Floats
    seconds: Ints
    readings: Ints
    flags: Ints
    number: Ints

    def row(self, key: Key) -> RollUp | None:
        """Return one channel's roll-ups with their values, None when it is not in here."""
        for index, channel in enumerate(self.channels):
            if (channel.sensor, channel.quantity) == key:
                at = np.flatnonzero(self.readings[index] > 0)
                picked = (getattr(self, name)[index, at] for name in (*_FLOATS, "seconds", "readings", "flags"))
                return RollUp(self.start_s[at], self.end_s[at], *picked)
        return None


def split(period: str, rows: Mapping[Key, RollUp], channels: Mapping[Key, Channel]) -> dict[int, Chunk]:
    """Return roll-ups of one node, site and period as chunks by their begin; numbers are 0."""
    span_s = SPANS_S[period]
    present = [key for key, row in rows.items() if len(row)]
    if not present:
        return {}
    ordered = sorted(present)
    start_s, where = np.unique(np.concatenate([rows[key].start_s for key in ordered]), return_inverse=True)
    end_s = np.zeros_like(start_s)
    end_s[where] = np.concatenate([rows[key].end_s for key in ordered])
    whole = _empty(tuple(channels[key] for key in ordered), start_s, end_s)
    for index, key in enumerate(ordered):
        at = np.searchsorted(start_s, rows[key].start_s)
        for name in (*_FLOATS, "seconds", "readings", "flags"):
            getattr(whole, name)[index, at] = getattr(rows[key], name) + 0  # -0.0 becomes 0.0, which is what is kept
    firsts = start_s // span_s * span_s
    return {int(first): _columns(whole, np.flatnonzero(firsts == first)) for first in np.unique(firsts)}


def merge(old: Chunk | None, new: Chunk | None, since_s: int, until_s: int) -> tuple[Chunk, npt.NDArray[np.bool_]]:
    """Return the chunk with `new` in place of everything that began in [since_s, until_s), and which cells changed.

    One of `old` and `new` is there.
    """
    present = [chunk for chunk in (old, new) if chunk]
    start_s = np.unique(np.concatenate([chunk.start_s for chunk in present]))
    channels = tuple(
        sorted({(c.sensor, c.quantity): c for chunk in present for c in chunk.channels}.values(), key=_key)
    )
    end_s = np.zeros_like(start_s)
    for chunk in present:
        end_s[np.searchsorted(start_s, chunk.start_s)] = chunk.end_s
    before = _spread(old, channels, start_s, end_s)
    after = _spread(new, channels, start_s, end_s)
    inside = (start_s >= since_s) & (start_s < until_s)
    merged = replace(
        before,
        **{
            name: np.where(inside[None, :], getattr(after, name), getattr(before, name))
            for name in (*_FLOATS, "seconds", "readings", "flags")
        },
    )
    return merged, _differ(before, merged)


def _key(channel: Channel) -> Key:
    return Key(channel.sensor, channel.quantity)


def _differ(before: Chunk, after: Chunk) -> npt.NDArray[np.bool_]:
    changed = np.zeros(before.value.shape, dtype=bool)
    for name in _FLOATS:
        changed |= getattr(before, name).view(np.int64) != getattr(after, name).view(np.int64)
    for name in ("seconds", "readings", "flags"):
        changed |= getattr(before, name) != getattr(after, name)
    return changed


def _empty(channels: tuple[Channel, ...], start_s: Ints, end_s: Ints) -> Chunk:
    shape = len(channels), len(start_s)
    floats = [np.full(shape, np.nan) for _ in _FLOATS]
    return Chunk(channels, start_s, end_s, *floats, *(np.zeros(shape, dtype=np.int64) for _ in _INTS))


def _spread(chunk: Chunk | None, channels: tuple[Channel, ...], start_s: Ints, end_s: Ints) -> Chunk:
    """Return the chunk on a wider grid of channels and intervals."""
    if chunk and chunk.channels == channels and np.array_equal(chunk.start_s, start_s):
        return chunk
    wide = _empty(channels, start_s, end_s)
    if chunk:
        keys = [_key(channel) for channel in channels]
        rows = np.array([keys.index(_key(channel)) for channel in chunk.channels])
        grid = np.ix_(rows, np.searchsorted(start_s, chunk.start_s))
        for name in (*_FLOATS, *_INTS):
            getattr(wide, name)[grid] = getattr(chunk, name)
    return wide


def _columns(chunk: Chunk, at: Ints) -> Chunk:
    cut = {name: getattr(chunk, name)[:, at] for name in (*_FLOATS, *_INTS)}
    return replace(chunk, start_s=chunk.start_s[at], end_s=chunk.end_s[at], **cut)


def encode(chunk: Chunk) -> bytes:
    """Return the chunk's numbers as bytes; its channels are kept beside them."""
    denominators = np.array([channel.denominator for channel in chunk.channels], dtype=np.int64)
    sums, exact = _sums(chunk, denominators)
    matrices: list[npt.NDArray[np.int64] | Floats] = [
        np.stack((chunk.start_s, chunk.end_s - chunk.start_s)),
        exact.astype(np.int64).reshape(-1, 1),
        sums,
        chunk.value[~exact],
    ]
    for name in ("low", "high"):
        column = np.nan_to_num(getattr(chunk, name), nan=0.0)
        whole = _whole(column, denominators)
        matrices += [whole.reshape(-1, 1).astype(np.int64)]
        matrices += [np.rint(column * denominators[:, None]).astype(np.int64)[whole], column[~whole]]
    matrices += [getattr(chunk, name) for name in _INTS]
    return packing.pack(matrices, 1)


def decode(body: bytes, channels: Sequence[Channel], base: int = 0) -> Chunk:
    """Return the chunk that `encode` was given; numbers that it holds as -n become `base` + n."""
    denominators = np.array([channel.denominator for channel in channels], dtype=np.int64)[:, None]
    time, exact, sums, others, *rest = packing.unpack(body, 1)
    seconds, readings, flags, number = rest[6:]
    number = np.where(number < 0, base - number, number)
    mean = np.array([_is_mean(channel.quantity) for channel in channels], dtype=bool)[:, None]
    chosen = exact[:, 0] > 0
    value = np.empty(seconds.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        exact_values = sums / denominators[chosen]
        value[chosen] = np.where(mean[chosen], exact_values / readings[chosen], exact_values)
    value[~chosen] = others
    empty = readings == 0
    value[empty] = np.nan
    bounds = []
    for whole, ints, floats in (rest[:3], rest[3:6]):
        column = np.empty(seconds.shape)
        column[whole[:, 0] > 0] = ints / denominators[whole[:, 0] > 0]
        column[whole[:, 0] == 0] = floats
        column[empty] = np.nan
        bounds.append(column)
    start_s, length_s = time
    return Chunk(
        tuple(channels), start_s, start_s + length_s, value, bounds[0], bounds[1], seconds, readings, flags, number
    )


def _is_mean(quantity: str) -> bool:
    return kind_of(quantity) in ("mean", "percentile")


def _sums(chunk: Chunk, denominators: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Return sums in whole units for the rows that these give back bit for bit, and which rows those are."""
    mean = np.array([_is_mean(channel.quantity) for channel in chunk.channels], dtype=bool)[:, None]
    readings = np.where(mean, np.maximum(chunk.readings, 1), 1)
    value = np.nan_to_num(chunk.value, nan=0.0)
    sums = np.rint(value * readings * denominators[:, None])
    exact = (sums / denominators[:, None] / readings == value).all(axis=1) & (np.abs(sums) < 1 << 53).all(axis=1)
    return sums[exact].astype(np.int64), exact


def _whole(column: Floats, denominators: Ints) -> npt.NDArray[np.bool_]:
    scaled = np.rint(column * denominators[:, None])
    found: npt.NDArray[np.bool_] = (scaled / denominators[:, None] == column).all(axis=1)
    return found & (np.abs(scaled) < 1 << 53).all(axis=1)
