"""Reading ahead for followers: who asks for numbers behind those that it got gets the next ones out of memory.

Frames are decoded many at a time or slowly, so a stretch is read further than it is asked for, four times as far each
time somebody goes on, up to MOST numbers. A stretch is forgotten when something in it was replaced since, or when the
register or people's decisions changed.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from device_manager.series.store import SeriesReader
from device_manager.twin.catalogue import Catalogue
from device_manager.twin.observations import Rows

MOST = 480_000
_KEPT = 3


class Stretch(NamedTuple):
    """All observations with the numbers low..high, as long as only the blocks `replaced` replace some of them."""

    low: int
    high: int
    rows: Rows
    catalogue: Catalogue
    replaced: tuple[int, ...]


class Ahead:
    """Reads stretches and keeps a few of them."""

    def __init__(self, read: Callable[[Catalogue, int, int], Rows], store: SeriesReader) -> None:
        self._read = read
        self._store = store
        self._kept: list[Stretch] = []

    def between(self, catalogue: Catalogue, low: int, high: int) -> Rows:
        """Return the observations with the numbers low..high, by number."""
        before = next((s for s in self._kept if s.low <= low <= s.high + 1), None)
        if before is None or high > before.high or not self._holds(before, catalogue):
            before = self._longer(catalogue, low, high, before)
        first, last = np.searchsorted(before.rows.number, (low, high + 1)).tolist()
        return before.rows.where(slice(first, last))

    def _holds(self, stretch: Stretch, catalogue: Catalogue) -> bool:
        return stretch.catalogue is catalogue and stretch.replaced == self._replaced(stretch.low, stretch.high)

    def _longer(self, catalogue: Catalogue, low: int, high: int, before: Stretch | None) -> Stretch:
        """Read from `low` on, further than to `high` when this goes on from a stretch."""
        size = high - low + 1
        if before is not None:
            self._kept.remove(before)
            size = max(size, min(4 * (before.high - before.low + 1), MOST))
        last = max(high, min(low + size - 1, self._store.progress().observation))
        replaced = self._replaced(low, last)
        made = Stretch(low, last, self._read(catalogue, low, last), catalogue, replaced)
        self._kept = [made, *self._kept][:_KEPT]
        return made

    def _replaced(self, low: int, high: int) -> tuple[int, ...]:
        return tuple(block.first for block in self._store.replacing(low, high))
