"""Ingest of one process beside mosquitto on the same cores: frames a second, durable, and its processor time a frame.

Frames of 150 values are queued at the broker with QoS 1, then drained: by a subscriber of the same library (paho) that
discards them, by the manager's own ingest (SQLite with synchronous=FULL, watermarks published), and by the same
subscriber filling a table with a row a value. Each reader is a process of its own; its processor time is all that it
used from the connection to the last commit. "one frame a node": every frame of a batch comes from another node; "50
nodes": the frames of 50 nodes in turn.

Short form: half of the frames.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from device_manager.adapters.store_engine import create_database
from tests.benchmarks.city_store import FIRST_S, channels_payload, day_values
from tests.benchmarks.encoding import encoded_frames
from tests.benchmarks.row import Row, at_least, at_most
from tests.benchmarks.tools import HERE
from tests.conftest import ROOT
from tests.fakes.speaker import NOW_MS

FRAMES, ROW_FRAMES = 48_000, 6_000
SHAPES = {"one frame a node": 4_000, "50 nodes": 50}  # a batch of ingest has 2,000 messages
RECORDS = 10


def run(short: bool) -> list[Row]:
    """Return a row for the speed and one for the processor time, for both shapes."""
    frames = FRAMES // 2 if short else FRAMES
    form = f"{frames} frames instead of {FRAMES}" if short else "full"
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for shape, nodes in SHAPES.items():
            figures = {reader: _drained(Path(folder), reader, nodes, frames) for reader in ("discard", "ingest")}
            figures["rows"] = _drained(Path(folder), "rows", nodes, ROW_FRAMES)
            discard, ingest, per_row = (figures[reader] for reader in ("discard", "ingest", "rows"))
            beside = f"discarding {discard['rate']:.0f}/s, a row a value {per_row['rate']:.0f}/s"
            rows.append(at_least(f"ingest_sqlite, {shape}", ingest["rate"], "frames/s", 10_000, beside, form))
            times = f"ingest {ingest['cpu_us']:.0f} us, discarding {discard['cpu_us']:.0f} us"
            beside = f"{times}, a row a value {per_row['cpu_us']:.0f} us a frame"
            ratio = ingest["cpu_us"] / discard["cpu_us"]
            rows.append(at_most(f"ingest_sqlite, {shape}, processor time", ratio, "x discarding", 2.2, beside, form))
    return rows


def _drained(folder: Path, reader: str, nodes: int, frames: int) -> dict[str, float]:
    """Queue frames for a reader at a broker of its own and return what it says when it has taken all."""
    database = folder / f"{reader}-{nodes}" / "citynode.db"
    database.parent.mkdir()
    if reader == "ingest":
        _prepare(database, nodes)
    messages = list(_messages(nodes, frames))
    with _mosquitto(folder) as port:
        _drain(reader, port, database, 0)  # leaves its subscription
        _publish(port, messages)
        figures: dict[str, float] = json.loads(_drain(reader, port, database, frames))
    if reader == "ingest":
        with closing(sqlite3.connect(database)) as raw:
            assert raw.execute("SELECT count(*) FROM frame WHERE kind = 0").fetchone()[0] == frames
    return figures


def _drain(reader: str, port: int, database: Path, frames: int) -> str:
    command = [sys.executable, "-m", "tests.benchmarks.drain", reader, str(port), str(database), str(frames)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"the reader {reader} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def _prepare(database: Path, nodes: int) -> None:
    """Make a database in which all nodes are registered and have sent their channels."""
    create_database(database)
    with closing(sqlite3.connect(database)) as raw:
        raw.executemany(
            "INSERT INTO node (id, name, admission, added_ms) VALUES (?, ?, 'accepted', 0)",
            [(n, _name(n)) for n in range(1, nodes + 1)],
        )
        raw.executemany("INSERT INTO log VALUES (?, ?, ?, 1, '[]')", [(n, n, n) for n in range(1, nodes + 1)])
        raw.executemany(
            "INSERT INTO frame (node_id, log_id, seq, kind, received_ms, start_s, payload)"
            " VALUES (?, ?, 0, 1, ?, NULL, ?)",
            [(n, n, NOW_MS, channels_payload(n)) for n in range(1, nodes + 1)],
        )
        raw.commit()


def _name(node: int) -> str:
    return f"kempten-{node:05d}"


def _messages(nodes: int, frames: int) -> Iterator[tuple[str, bytes]]:
    """Yield (topic, payload), node after node in turn."""
    rounds = -(-frames // nodes)
    made = {}
    for node in range(1, nodes + 1):
        heads = [(node, 1 + i, 0, FIRST_S + 600 * i) for i in range(rounds)]
        days = -(-rounds * RECORDS // 1440)
        values = [day_values(node % 50, day) for day in range(days)]
        flat = [row for day in values for row in day][: rounds * RECORDS]
        made[node] = encoded_frames(_array(flat), heads, RECORDS)
    for i in range(frames):
        node = i % nodes + 1
        yield f"citynode/1/{_name(node)}/up/frame", made[node][i // nodes]


def _array(rows: list[object]) -> object:
    import numpy as np

    return np.array(rows)


def _publish(port: int, messages: list[tuple[str, bytes]]) -> None:
    """Publish with QoS 1 (MQTT 3.1.1, written by hand: a client library would take longer than the readers)."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(_packet(0x10, b"\x00\x04MQTT\x04\x02\x00\x00" + _text("loader")))
        assert connection.recv(4)[3] == 0
        unanswered = 0
        for number, (topic, payload) in enumerate(messages):
            packet_id = (number % 65_000 + 1).to_bytes(2, "big")
            connection.sendall(_packet(0x32, _text(topic) + packet_id + payload))
            unanswered += 4
            if unanswered >= 4_000:
                unanswered -= len(connection.recv(65_536))
        while unanswered:
            unanswered -= len(connection.recv(65_536))
        connection.sendall(b"\xe0\x00")


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


def _packet(kind: int, body: bytes) -> bytes:
    length, rest = bytearray(), len(body)
    while True:
        length.append(rest & 127 | (128 if rest > 127 else 0))
        rest >>= 7
        if not rest:
            return bytes((kind,)) + bytes(length) + body


@contextmanager
def _mosquitto(folder: Path) -> Iterator[int]:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        raise RuntimeError("expected mosquitto, got none; install it")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file = folder / "mosquitto.conf"
    user = "user root\n" if os.geteuid() == 0 else ""
    limits = "max_inflight_messages 2000\nmax_queued_messages 0\n"  # in flight as in the product's configuration
    file.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n{limits}{user}")
    process = subprocess.Popen([program, "-c", str(file)], stderr=subprocess.DEVNULL, cwd=HERE)
    try:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()
