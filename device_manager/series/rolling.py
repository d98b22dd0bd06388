"""Roll-ups of one node from some time on, made from its frames: what the store's chunks should hold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from device_manager.series.calendar import DEFAULT_ZONE, HOUR_S, NOISE_DAY, PERIODS, edges, zone
from device_manager.series.channels import Key, Line
from device_manager.series.chunks import SPANS_S, Chunk, ChunkKey, merge, split
from device_manager.series.decisions import State
from device_manager.series.deployments import NO_SITE, Deployments
from device_manager.series.deriving import derive
from device_manager.series.epochs import Epochs
from device_manager.series.lineup import Reading, line_up
from device_manager.series.rollups import counted, kind_of, rolled
from device_manager.series.rows import FrameRows
from device_manager.series.store import FrameSource

_DAY_S = PERIODS["1d"]
_BACK_S = (0, 32 * _DAY_S, 1 << 40)  # how far to look back for the total before, more and more
_EVER_S = 1 << 40


@dataclass(frozen=True, slots=True)
class Context:
    """What stays the same for all nodes of one pass."""

    source: FrameSource
    epochs: Epochs
    loads: Callable[[bytes], object]
    deployments: Deployments
    zones: Mapping[int, str]
    state: State


@dataclass(frozen=True, slots=True)
class Rolled:
    """Chunks of one node as they should be within each window; `windows` by (site, period)."""

    node_id: int
    newest_s: int
    windows: dict[tuple[int, str], tuple[int, int]]
    chunks: dict[ChunkKey, Chunk]


def roll_node(context: Context, node_id: int, since_s: int, until_s: int = _EVER_S) -> Rolled | None:
    """Return the roll-ups of a node whose intervals touch or follow `since_s`; None when it has no reading then.

    `until_s` is the end of its newest reading where that is known: when no local day and no noise day ends between the
    two, the hours are enough to read.
    """
    readings = _readings(context, node_id, _begin_s(context, since_s, until_s))
    if not readings:
        return None
    newest_s = max(int(r.line.end_s.max()) for r in readings.values())
    first_s = max(since_s, min(int(r.line.start_s[0]) for r in readings.values()))
    ready = {key: _counted(reading) for key, reading in readings.items()}
    made = Rolled(node_id, newest_s, {}, {})
    sites = np.unique(np.concatenate([r.site_id for r in ready.values()]))
    for site_id in sites[sites != NO_SITE].tolist():
        _roll_site(context, made, ready, site_id, first_s)
    return made


def _begin_s(context: Context, since_s: int, until_s: int) -> int:
    """Return from when on readings are needed."""
    zones = {DEFAULT_ZONE, *context.zones.values()}
    days = ((period, zone(name)) for period in ("1d", NOISE_DAY) for name in zones)
    if until_s - since_s >= _DAY_S or any(len(edges(day, since_s, until_s + 1, where)) > 2 for day, where in days):
        return since_s - 2 * _DAY_S  # a local day of 25 hours, and some
    return since_s // HOUR_S * HOUR_S


def _readings(context: Context, node_id: int, begin_s: int) -> dict[Key, Reading]:
    """Read from `begin_s` on, and from far enough before that every total has its predecessor."""
    found: dict[Key, Reading] = {}
    for back_s in _BACK_S:
        rows = context.source.frames(node_id, max(0, begin_s - back_s), _EVER_S)
        found = _lined_up(context, node_id, rows)
        if begin_s - back_s <= 0 or not any(_lacks_total(key, r, begin_s) for key, r in found.items()):
            break
    return found


def _lined_up(context: Context, node_id: int, rows: FrameRows) -> dict[Key, Reading]:
    c = context
    return line_up(node_id, rows, c.epochs, c.loads, c.deployments, c.state)


def _lacks_total(key: Key, reading: Reading, begin_s: int) -> bool:
    before = reading.line.value[: np.searchsorted(reading.line.start_s, begin_s)]
    return kind_of(key.quantity) == "total" and bool(np.isnan(before).all())


def _counted(reading: Reading) -> Reading:
    if kind_of(reading.line.channel.quantity) != "total":
        return reading
    line = counted(reading.best())
    return replace(reading, line=line, corrected=line.value)


def _roll_site(context: Context, made: Rolled, ready: Mapping[Key, Reading], site_id: int, first_s: int) -> None:
    where = zone(context.zones.get(site_id, DEFAULT_ZONE))
    lines = {key: _at_site(reading, site_id) for key, reading in ready.items()}
    for period in (*PERIODS, NOISE_DAY):
        borders = edges(period, first_s, made.newest_s, where)
        borders = borders[borders <= made.newest_s]
        if len(borders) < 2:
            continue
        made.windows[site_id, period] = int(borders[0]), int(borders[-1])
        rows = {key: rolled(line, borders) for key, line in lines.items()} if period in PERIODS else {}
        channels = {key: line.channel for key, line in lines.items()}
        for channel, row in derive(period, lines, borders, where).items():
            key = Key(channel.sensor, channel.quantity)
            rows[key], channels[key] = row, channel
        for first, chunk in split(period, rows, channels).items():
            made.chunks[ChunkKey(made.node_id, site_id, period, first)] = chunk


def _at_site(reading: Reading, site_id: int) -> Line:
    at_site, line = reading.site_id == site_id, reading.best()
    return line if at_site.all() else line.where(at_site)


def keys_within(made: Rolled) -> list[ChunkKey]:
    """Return the keys of all chunks that the windows touch, in the order in which their cells are numbered."""
    keys = set(made.chunks)
    for (site_id, period), (since_s, until_s) in made.windows.items():
        span_s = SPANS_S[period]
        for first_s in range(since_s // span_s * span_s, until_s, span_s):
            keys.add(ChunkKey(made.node_id, site_id, period, first_s))
    return sorted(keys)


def changes(
    made: Rolled, key: ChunkKey, old: Chunk | None
) -> tuple[Chunk, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]] | None:
    """Return a chunk as it should be and which of its cells differ from `old`; None when none does."""
    new = made.chunks.get(key)
    if old is None and new is None:
        return None
    merged, differ = merge(old, new, *made.windows[key.site_id, key.period])
    return (merged, differ) if differ.any() else None
