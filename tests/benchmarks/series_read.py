"""Reading a store of 200 nodes x 15 channels x 1 minute x 30 days.

One channel of 30 days (raw, corrected and flagged), the latest value of all channels, and beside them the observation
numbers of that channel and its 15-minute roll-ups. Each is the median of several reads of different nodes. Replay is
what a follower of observation numbers gets a second.

Short form: 30 nodes.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable

from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_frames import SqlFrames
from device_manager.adapters.store_reader import SqlReader
from device_manager.adapters.store_series import SqlSeries
from device_manager.series import Series
from device_manager.series.archive import Archive
from device_manager.series.feed import Feed
from tests.benchmarks.city_store import FIRST_S, CityStore, city_store
from tests.benchmarks.row import Row, at_least, at_most

REPEATS = 15
REPLAYED = 2_000_000


def run(short: bool) -> list[Row]:
    """Return a row for one channel, for all latest values, and for the replay."""
    store = city_store(30 if short else 200, 30)
    loads = Cbor2Codec().loads
    series = SqlSeries(store.path)
    frames = SqlFrames(store.path, series)
    reader = SqlReader(store.path)
    try:
        archive = Archive(frames, series, loads)
        last_s = FIRST_S + store.days * 86_400
        channel = _median(lambda node: archive.readings(node, "pm2_5", FIRST_S, last_s), store)
        readings = [archive.readings(node, "pm2_5", FIRST_S, last_s)[0] for node in (1, 2, 3)]
        assert all(len(reading.line) == store.days * 1440 for reading in readings)
        numbers = _median(lambda node: archive.numbers(readings[node % 3]), store)
        rolled = _median(lambda node: archive.rollups(node, "pm2_5", "15min", FIRST_S, last_s), store)
        latest = Series(reader, Cbor2Codec())
        assert len(latest.latest()) == store.nodes * 15
        all_latest = _median(lambda node: latest.latest(), store)
        beside = f"its observation numbers {numbers:.0f} ms, its 15-min roll-ups {rolled:.0f} ms"
        return [
            at_most("series_read, one channel of 30 days", channel, "ms", 50, beside, store.form),
            at_most(f"series_read, latest of {store.nodes * 15} channels", all_latest, "ms", 50, form=store.form),
            at_least("series_read, replay by number", _replay(frames, series), "observations/s", 1e5, form=store.form),
        ]
    finally:
        for part in (frames, series, reader):
            part.close()


def _median(read: Callable[[int], object], store: CityStore) -> float:
    """Return the median time in ms of reads of different nodes."""
    times = []
    for node in itertools.islice(itertools.cycle(range(1, store.nodes + 1, 7)), REPEATS):
        began = time.perf_counter()
        read(node)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def _replay(frames: SqlFrames, series: SqlSeries) -> float:
    began, read = time.perf_counter(), 0
    for page in Feed(frames, series, Cbor2Codec().loads).pages(0):
        read += len(page)
        if read >= REPLAYED:
            break
    return read / (time.perf_counter() - began)
