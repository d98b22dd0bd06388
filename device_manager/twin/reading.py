"""Observations of Datastreams out of `series`: by time for some Datastreams, by number for all.

    reader = Reader(archive, feed, store, set())
    reader.rows(catalogue, streams, since_s, until_s)     # that begin then, by Datastream's site
    reader.between(catalogue, low, high)                  # with the numbers low..high

Both give the same observation with the same number, value, flags and lineage. A raw reading that has a corrected one
beside it does not say so, because it was there before under the same number. What was measured where no Datastream is
yet goes to `unknown`, for whoever gives ids.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from device_manager.series.archive import Archive
from device_manager.series.calibration import Calibration
from device_manager.series.chunks import Chunk, ChunkKey
from device_manager.series.epochs import Epoch
from device_manager.series.feed import Feed, Page
from device_manager.series.flags import CALIBRATED
from device_manager.series.lineup import Reading
from device_manager.series.numbering import replaces
from device_manager.series.store import SeriesReader
from device_manager.twin.ahead import Ahead
from device_manager.twin.catalogue import Catalogue, Stream
from device_manager.twin.observations import Making, Rows, distinct, joined, none
from device_manager.twin.ports import Measured
from device_manager.twin.vocabulary import BY_AGGREGATE

Ints = npt.NDArray[np.int64]
READINGS = ("raw", "corrected")


class Reader:
    """Reads observations. Not for two threads at once."""

    def __init__(self, archive: Archive, feed: Feed, store: SeriesReader, unknown: set[Measured]) -> None:
        self._archive = archive
        self._feed = feed
        self._store = store
        self._ahead = Ahead(self.fresh, store)
        self.unknown = unknown

    def rows(self, catalogue: Catalogue, streams: Iterable[Stream], since_s: int, until_s: int) -> Rows:
        """Return the observations of the Datastreams that begin in [since_s, until_s), in no order."""
        sites: dict[int, list[Stream]] = {}
        for stream in streams:
            sites.setdefault(stream.site_id, []).append(stream)
        parts = []
        for site_id, wanted in sorted(sites.items()):
            parts += self._readings(catalogue, site_id, wanted, since_s, until_s)
            parts += self._rolled(catalogue, site_id, wanted, since_s, until_s)
        return self._named(joined(parts))

    def between(self, catalogue: Catalogue, low: int, high: int) -> Rows:
        """Return the observations with the numbers low..high, by number; read ahead for who asks on and on."""
        return self._ahead.between(catalogue, low, high)

    def fresh(self, catalogue: Catalogue, low: int, high: int) -> Rows:
        """Return the same, read anew."""
        pages = self._feed.between(low, high)
        return joined([self._of_page(catalogue, page) for page in pages if len(page)])

    def calibrations(self) -> list[Calibration]:
        """Return the calibrations that hold."""
        return list(self._archive.state().calibrations.values())

    def last_number(self) -> int:
        """Return the highest number that was given."""
        return self._store.progress().observation

    def _readings(
        self, catalogue: Catalogue, site_id: int, wanted: Sequence[Stream], since_s: int, until_s: int
    ) -> list[Rows]:
        streams = {(s.quantity, s.aggregate): s.stream_id for s in wanted if s.aggregate in READINGS}
        quantities = {quantity for quantity, _ in streams}
        if not quantities:
            return []
        parts = []
        for reading in self._archive.at_site(site_id, quantities, since_s, until_s):
            for aggregate in READINGS:
                stream_id = streams.get((reading.line.channel.quantity, aggregate))
                if stream_id is not None:
                    parts.append(self._of_reading(catalogue, reading, stream_id, corrected=aggregate == "corrected"))
        return parts

    def _of_reading(self, catalogue: Catalogue, reading: Reading, stream_id: int, *, corrected: bool) -> Rows:
        number = self._archive.numbers(reading, corrected=corrected)
        at = np.flatnonzero(number > 0)
        line = reading.line
        calibration = reading.calibration[at] if corrected else np.zeros(len(at), dtype=np.int64)
        value, flags = line.value[at], line.flags[at]
        if not corrected:
            flags = flags & ~CALIBRATED
        else:
            value = np.where(calibration > 0, reading.corrected[at], np.nan)
        node = catalogue.node_name(reading.node_id)
        epochs = self._archive.lineage(reading)
        names = [_making(node, line.channel.sensor, epoch) for epoch in epochs]
        made, makings = _makings(line.epoch[at], calibration, names)
        same = np.zeros(len(at), dtype=np.int64)
        return Rows(number[at], same, same + stream_id, line.start_s[at], line.end_s[at], value, flags,
                    made, makings)  # fmt: skip

    def _rolled(
        self, catalogue: Catalogue, site_id: int, wanted: Sequence[Stream], since_s: int, until_s: int
    ) -> list[Rows]:
        periods: dict[str, dict[str, int]] = {}
        for stream in wanted:
            period = BY_AGGREGATE[stream.aggregate].period
            if period:
                periods.setdefault(period, {})[stream.quantity] = stream.stream_id
        parts = []
        for period, streams in periods.items():
            for key, chunk in self._store.chunks(site_id, period, since_s, until_s):
                parts += _of_chunk(catalogue, key, chunk, streams, since_s, until_s)
        return parts

    def _named(self, rows: Rows) -> Rows:
        """Return the rows with what their numbers replace."""
        if not len(rows):
            return rows
        blocks = self._store.renaming(int(rows.number.min()), int(rows.number.max()))
        if blocks:
            rows.replaces[:] = replaces(rows.number, blocks)
        return rows

    def _of_page(self, catalogue: Catalogue, page: Page) -> Rows:
        stream = self._streams(catalogue, page)
        at = np.flatnonzero(stream > 0)
        if not len(at):
            return none()
        epochs = [*self._feed.lineage(page), None]
        key = np.stack((page.node_id[at], page.channel[at], page.epoch[at], page.calibration[at]))
        kinds, made = distinct(key)
        makings = [
            _making(catalogue.node_name(node), page.channels[channel].sensor, epochs[epoch])._replace(calibration=by)
            for node, channel, epoch, by in kinds.T.tolist()
        ]
        raw = ~page.corrected[at] & (page.period == "")
        flags = np.where(raw, page.flags[at] & ~CALIBRATED, page.flags[at])
        columns = (page.start_s[at], page.end_s[at], page.value[at], flags)
        return Rows(page.number[at], page.replaces[at], stream[at], *columns, made, tuple(makings))

    def _streams(self, catalogue: Catalogue, page: Page) -> Ints:
        """Return the Datastream of each row, 0 where there is none."""
        kinds, at = distinct(np.stack((page.site_id, page.node_id, page.channel, page.corrected.astype(np.int64))))
        found = []
        for site_id, node_id, index, corrected in kinds.T.tolist():
            channel = page.channels[index]
            aggregate = page.period or READINGS[corrected]
            stream_id = catalogue.by_key.get((site_id, channel.quantity, aggregate), 0)
            if not stream_id and site_id > 0:
                self.unknown.add(Measured(site_id, node_id, channel.sensor, channel.quantity, channel.unit))
            found.append(stream_id)
        return np.array(found, dtype=np.int64)[at]


def _of_chunk(
    catalogue: Catalogue, key: ChunkKey, chunk: Chunk, streams: dict[str, int], since_s: int, until_s: int
) -> list[Rows]:
    inside = (chunk.start_s >= since_s) & (chunk.start_s < until_s)
    node = catalogue.node_name(key.node_id)
    parts = []
    for index, channel in enumerate(chunk.channels):
        if channel.quantity not in streams:
            continue
        at = np.flatnonzero(inside & (chunk.number[index] > 0))
        same = np.zeros(len(at), dtype=np.int64)
        columns = (chunk.start_s[at], chunk.end_s[at], chunk.value[index, at], chunk.flags[index, at])
        stream = same + streams[channel.quantity]
        making = Making(node, channel.sensor)
        parts.append(Rows(chunk.number[index, at], same.copy(), stream, *columns, same, (making,)))
    return parts


def _making(node: str, sensor: str, epoch: Epoch | None) -> Making:
    if epoch is None:
        return Making(node, sensor)
    return Making(node, sensor, epoch.firmware, epoch.configuration, epoch.calibration)


def _makings(epoch: Ints, calibration: Ints, names: Sequence[Making]) -> tuple[Ints, tuple[Making, ...]]:
    """Return an index and what it points to for each pair of epoch and calibration."""
    if not calibration.any():
        return epoch, tuple(names)
    kinds, made = distinct(np.stack((epoch, calibration)))
    return made, tuple(names[e]._replace(calibration=c) for e, c in kinds.T.tolist())
