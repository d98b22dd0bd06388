"""The newest observation of every Datastream, and over what time it has any; kept up by what the numbers bring.

At the start each Datastream is looked at from both ends; afterwards only observations with new numbers are read. So the
latest value of all costs nothing but writing it. `latest` and `has_more` may be asked while `refresh` is at work.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from device_manager.series.chunks import SPANS_S
from device_manager.series.store import FrameSource, SeriesReader
from device_manager.twin.catalogue import Catalogue, Stream
from device_manager.twin.observations import Making, Rows
from device_manager.twin.reading import Reader
from device_manager.twin.vocabulary import BY_AGGREGATE

MOST_NEW = 400_000
FIRST_WINDOW_S = 3600
_EVER_S = 1 << 35  # fits beside a node in one number, see series.deployments
_DAY_S = 86_400


class Newest(NamedTuple):
    """An observation, as `Rows` has it."""

    start_s: int
    end_s: int
    number: int
    replaces: int
    value: float
    flags: int
    making: Making


class Live:
    """What is known of the newest and oldest observations."""

    def __init__(self, source: FrameSource, store: SeriesReader, reader: Reader) -> None:
        self._source = source
        self._store = store
        self._reader = reader
        self._seen = 0
        self._told: Catalogue | None = None
        self._newest: dict[int, Newest] = {}
        self._first_s: dict[int, int] = {}
        self._looked: set[int] = set()

    def latest(self, stream_ids: Iterable[int]) -> Rows:
        """Return the newest observation of each Datastream that has one."""
        newest = self._newest
        found = [(i, known) for i in stream_ids if (known := newest.get(i)) is not None]
        places: dict[Making, int] = {}
        made = [places.setdefault(n.making, len(places)) for _, n in found]
        ints = np.array([(i, n.start_s, n.end_s, n.number, n.replaces, n.flags) for i, n in found], dtype=np.int64)
        stream, start_s, end_s, number, replaces, flags = ints.reshape(-1, 6).T
        value = np.array([n.value for _, n in found], dtype=np.float64)
        return Rows(
            number, replaces, stream, start_s, end_s, value, flags, np.array(made, dtype=np.int64), tuple(places)
        )

    def has_more(self, stream_id: int) -> bool:
        """True when a Datastream has observations before its newest."""
        first_s, newest = self._first_s.get(stream_id), self._newest.get(stream_id)
        return first_s is not None and newest is not None and first_s < newest.start_s

    def refresh(self, catalogue: Catalogue) -> None:
        """Take in what is new; afterwards the catalogue's spans are true."""
        last = self._reader.last_number()
        if last == self._seen and catalogue is self._told:
            return
        self._told = None  # until all of it was taken in
        if last - self._seen > MOST_NEW:
            self._newest, self._first_s, self._looked = {}, {}, set()
        elif last > self._seen:
            self._take(catalogue, self._reader.fresh(catalogue, self._seen + 1, last))
        self._seen = last
        self._look(catalogue, [s for s in catalogue.streams.values() if s.stream_id not in self._looked])
        for stream_id, newest in self._newest.items():
            if stream_id in catalogue.streams:
                span = (self._first_s[stream_id], newest.start_s, newest.end_s)
                if catalogue.spans.get(stream_id) != span:
                    catalogue.touch(stream_id, *span)
        self._told = catalogue

    def _take(self, catalogue: Catalogue, rows: Rows) -> None:
        """Let new observations replace what was newest; when one moved away in time, look again."""
        moved = set(rows.replaces.tolist()) & {newest.number for newest in self._newest.values()}
        for stream_id in [i for i, newest in self._newest.items() if newest.number in moved]:
            self._forget(stream_id)
        self._widen(rows)

    def _forget(self, stream_id: int) -> None:
        self._newest.pop(stream_id)
        self._first_s.pop(stream_id)
        self._looked.discard(stream_id)

    def _widen(self, rows: Rows) -> None:
        """Let rows be newest and oldest where they are."""
        if not len(rows):
            return
        order = np.lexsort((rows.number, rows.end_s, rows.start_s, rows.stream))
        streams, first = np.unique(rows.stream[order], return_index=True)
        last = np.append(first[1:], len(order)) - 1
        for stream_id, low, high in zip(streams.tolist(), order[first].tolist(), order[last].tolist(), strict=True):
            newest = _row(rows, high)
            if stream_id not in self._newest or newest[:3] >= self._newest[stream_id][:3]:
                self._newest[stream_id] = newest
            start_s = int(rows.start_s[low])
            self._first_s[stream_id] = min(start_s, self._first_s.get(stream_id, start_s))

    def _look(self, catalogue: Catalogue, streams: Sequence[Stream]) -> None:
        """Find both ends of Datastreams that nobody looked at."""
        groups: dict[tuple[int, str], list[Stream]] = {}
        for stream in streams:
            groups.setdefault((stream.site_id, BY_AGGREGATE[stream.aggregate].period), []).append(stream)
        for (site_id, period), some in groups.items():
            windows = self._of_chunks(site_id, period) if period else self._of_frames(site_id)
            if windows:
                self._search(catalogue, some, windows(False))
                self._search(catalogue, [s for s in some if s.stream_id in self._newest], windows(True))
        self._looked.update(stream.stream_id for stream in streams)

    def _search(self, catalogue: Catalogue, streams: Sequence[Stream], windows: Iterator[tuple[int, int]]) -> None:
        """Read windows until each of the Datastreams was met."""
        wanted = {stream.stream_id: stream for stream in streams}
        for low, high in windows:
            if not wanted:
                return
            rows = self._reader.rows(catalogue, wanted.values(), low, high)
            self._widen(rows)
            for stream_id in np.unique(rows.stream).tolist():
                wanted.pop(stream_id)

    def _of_chunks(self, site_id: int, period: str) -> Callable[[bool], Iterator[tuple[int, int]]] | None:
        """Return windows a chunk each, from the newest or from the oldest on."""
        begins = self._store.chunk_begins(site_id, period)
        span_s = SPANS_S[period]
        return lambda rising: ((s, s + span_s) for s in (begins if rising else reversed(begins)))

    def _of_frames(self, site_id: int) -> Callable[[bool], Iterator[tuple[int, int]]] | None:
        """Return growing windows over a site's frames, from the newest frame's begin or from the oldest's on."""
        ends = []
        for row in self._source.deployments():
            if row.site_id == site_id:
                until_s = _EVER_S if row.until_s is None else row.until_s
                ends.append(self._source.frame_span(row.node_id, row.since_s - _DAY_S, until_s))
        known = [span for span in ends if span is not None]
        if not known:
            return None
        first_s, last_s = min(span[0] for span in known), max(span[1] for span in known)
        return lambda rising: _rising(first_s, last_s) if rising else _falling(first_s, last_s)


def _falling(first_s: int, last_s: int) -> Iterator[tuple[int, int]]:
    low, high, width = last_s, _EVER_S, FIRST_WINDOW_S
    while high > first_s:
        yield low, high
        low, high, width = max(low - width, first_s), low, width * 8


def _rising(first_s: int, last_s: int) -> Iterator[tuple[int, int]]:
    low, width = first_s, FIRST_WINDOW_S
    while low <= last_s + _DAY_S:
        yield low, low + width
        low, width = low + width, width * 8


def _row(rows: Rows, at: int) -> Newest:
    return Newest(
        int(rows.start_s[at]),
        int(rows.end_s[at]),
        int(rows.number[at]),
        int(rows.replaces[at]),
        float(rows.value[at]),
        int(rows.flags[at]),
        rows.makings[rows.made[at]],
    )
