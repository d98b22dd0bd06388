"""A data directory as a fleet leaves it, without broker and nodes: for the dashboard's tests and benchmark.

Nodes hang at real places of Kempten and replay the real day up to `until_s`, a minute a record. The third is lost for
two days, the sixth has a sensor that reports a fault since four hours, the ninth is late.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cbor2
import numpy as np

from device_manager.adapters.store_engine import create_database
from device_manager.demo.places import choose
from device_manager.settings import Settings, WebSettings, save
from device_manager.shadow import Shadow, to_document
from firmware.wire import quality
from tests.benchmarks.city_store import DAY_RECORDS, channels_payload, day_values

FRAME_RECORDS = 10
LOST, FAULTY, LATE = 3, 6, 9  # places among the nodes, from 1
FAULT_MINUTES = 240
_COLUMN = 1  # PM2.5


def name_of(number: int) -> str:
    """Return the id of a node by its place."""
    return f"kempten-{number:02}"


def paint(
    directory: Path,
    until_s: int,
    *,
    nodes: int = 12,
    days: Sequence[float] = (1,),
    port: int = 8080,
    title: str = "",
    writable: bool = False,
    into: Settings | None = None,
    named: Callable[[int], str] = name_of,
) -> Settings:
    """Make the directory; `days` are how many days each node has, the last value for all others.

    With `into` paint into a directory that `app.initialise` made; `named` gives the id of a node by its place.
    """
    settings = into or _made(directory, WebSettings(port=port, writable=writable))
    with closing(sqlite3.connect(settings.database)) as raw:
        raw.execute("PRAGMA synchronous=OFF")
        for number, place in enumerate(choose(nodes), start=1):
            spread = 0.004 * np.array([(number * 37 % 101) - 50, (number * 53 % 97) - 48]) / 10 * (nodes > 16)
            site = (number, place.name, title if number == 1 and title else place.title)
            where = (place.latitude + spread[0] * 4, place.longitude + spread[1] * 6)
            columns = "id, name, title, latitude, longitude, height_m, district"
            raw.execute(f"INSERT INTO site ({columns}) VALUES (?, ?, ?, ?, ?, 3.5, 'Kempten')", (*site, *where))
            _add_node(raw, number, named(number))
            last_s = until_s - (2 * 86_400 if number == LOST else 1200 if number == LATE else 0)
            records = int(days[min(number, len(days)) - 1] * DAY_RECORDS)
            frames = _frames(number, last_s, records)
            rows = "node_id, log_id, seq, kind, received_ms, start_s, payload"
            raw.executemany(f"INSERT INTO frame ({rows}) VALUES (?, ?, ?, ?, ?, ?, ?)", frames)
            shadow = replace(_shadow(number, last_s, len(frames)), node=named(number))
            raw.execute("INSERT INTO shadow (node_id, document) VALUES (?, ?)", (number, to_document(shadow)))
        raw.commit()
    return settings


def _made(directory: Path, web: WebSettings) -> Settings:
    directory.mkdir(mode=0o700, exist_ok=True)
    settings = Settings(directory, "Kempten", web=web)
    save(settings)
    create_database(settings.database)
    return settings


def _add_node(raw: sqlite3.Connection, number: int, name: str) -> None:
    columns = "id, name, admission, added_ms"
    raw.execute(f"INSERT INTO node ({columns}) VALUES (?, ?, 'accepted', 0)", (number, name))
    raw.execute("INSERT INTO deployment (node_id, site_id, since_s) VALUES (?, ?, 0)", (number, number))
    raw.execute("INSERT INTO log (id, node_id, log, next, ahead) VALUES (?, ?, ?, 9, '[]')", (number, number, number))


def _frames(number: int, last_s: int, records: int) -> list[tuple[object, ...]]:
    begin_s = last_s - records * 60
    values = np.concatenate([day_values(number, day) for day in range(-(-records // DAY_RECORDS))])[:records]
    found: list[tuple[object, ...]] = [(number, number, 0, 1, begin_s * 1000, None, channels_payload(number))]
    faulty_from = records - FAULT_MINUTES if number == FAULTY else records
    for first in range(0, records - FRAME_RECORDS + 1, FRAME_RECORDS):
        rows, start_s = values[first : first + FRAME_RECORDS], begin_s + first * 60
        steps = np.diff(rows.T.reshape(-1), prepend=0).tolist()
        seq = 1 + first // FRAME_RECORDS
        items: list[object] = [0, number, seq, 0, start_s, 60, FRAME_RECORDS, steps]
        if first >= faulty_from:
            items.append({1: [[_COLUMN, 0, FRAME_RECORDS, quality.FAULT]]})
        received_ms = (start_s + 60 * FRAME_RECORDS) * 1000
        found.append((number, number, seq, 0, received_ms, start_s, cbor2.dumps(items)))
    return found


def _shadow(number: int, last_s: int, frames: int) -> Shadow:
    health = {
        "boot": 1,
        "uptime_s": 86_400 + 3600 * number,
        "time": last_s,
        "reset_cause": "power on",
        "heap_free": 112_000,
        "heap_floor": 98_000,
        "buffered": 2,
        "lost": 0,
        "resent": 0,
        "rssi": -61 - number,
        "chip_temperature": 38,
        "lateness": [["sampler", 40], ["link", 1200]],
        "faults": [["air", 4]] if number == FAULTY else [],
        "last_error": "air: expected a CRC of 41, got 40" if number == FAULTY else "",
    }
    seen_s = last_s - (600 if number == LATE else 0)
    return Shadow(
        name_of(number), online=number != LOST, boot=1, log=number, head=frames, next=frames, above=frames, epoch=0,
        firmware="1.4.2", record_s=60, frame_s=600, connected_ms=(last_s - 3600) * 1000, last_frame_ms=seen_s * 1000,
        last_seen_ms=seen_s * 1000, last_frame_end_s=last_s, frames=frames, values=frames * 150,
        payload_bytes=frames * 230, health=health, board="esp32-s3-devkitc-1",
    )  # fmt: skip
