"""A city's store for benchmarks: nodes with the 15 channels of the real day, a record a minute, frames of 10 records.

Every node begins the day at another minute, so that no two send the same; the frames of all nodes are stored in the
order in which they would have come.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from device_manager.adapters.store_engine import create_database
from device_manager.adapters.store_rebuild import Rebuilt, rebuild
from firmware.wire import records
from firmware.wire.quantities import QUANTITIES
from tests.benchmarks.encoding import encoded_frames
from tests.data import real_day

FIRST_S = 1_772_319_600  # 2026-03-01 00:00 in Kempten, so that 30 days hold a change of the clock
DAY_RECORDS = 1440
EARLY_S, EARLY_FRAMES, EARLY_RECORDS = 600, 6, 24  # a day of long ago
COUNTERS = (13, 14)  # places of footfall_in and footfall_out among the channels


@dataclass(frozen=True)
class CityStore:
    """A store with everything derived: `rebuilt` says what making that took, with two processes."""

    path: Path
    nodes: int
    days: int
    observations: int
    rebuilt: Rebuilt
    folder: tempfile.TemporaryDirectory[str]  # removed when nobody holds it any more

    @property
    def form(self) -> str:
        """What was run, for a row."""
        full = (self.nodes, self.days) == (200, 30)
        return "full" if full else f"{self.nodes} nodes, {self.days} days instead of 200, 30"


@cache
def city_store(nodes: int, days: int) -> CityStore:
    """Return a store of that size, made once a process."""
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "citynode.db"
    observations = make_store(path, nodes, days)
    return CityStore(path, nodes, days, observations, rebuild(path, processes=2), folder)


def make_store(path: Path, nodes: int, days: int, frame_records: int = 10, before_days: int = 0) -> int:
    """Make a database with the frames of `nodes` over `days` and return how many observations it holds; for
    `before_days` before these there is a record every EARLY_S."""
    create_database(path)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA synchronous=OFF")
        for node in range(1, nodes + 1):
            raw.execute(
                "INSERT INTO node (id, name, admission, added_ms) VALUES (?, ?, 'accepted', 0)",
                (node, f"kempten-{node:04d}"),
            )
            raw.execute(
                "INSERT INTO site (id, name, title, latitude, longitude, height_m, district)"
                " VALUES (?, ?, ?, 47.7, 10.3, 3, 'Mitte')",
                (node, f"site-{node:04d}", f"Site {node}"),
            )
            raw.execute("INSERT INTO deployment VALUES (?, ?, ?, 0, NULL)", (node, node, node))
            raw.execute(
                "INSERT INTO log VALUES (?, ?, ?, ?, '[]')", (node, node, node, days * DAY_RECORDS + before_days)
            )
            payload = channels_payload(node)
            raw.execute(
                "INSERT INTO frame (node_id, log_id, seq, kind, received_ms, start_s, payload)"
                " VALUES (?, ?, 0, 1, ?, NULL, ?)",
                (node, node, FIRST_S * 1000, payload),
            )
        for day in range(-before_days, days):
            raw.executemany(
                "INSERT INTO frame (node_id, log_id, seq, kind, received_ms, start_s, payload)"
                " VALUES (?, ?, ?, 0, ?, ?, ?)",
                _early_day(nodes, day, before_days) if day < 0 else _day(nodes, day, frame_records, before_days),
            )
            raw.commit()
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    records = days * DAY_RECORDS + before_days * EARLY_FRAMES * EARLY_RECORDS
    return nodes * records * len(real_day.CHANNELS)


def channels_payload(log: int) -> bytes:
    """Return the channels record of a node of the real day."""
    channels = [[name, *QUANTITIES[name][:2], "gate" if "footfall" in name else "air"] for name in real_day.CHANNELS]
    fields = {"firmware": "1.0", "configuration": 1, "interval_s": 60, "channels": channels}
    return records.encode_channels(log, 0, fields)


def day_values(node: int, day: int) -> np.ndarray:
    """Return (1440, 15) integers: the real day, shifted for each node, its counters going on from day to day."""
    values = np.array(real_day.records(), dtype=np.int64) if not _DAY else _DAY[0]
    if not _DAY:
        _DAY.append(values)
    shifted = np.roll(values, 7 * node, axis=0)
    for column in COUNTERS:
        counted = np.diff(values[:, column], prepend=values[0, column])
        shifted[:, column] = np.cumsum(np.roll(counted, 7 * node)) + day * counted.sum()
    return shifted


_DAY: list[np.ndarray] = []


def _early_day(nodes: int, day: int, before_days: int) -> Iterator[tuple[object, ...]]:
    """Yield the rows of a day of long ago (`day` < 0), with a record every EARLY_S."""
    first_s = FIRST_S + day * 86_400
    for i in range(EARLY_FRAMES):
        start_s = first_s + i * EARLY_RECORDS * EARLY_S
        seq = 1 + (before_days + day) * EARLY_FRAMES + i
        for node in range(1, nodes + 1):
            some = _early_values(node)[i * EARLY_RECORDS : (i + 1) * EARLY_RECORDS]
            (payload,) = encoded_frames(some, [(node, seq, 0, start_s)], EARLY_RECORDS, EARLY_S)
            yield node, node, seq, (start_s + EARLY_RECORDS * EARLY_S) * 1000 + 3 * node, start_s, payload


@cache
def _early_values(node: int) -> np.ndarray:
    return day_values(node, 0)[:: DAY_RECORDS // (EARLY_FRAMES * EARLY_RECORDS)]


def _day(nodes: int, day: int, frame_records: int, before_days: int = 0) -> Iterator[tuple[object, ...]]:
    """Yield the rows of one day, frame after frame of all nodes."""
    frames = DAY_RECORDS // frame_records
    early = before_days * EARLY_FRAMES
    payloads = []
    for node in range(1, nodes + 1):
        heads = [
            (node, 1 + early + day * frames + i, 0, FIRST_S + day * 86_400 + i * frame_records * 60)
            for i in range(frames)
        ]
        payloads.append(encoded_frames(day_values(node, day), heads, frame_records))
    for i in range(frames):
        start_s = FIRST_S + day * 86_400 + i * frame_records * 60
        received_ms = (start_s + frame_records * 60) * 1000 + 137
        for node in range(1, nodes + 1):
            yield node, node, 1 + early + day * frames + i, received_ms + 3 * node, start_s, payloads[node - 1][i]
