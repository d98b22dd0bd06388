"""A Node-RED flow that a user would draw for the same work: mqtt in -> function (CBOR, PostgreSQL) -> a row a value.

Node-RED and the modules of its function node are installed by npm into a folder. The flow takes frames with QoS 1 in a
session that the broker keeps, decodes them with cbor-x, and writes each with one INSERT of arrays by a pool of 10
connections of `pg`; a frame is one transaction, as durable as the server makes it. Node-RED acknowledges to the broker
what it has received, not what is committed: what is in its memory when it dies is lost.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil
import psycopg

from device_manager.adapters.broker_process import any_port
from device_manager.database import ServerDatabase
from firmware.wire import topics
from tests.waiting import wait_for

PACKAGES = ("node-red@4", "pg@8", "cbor-x@1")
INSTALL_S = 400
VALUES = 150  # of a frame
TABLE = "CREATE TABLE value (node text, channel int, time bigint, value bigint, PRIMARY KEY (node, channel, time))"
_BEGIN = """
const pool = new pg.Pool({host: "%s", user: "%s", database: "%s", max: 10});
context.set("pool", pool);
"""
_FUNCTION = """
const [, , , , t0, interval_s, count, differences] = cborX.decode(msg.payload);
const channels = [], times = [], values = [];
let total = 0;
differences.forEach((difference, at) => {
    total += difference;
    channels.push(Math.floor(at / count));
    times.push(t0 + (at % count) * interval_s);
    values.push(total);
});
await context.get("pool").query(
    "INSERT INTO value SELECT $1, unnest($2::int[]), unnest($3::bigint[]), unnest($4::bigint[])",
    [msg.topic.split("/")[2], channels, times, values]);
return null;
"""


def install(folder: Path) -> str:
    """Install Node-RED into `folder`; return what kept it from that, empty when it is there."""
    if not shutil.which("npm"):
        return "npm is not installed"
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", *PACKAGES]
    (folder / "package.json").write_text('{"name": "flow", "private": true}')
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S)
    except subprocess.TimeoutExpired:
        return f"npm install took more than {INSTALL_S} s"
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[0]


def prepare(folder: Path, port: int, database: ServerDatabase) -> None:
    """Write the flow for a broker at `port`, make its table, and have the flow leave its subscription."""
    (folder / "flows.json").write_text(json.dumps(_flow(port, database)))
    with psycopg.connect(database.url) as raw:
        raw.execute(TABLE)
    with _running(folder) as (_, log):
        wait_for(lambda: "Connected to broker" in log.read_text())
        time.sleep(2)  # its SUBACK is not said anywhere


def drained(folder: Path, database: ServerDatabase, frames: int) -> dict[str, float]:
    """Run the flow until it has written all; return frames a second and its us a frame, from the first ones on."""
    with psycopg.connect(database.url, autocommit=True) as raw, _running(folder) as (process, _):
        first = _transactions(raw)
        wait_for(lambda: _transactions(raw) > first)
        began, used, before = time.perf_counter(), _cpu_s(process), _transactions(raw)
        wait_for(lambda: _transactions(raw) >= first + frames)
        seconds, cpu_s, written = time.perf_counter() - began, _cpu_s(process) - used, _transactions(raw) - before
        rows = raw.execute("SELECT count(*) FROM value").fetchone()
        assert rows == (frames * VALUES,), rows
    return {"rate": written / seconds, "cpu_us": 1e6 * cpu_s / written}


def _transactions(raw: psycopg.Connection[tuple[object, ...]]) -> int:
    """Return the number of the next transaction that writes: each frame takes one, and nobody else writes here."""
    row = raw.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint").fetchone()
    assert row is not None
    return int(str(row[0]))


def _cpu_s(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


@contextmanager
def _running(folder: Path) -> Iterator[tuple[psutil.Process, Path]]:
    log = folder / "log"
    command = [
        "node",
        "node_modules/node-red/red.js",
        "--userDir",
        ".",
        "--port",
        str(any_port("127.0.0.1")),
        "flows.json",
    ]
    with log.open("w") as said, subprocess.Popen(command, cwd=folder, stdout=said, stderr=said) as process:
        try:
            yield psutil.Process(process.pid), log
        finally:
            process.terminate()
            process.wait(60)


def _flow(port: int, database: ServerDatabase) -> list[dict[str, object]]:
    url = urlsplit(database.url)
    host = parse_qs(url.query).get("host", [url.hostname or ""])[0]
    broker = {
        "id": "broker",
        "type": "mqtt-broker",
        "broker": "127.0.0.1",
        "port": str(port),
        "clientid": "flow",
        "autoConnect": True,
        "protocolVersion": "5",
        "keepalive": "60",
        "cleansession": False,
        "autoUnsubscribe": False,
        "sessionExpiry": "3600",
    }
    taken = {
        "type": "mqtt in",
        "topic": topics.ALL_UP,
        "qos": "1",
        "datatype": "buffer",
        "broker": "broker",
        "inputs": 0,
    }
    worked = {
        "type": "function",
        "func": _FUNCTION,
        "initialize": _BEGIN % (host, url.username or "", url.path.strip("/")),
        "finalize": "",
        "outputs": 1,
        "libs": [{"var": "pg", "module": "pg"}, {"var": "cborX", "module": "cbor-x"}],
    }
    drawn = {"z": "tab", "x": 100, "y": 100}  # what has no place in the drawing is no node to Node-RED
    first = {"id": "frames", **taken, **drawn, "wires": [["values"]]}
    return [
        {"id": "tab", "type": "tab", "label": "city"},
        broker,
        first,
        {"id": "values", **worked, **drawn, "wires": [[]]},
    ]
