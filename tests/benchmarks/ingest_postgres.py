"""Ingest of one process beside mosquitto and PostgreSQL on the same cores: frames a second, durable, and their cost.

As `ingest_sqlite`, with a server of its own (fsync on, stock settings) that takes its share of the two cores: its
processor time a frame stands beside. Then frames come at half of the rate that was reached, and the time from a frame's
PUBLISH to the watermark that covers it is taken; a batch gathers for 20 ms.

Beside it a row a value (COPY, in batches of 2,000 frames), the discarding subscriber, and a flow in Node-RED, which npm
installs (`node_red`); where it cannot, the row says what kept it from that.

Short form: half of the frames, a latency run of 3 s instead of 10.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

import psycopg

from device_manager.adapters.store_engine import create_database
from device_manager.database import ServerDatabase
from tests.benchmarks import node_red
from tests.benchmarks.city_store import channels_payload
from tests.benchmarks.ingest_sqlite import FRAMES, ROW_FRAMES, SHAPES, _drain, _messages, _mosquitto, _name, _publish
from tests.benchmarks.pacing import latencies_ms
from tests.benchmarks.row import Row, at_least, at_most
from tests.fakes import postgres
from tests.fakes.speaker import NOW_MS

FLOW_FRAMES = 3000


def run(short: bool) -> list[Row]:
    """Return a row for the speed, one for the processor time for both shapes, and one for the latency."""
    frames = FRAMES // 2 if short else FRAMES
    form = f"{frames} frames instead of {FRAMES}" if short else "full"
    rows, rates = [], []
    with tempfile.TemporaryDirectory() as folder, postgres.server(form=postgres.STOCK) as server:
        for shape, nodes in SHAPES.items():
            discard = _drained(Path(folder), server, "discard", nodes, frames)
            read = _drained(Path(folder), server, "read", nodes, frames)
            ingest = _drained(Path(folder), server, "ingest", nodes, frames)
            per_row = _drained(Path(folder), server, "pg_rows", nodes, ROW_FRAMES)
            beside = (
                f"discarding with paho {discard['rate']:.0f}/s, with our reader {read['rate']:.0f}/s,"
                f" a row a value {per_row['rate']:.0f}/s"
            )
            rows.append(at_least(f"ingest_postgres, {shape}", ingest["rate"], "frames/s", 10_000, beside, form))
            rows.append(_cost(shape, discard, read, ingest, per_row, form))
            rates.append(ingest["rate"])
        rows.append(_node_red(Path(folder), server, rates[1]))
        rows.append(_latency(Path(folder), server, min(rates) / 2, 3.0 if short else 10.0))
    return rows


def _cost(
    shape: str,
    discard: dict[str, float],
    read: dict[str, float],
    ingest: dict[str, float],
    per_row: dict[str, float],
    form: str,
) -> Row:
    beside = (
        f"ingest {ingest['cpu_us']:.0f} us and the server {ingest['server_us']:.0f} us, discarding"
        f" {discard['cpu_us']:.0f} us, with our reader {read['cpu_us']:.0f} us,"
        f" a row a value {per_row['cpu_us']:.0f} and {per_row['server_us']:.0f} us a frame"
    )
    name = f"ingest_postgres, {shape}, processor time"
    return at_most(name, ingest["cpu_us"] / discard["cpu_us"], "x discarding", 2.5, beside, form)


def _node_red(folder: Path, server: postgres.Postgres, ours: float) -> Row:
    """Return the row of a Node-RED flow that has the same broker, server and frames."""
    name, flow = "ingest_postgres, a flow in Node-RED", folder / "flow"
    flow.mkdir()
    reason = node_red.install(flow)
    if reason:
        return Row(name, 0.0, "frames/s", beside=f"not run: {reason}", form="left out")
    database = server.database("node_red")
    with _mosquitto(folder) as port:
        node_red.prepare(flow, port, database)
        _publish(port, list(_messages(SHAPES["50 nodes"], FLOW_FRAMES)))
        before_s = server.cpu_s()
        found = node_red.drained(flow, database, FLOW_FRAMES)
    server_us = 1e6 * (server.cpu_s() - before_s) / FLOW_FRAMES
    beside = (
        f"{found['cpu_us']:.0f} us and the server {server_us:.0f} us a frame; citynode {ours / found['rate']:.0f} times"
    )
    return Row(name, found["rate"], "frames/s", beside=beside, form=f"{FLOW_FRAMES} frames")


def _latency(folder: Path, server: postgres.Postgres, rate: float, seconds: float) -> Row:
    nodes = 1000
    database = prepared(server, "latency", nodes)
    with _mosquitto(folder) as port:
        found = latencies_ms(port, database, list(_messages(nodes, int(rate * seconds))), rate)
    p50, p99 = (found[int(len(found) * share)] for share in (0.5, 0.99))
    beside = f"p99 {p99:.0f} ms at {rate:.0f} frames/s, {len(found)} frames"
    return Row("ingest_postgres, latency p50 at half load", p50, "ms", beside=beside, form=f"{seconds:.0f} s")


def _drained(folder: Path, server: postgres.Postgres, reader: str, nodes: int, frames: int) -> dict[str, float]:
    """Queue frames for a reader at a broker of its own and return what it says when it has taken all."""
    name = f"{reader}_{nodes}"
    database = prepared(server, name, nodes) if reader == "ingest" else server.database(name)
    messages = list(_messages(nodes, frames))
    with _mosquitto(folder) as port:
        _drain(reader, port, database.url, 0)  # leaves its subscription
        _publish(port, messages)
        before_s = server.cpu_s()
        figures: dict[str, float] = json.loads(_drain(reader, port, database.url, frames))
    figures["server_us"] = 1e6 * (server.cpu_s() - before_s) / frames
    if reader == "ingest":
        with psycopg.connect(database.url) as raw:
            found = raw.execute("SELECT count(*), max(number) FROM frame").fetchone()
            assert found == (frames + nodes, frames + nodes), found
    return figures


def prepared(server: postgres.Postgres, name: str, nodes: int) -> ServerDatabase:
    """Make a database in which all nodes are registered and have sent their channels."""
    database = server.database(name)
    create_database(database)
    with psycopg.connect(database.url) as raw:
        copied(raw, "node (id, name, admission, added_ms)", [(n, _name(n), "accepted", 0) for n in range(1, nodes + 1)])
        copied(raw, "log (id, node_id, log, next, ahead)", [(n, n, n, 1, "[]") for n in range(1, nodes + 1)])
        raw.execute("CREATE TABLE frame_2026_02 PARTITION OF frame FOR VALUES FROM (1769904000000) TO (1772323200000)")
        heads = [(n, NOW_MS, 0, n, n, 1, channels_payload(n)) for n in range(1, nodes + 1)]
        copied(raw, "frame (number, received_ms, seq, node_id, log_id, kind, payload)", heads)
        raw.execute("UPDATE numbered SET head = %s", (nodes,))
    with psycopg.connect(database.url, autocommit=True) as raw:
        raw.execute("ANALYZE")
    return database


def copied(raw: psycopg.Connection[tuple[object, ...]], table: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Write rows with COPY."""
    with raw.cursor().copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
