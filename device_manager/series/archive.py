"""What readers ask of series: channels of a site, raw or corrected; roll-ups; observation numbers; the feed of changes.

    archive = Archive(source, store, codec.loads)
    for found in archive.readings(site_id, "pm2_5", since_s, until_s):
        found.line.value, found.corrected, found.line.flags

Calibrations and invalidations hold as soon as they are decided; observation numbers follow when the Keeper has taken
the decision in.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from device_manager.ports import Deployment
from device_manager.series.channels import Key
from device_manager.series.decisions import State, fold
from device_manager.series.deployments import Deployments
from device_manager.series.epochs import Channel, Epoch, Epochs
from device_manager.series.lineup import Reading, line_up
from device_manager.series.numbering import CORRECTED, RAW, numbers
from device_manager.series.rollups import RollUp
from device_manager.series.rows import FrameRows
from device_manager.series.store import FrameSource, SeriesReader

Ints = npt.NDArray[np.int64]
_EVER_S = 1 << 40


class SiteRollUp(NamedTuple):
    """Roll-ups of one channel of one node at a site; `number` is each row's observation number."""

    node_id: int
    channel: Channel
    rows: RollUp
    number: Ints


class Archive:
    """Reads series; remembers epochs. Not for two threads at once."""

    def __init__(self, source: FrameSource, store: SeriesReader, loads: Callable[[bytes], object]) -> None:
        self._source = source
        self._store = store
        self._loads = loads
        self._epochs = Epochs(source.record, loads)

    def readings(self, site_id: int, quantity: str, since_s: int, until_s: int) -> list[Reading]:
        """Return the readings of a quantity at a site that begin in [since_s, until_s), one for each channel that was
        there, by node and sensor."""
        return self.at_site(site_id, (quantity,), since_s, until_s)

    def at_site(self, site_id: int, quantities: Collection[str], since_s: int, until_s: int) -> list[Reading]:
        """Return the readings of some quantities, as `readings` does of one."""
        found = []
        state, deployments = self.state(), self._source.deployments()
        hung = Deployments(deployments)
        for node_id in sorted(set(_nodes_at(deployments, site_id, since_s, until_s))):
            rows = self._source.frames(node_id, since_s, until_s)
            for _, reading in sorted(self._lined_up(node_id, rows, hung, state, quantities).items()):
                low, high = np.searchsorted(reading.line.start_s, (since_s, until_s)).tolist()
                at_site = low + np.flatnonzero(reading.site_id[low:high] == site_id)
                whole = len(at_site) == high - low
                found.append(_cut(reading, slice(low, high) if whole else at_site))
        return [reading for reading in found if len(reading.line)]

    def channel(self, node_id: int, key: Key, since_s: int, until_s: int) -> Reading | None:
        """Return one channel of a node, wherever it hung; None when it has no readings then."""
        found = self._of_node(node_id, since_s, until_s, (key.quantity,)).get(key)
        if found is None:
            return None
        low, high = np.searchsorted(found.line.start_s, (since_s, until_s)).tolist()
        return _cut(found, slice(low, high)) if high > low else None

    def of_node(self, node_id: int, since_s: int, until_s: int) -> list[Reading]:
        """Return all channels of a node, wherever it hung, in the order of its columns; empty ones are left out."""
        found = self._of_node(node_id, since_s, until_s, None).values()
        ends = [(r, *np.searchsorted(r.line.start_s, (since_s, until_s)).tolist()) for r in found]
        return [_cut(reading, slice(low, high)) for reading, low, high in ends if high > low]

    def rollups(self, site_id: int, quantity: str, period: str, since_s: int, until_s: int) -> list[SiteRollUp]:
        """Return a site's roll-ups of a quantity whose intervals begin in [since_s, until_s)."""
        pieces: dict[tuple[int, str], list[SiteRollUp]] = {}
        for key, chunk in self._store.chunks(site_id, period, since_s, until_s):
            for index, channel in enumerate(chunk.channels):
                if channel.quantity != quantity:
                    continue
                inside = (chunk.start_s >= since_s) & (chunk.start_s < until_s) & (chunk.readings[index] > 0)
                at = np.flatnonzero(inside)
                names = ("value", "low", "high", "seconds", "readings", "flags")
                rows = RollUp(chunk.start_s[at], chunk.end_s[at], *(getattr(chunk, n)[index, at] for n in names))
                piece = SiteRollUp(key.node_id, channel, rows, chunk.number[index, at])
                pieces.setdefault((key.node_id, channel.sensor), []).append(piece)
        return [_joined(found) for _, found in sorted(pieces.items())]

    def numbers(self, reading: Reading, *, corrected: bool = False) -> Ints:
        """Return the observation number of each reading, 0 where it has none (yet)."""
        line = reading.line
        if not len(line):
            return np.zeros(0, dtype=np.int64)
        blocks = self._store.blocks(reading.node_id, int(line.frame.min()), int(line.frame.max()))
        return numbers(line, blocks, CORRECTED if corrected else RAW)

    def lineage(self, reading: Reading) -> list[Epoch | None]:
        """Return what made the readings, by the numbers in `reading.line.epoch`."""
        return [self._epochs.get(*name) for name in reading.line.epochs]

    def state(self) -> State:
        """Return all calibrations and invalidations that hold."""
        return fold(self._source.decisions())

    def _of_node(
        self, node_id: int, since_s: int, until_s: int, quantities: Collection[str] | None
    ) -> dict[Key, Reading]:
        rows = self._source.frames(node_id, since_s, until_s)
        return self._lined_up(node_id, rows, Deployments(self._source.deployments()), self.state(), quantities)

    def _lined_up(
        self, node_id: int, rows: FrameRows, hung: Deployments, state: State, quantities: Collection[str] | None
    ) -> dict[Key, Reading]:
        only = None if quantities is None else lambda key: key.quantity in quantities
        return line_up(node_id, rows, self._epochs, self._loads, hung, state, only)


def _nodes_at(deployments: Iterable[Deployment], site_id: int, since_s: int, until_s: int) -> Iterator[int]:
    for row in deployments:
        ended = row.until_s is not None and row.until_s <= since_s
        if row.site_id == site_id and row.since_s < until_s and not ended:
            yield row.node_id


def _cut(reading: Reading, rows: slice | Ints) -> Reading:
    line, corrected = reading.line.where(rows), reading.corrected[rows]
    return Reading(reading.node_id, line, corrected, reading.site_id[rows], reading.calibration[rows])


def _joined(pieces: list[SiteRollUp]) -> SiteRollUp:
    if len(pieces) == 1:
        return pieces[0]
    names = ("start_s", "end_s", "value", "low", "high", "seconds", "readings", "flags")
    rows = RollUp(*(np.concatenate([getattr(piece.rows, name) for piece in pieces]) for name in names))
    number = np.concatenate([piece.number for piece in pieces])
    return SiteRollUp(pieces[0].node_id, pieces[-1].channel, rows, number)
