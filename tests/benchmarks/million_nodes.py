"""A million simulated nodes with a frame every 10 minutes: 1,667 frames/s into one ingest on PostgreSQL, for an hour.

Broker, server, ingest and the load share the machine. Met when watermarks cover every frame and the ingest's memory is
flat: its resident size at the end to that when every node it remembers was seen once. Ten million on paper: what each
part takes for a frame, times 16,667 frames/s; `device_manager/DECISIONS.md` says what follows from it.

Short form: 60,000 nodes every 36 s, the same rate, for 3 minutes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import psycopg

from device_manager.adapters.broker_paho import BrokerAddress, PahoBroker
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_engine import create_database
from device_manager.adapters.store_partitions import ensure_month, month_of
from device_manager.database import ServerDatabase
from device_manager.load import FIRST_LOG, WATERMARKS, Loader, Report, name
from device_manager.loading.swarm import Habits, Swarm
from device_manager.loading.trace import Trace, channels
from tests.benchmarks.ingest_postgres import copied
from tests.benchmarks.ingest_sqlite import _mosquitto
from tests.benchmarks.row import Row, at_least, at_most
from tests.conftest import ROOT
from tests.data import real_day
from tests.fakes import postgres

EVERY_S = 2.0
TEN_MILLION = 10_000_000 / 600
PARTS = ("ingest", "database", "broker")
HEADERS_BYTES = 150
"""Around a payload: topic 40, MQTT 6, TLS record 29, TCP and IP 40 with an acknowledgement of as much."""


def run(short: bool) -> list[Row]:
    """Return rows for completeness, memory, and ten million on paper."""
    nodes, frame_s, seconds = (60_000, 36, 180.0) if short else (1_000_000, 600, 3600.0)
    form = f"{nodes} nodes every {frame_s} s for {seconds:.0f} s"
    with (
        tempfile.TemporaryDirectory() as folder,
        postgres.server(form=postgres.STOCK) as server,
        _mosquitto(Path(folder)) as port,
    ):
        database = _registered(server, nodes)
        command = [sys.executable, "-m", "tests.benchmarks.drain", "ingest", str(port), database.url, str(10**12)]
        ingest = subprocess.Popen(command, cwd=ROOT)
        try:
            time.sleep(5)
            broker = next(child for child in psutil.Process().children() if child.name() == "mosquitto")
            before = _cpu_s(ingest.pid), server.cpu_s(), _cpu_s(broker.pid)
            sizes, report = _loaded(port, ingest.pid, nodes, frame_s, seconds)
            after = _cpu_s(ingest.pid), server.cpu_s(), _cpu_s(broker.pid)
        finally:
            ingest.terminate()
            ingest.wait()
        stored, sent = _bytes(database)
    costs = [1e6 * (b - a) / report.sent for a, b in zip(before, after, strict=True)]
    settled = sizes[int(len(sizes) * min(0.9, frame_s / seconds))]
    rate = f"{report.sent / report.seconds:.0f} frames/s, {report.again} sent again"
    return [
        at_least("million_nodes, records covered", report.covered / report.made, "of all", 1.0, rate, form),
        at_most("million_nodes, memory of ingest", sizes[-1] / settled, "x", 1.1, f"{sizes[-1] / 1e6:.0f} MB", form),
        *(_on_paper(part, cost, "cores", 1e-6, "us", form) for part, cost in zip(PARTS, costs, strict=True)),
        _on_paper("network into the broker", sent + HEADERS_BYTES, "Mbit/s", 8e-6, "bytes", form),
        _on_paper("disk", stored, "GB a day", 86_400e-9, "bytes", form),
    ]


def _on_paper(part: str, cost: float, unit: str, factor: float, of: str, form: str) -> Row:
    """Return what ten million nodes need of a part: its cost for a frame, times their frames."""
    need, beside = cost * TEN_MILLION * factor, f"{cost:.0f} {of} a frame"
    return Row(f"million_nodes, ten million on paper, {part}", need, unit, beside=beside, form=form)


def _bytes(database: ServerDatabase) -> tuple[float, float]:
    """Return the bytes of a frame in the tables of frames, indexes included, and of its payload."""
    sizes = (
        "SELECT (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('frame')) / count(*)::float,"
        " avg(length(payload)) FILTER (WHERE kind = 0) FROM frame"
    )
    with psycopg.connect(database.url) as raw:
        stored, sent = raw.execute(sizes).fetchone() or (0, 0)
    return float(stored), float(sent)


def _registered(server: postgres.Postgres, nodes: int) -> ServerDatabase:
    """Make a database in which all nodes have sent their channels."""
    database, now_ms = server.database("million"), int(time.time() * 1000)
    create_database(database)
    with psycopg.connect(database.url) as raw:
        copied(raw, "node (id, name, admission, added_ms)", [(n + 1, name(n), "accepted", 0) for n in range(nodes)])
        copied(raw, "log (id, node_id, log, next, ahead)",
               [(n + 1, n + 1, FIRST_LOG + n, 1, "[]") for n in range(nodes)])  # fmt: skip
        ensure_month(raw, month_of(now_ms))
        heads = ((n + 1, now_ms, 0, n + 1, n + 1, 1, channels(real_day.CHANNELS, FIRST_LOG + n)) for n in range(nodes))
        copied(raw, "frame (number, received_ms, seq, node_id, log_id, kind, payload)", heads)
    with psycopg.connect(database.url, autocommit=True) as raw:
        raw.execute("ANALYZE")
    return database


def _loaded(port: int, pid: int, nodes: int, frame_s: int, seconds: float) -> tuple[list[int], Report]:
    """Load, and return the sizes of the ingest now and then, and the report."""
    sizes: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(EVERY_S):
            sizes.append(psutil.Process(pid).memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    trace = Trace([[int(value) for value in row] for row in real_day.records()])
    broker = PahoBroker(BrokerAddress("127.0.0.1", port, "citynode.load", subscription=WATERMARKS))
    loader = Loader(broker, Cbor2Codec(), Swarm(nodes, Habits(frame_s)), trace, real_day.CHANNELS)
    loader.begun(range(nodes))
    begin_s = int(time.time()) - 600 * (2 + int(seconds / frame_s))
    try:
        return sizes, loader.run(seconds, begin_s, 600)
    finally:
        done.set()
        watching.join()


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
