"""One reader of `ingest_sqlite` and `ingest_postgres`, as a process:
`drain.py discard|read|ingest|rows|pg_rows PORT DATABASE FRAMES`.

It subscribes with a session that the broker keeps, takes FRAMES frames, and prints what they cost as JSON. With 0
frames it only leaves its subscription.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
import time
from pathlib import Path

import cbor2
import paho.mqtt.client as paho
import psycopg
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from device_manager.adapters.broker_paho import BrokerAddress, PahoBroker
from device_manager.adapters.clock import SystemClock
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_engine import open_store
from device_manager.database import Database, ServerDatabase, parse
from device_manager.ingest.commit import Committer
from device_manager.ingest.service import IngestService
from device_manager.ports import Incoming
from device_manager.shadow import JsonFold
from firmware.wire import topics

POLL_S = 0.01
ROW_BATCH = 2000
READ_BATCH = 500


class Discarding:
    """A paho subscriber that looks at nothing."""

    def __init__(self, port: int) -> None:
        self.taken = 0
        self.client = paho.Client(CallbackAPIVersion.VERSION2, "discard", protocol=MQTTProtocolVersion.MQTTv5)
        self.client.on_connect = lambda client, *_: client.subscribe(topics.ALL_UP, qos=1)
        self.client.on_message = self.take
        self.subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval, properties.ReceiveMaximum = 3600, 65_535
        self.client.connect("127.0.0.1", port, clean_start=False, properties=properties)
        self.client.loop_start()

    def take(self, _: object, __: object, message: paho.MQTTMessage) -> None:
        """Count a message."""
        self.taken += 1

    def stop(self) -> None:
        """Disconnect; the broker keeps the session."""
        self.subscribed.wait(10)
        self.client.disconnect()
        self.client.loop_stop()


class Reading:
    """The product's own reader that looks at nothing and acknowledges everything."""

    def __init__(self, port: int) -> None:
        self.taken = 0
        self._tokens: list[object] = []
        self._broker = PahoBroker(BrokerAddress("127.0.0.1", port, "read"))
        self._broker.start(self.take)

    def take(self, message: Incoming) -> None:
        """Count a message."""
        self.taken += 1
        self._tokens.append(message.token)
        if len(self._tokens) == READ_BATCH:
            self._broker.acknowledge(self._tokens)
            self._tokens.clear()

    def stop(self) -> None:
        """Disconnect; the broker keeps the session."""
        time.sleep(0.5)
        self._broker.stop()


class Rows(Discarding):
    """One that fills a table with a row a value, as it comes to mind first, in batches of frames."""

    def __init__(self, port: int, database: Path) -> None:
        self.raw = sqlite3.connect(database, check_same_thread=False)
        self.raw.execute("PRAGMA journal_mode=WAL")
        self.raw.execute("PRAGMA synchronous=FULL")
        self.raw.execute("CREATE TABLE IF NOT EXISTS value (node TEXT, channel INTEGER, time INTEGER, value INTEGER,"
                         " PRIMARY KEY (node, channel, time)) WITHOUT ROWID")  # fmt: skip
        self.waiting: list[tuple[str, int, int, int]] = []
        self.frames = 0
        super().__init__(port)

    def take(self, _: object, __: object, message: paho.MQTTMessage) -> None:
        """Decode a frame and write its values."""
        node = message.topic.split("/")[2]
        _, _, _, _, t0, interval_s, count, differences = cbor2.loads(message.payload)
        total = 0
        for at, difference in enumerate(differences):
            total += difference
            self.waiting.append((node, at // count, t0 + at % count * interval_s, total))
        self.frames += 1
        if self.frames % ROW_BATCH == 0:
            self.raw.executemany("INSERT OR REPLACE INTO value VALUES (?, ?, ?, ?)", self.waiting)
            self.raw.commit()
            self.waiting.clear()
            self.taken = self.frames


class PgRows(Discarding):
    """As `Rows`, into PostgreSQL with COPY."""

    def __init__(self, port: int, database: ServerDatabase) -> None:
        self.raw = psycopg.connect(database.url)
        self.raw.execute("CREATE TABLE IF NOT EXISTS value (node text, channel int, time bigint, value bigint,"
                         " PRIMARY KEY (node, channel, time))")  # fmt: skip
        self.raw.commit()
        self.waiting: list[tuple[str, int, int, int]] = []
        self.frames = 0
        super().__init__(port)

    def take(self, _: object, __: object, message: paho.MQTTMessage) -> None:
        """Decode a frame and write its values."""
        node = message.topic.split("/")[2]
        _, _, _, _, t0, interval_s, count, differences = cbor2.loads(message.payload)
        total = 0
        for at, difference in enumerate(differences):
            total += difference
            self.waiting.append((node, at // count, t0 + at % count * interval_s, total))
        self.frames += 1
        if self.frames % ROW_BATCH == 0:
            with self.raw.cursor().copy("COPY value FROM STDIN") as copy:
                for row in self.waiting:
                    copy.write_row(row)
            self.raw.commit()
            self.waiting.clear()
            self.taken = self.frames


class Ingesting:
    """The manager's own ingest, as `serve` composes it."""

    def __init__(self, port: int, database: Database) -> None:
        self.store = open_store(database)
        broker = PahoBroker(BrokerAddress("127.0.0.1", port, "ingest"))
        self.service = IngestService(broker, Committer(self.store, Cbor2Codec(), JsonFold()), SystemClock())
        self.service.start()

    @property
    def taken(self) -> int:
        """Frames that are committed and acknowledged."""
        return self.service.totals.stored

    def stop(self) -> None:
        """Commit what came, and disconnect."""
        time.sleep(0.5)
        self.service.stop()
        self.store.close()


def main(reader: str, port: str, database: str, frames: str) -> None:
    """Drain and print."""
    path, wanted = Path(database), int(frames)
    made = {
        "discard": lambda: Discarding(int(port)),
        "read": lambda: Reading(int(port)),
        "rows": lambda: Rows(int(port), path),
        "ingest": lambda: Ingesting(int(port), parse(database) if "://" in database else path),
        "pg_rows": lambda: PgRows(int(port), parse(database)),
    }[reader]
    began, used = time.perf_counter(), time.process_time()
    running = made()
    while running.taken < wanted:
        time.sleep(POLL_S)
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - used
    running.stop()
    if wanted:
        print(json.dumps({"rate": wanted / seconds, "cpu_us": 1e6 * cpu_s / wanted}))


if __name__ == "__main__":
    main(*sys.argv[1:])
