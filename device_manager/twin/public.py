"""What leaves without an account: coarse aggregates, and no small count of people. Pure.

A `View` says what one asker may see. It stands *below* the evaluation of queries: what may not be seen is neither
filtered, sorted, counted nor expanded, it is not there. So no combination of query options can bring it out.

    PUBLIC                          15 min and coarser; counts of people at 15 min only, none below 5
    View(everything=True)           an account without limits
    View(sites=frozenset({4}))      everything of site 4, the rest as the public sees it

Counts of people are public at one aggregate only, the finest that is allowed: the sum over an hour, less three quarters
of it that are shown, would be the quarter that is not.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from device_manager.series.calendar import NOISE_DAY
from device_manager.twin.catalogue import Catalogue, Stream
from device_manager.twin.observations import Rows
from device_manager.twin.sources import Newests, Observed

MINUTES = {"15min": 15, "1h": 60, "1d": 1440, NOISE_DAY: 1440}
FINEST_MINUTES, SMALLEST_COUNT = 15, 5
COUNTS = ("footfall_in", "footfall_out")


class Grain(NamedTuple):
    """What everybody may see: aggregates of at least `minutes` (0: everything, for fleets of virtual nodes), and counts
    of people from `smallest_count` on."""

    minutes: int = FINEST_MINUTES
    smallest_count: int = SMALLEST_COUNT


@dataclass(frozen=True, slots=True)
class View:
    """What one asker may see: all, or all of some sites and the rest at public grain."""

    grain: Grain = Grain()
    everything: bool = False
    sites: frozenset[int] = frozenset()

    def is_full(self, site_id: int) -> bool:
        """True where nothing is kept back."""
        return self.everything or self.grain.minutes == 0 or site_id in self.sites

    def shows(self, stream: Stream) -> bool:
        """True for a Datastream that is there for this asker."""
        if self.is_full(stream.site_id):
            return True
        minutes = MINUTES.get(stream.aggregate, 0)
        if stream.quantity in COUNTS:
            return minutes == self.grain.minutes
        return minutes >= self.grain.minutes

    def suppresses(self, stream: Stream) -> bool:
        """True for a Datastream whose small counts are kept back."""
        return stream.quantity in COUNTS and not self.is_full(stream.site_id)


PUBLIC = View()
FULL = View(everything=True)


def seen(catalogue: Catalogue, view: View) -> Catalogue:
    """Return the catalogue as an asker sees it: Datastreams, and all links to them, that the view shows."""
    shown = {i for i, stream in catalogue.streams.items() if view.shows(stream)}
    entities = {**catalogue.entities}
    entities["Datastream"] = {i: e for i, e in entities["Datastream"].items() if i in shown}
    links = {}
    for (kind, to), found in catalogue.links.items():
        if to == "Datastream":
            found = {a: kept for a, ids in found.items() if (kept := tuple(i for i in ids if i in shown))}
        elif kind == "Datastream":
            found = {a: ids for a, ids in found.items() if a in shown}
        links[kind, to] = found
    streams = {i: stream for i, stream in catalogue.streams.items() if i in shown}
    by_key = {key: i for key, i in catalogue.by_key.items() if i in shown}
    return replace(catalogue, entities=entities, links=links, streams=streams, by_key=by_key)


class Seen:
    """Observations as an asker sees them; `whole` is the catalogue with everything, which readers need."""

    def __init__(self, whole: Catalogue, view: View, inner: Observed, newests: Newests) -> None:
        self._whole = whole
        self._inner = inner
        self._newests = newests
        self._shown = np.array(sorted(i for i, s in whole.streams.items() if view.shows(s)), dtype=np.int64)
        self._small = np.array([i for i, s in whole.streams.items() if view.suppresses(s)], dtype=np.int64)
        self._least = view.grain.smallest_count

    def rows(self, catalogue: Catalogue, streams: Iterable[Stream], since_s: int, until_s: int) -> Rows:
        """See `Observed.rows`."""
        return self._of(self._inner.rows(self._whole, streams, since_s, until_s))

    def between(self, catalogue: Catalogue, low: int, high: int) -> Rows:
        """See `Observed.between`."""
        return self._of(self._inner.between(self._whole, low, high))

    def last_number(self) -> int:
        """See `Observed.last_number`."""
        return self._inner.last_number()

    def latest(self, stream_ids: Iterable[int]) -> Rows:
        """See `Newests.latest`."""
        return self._of(self._newests.latest(stream_ids))

    def has_more(self, stream_id: int) -> bool:
        """See `Newests.has_more`."""
        return self._newests.has_more(stream_id)

    def _of(self, rows: Rows) -> Rows:
        """Leave out what is not shown, and blank small counts."""
        rows = rows.where(np.isin(rows.stream, self._shown))
        if not len(self._small) or not len(rows):
            return rows
        small = np.isin(rows.stream, self._small) & (rows.value < self._least)
        return replace(rows, value=np.where(small, np.nan, rows.value))
