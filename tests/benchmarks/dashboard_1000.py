"""The dashboard with 1,000 nodes, in real headless Chromium: first page, a node's 30 days, and memory while it is open.

The nodes are there as the protocol leaves them: frames, shadows and register of a day; one has 30 days of minute values
of 15 channels. The dashboard runs in a process of its own, as `citynode serve` starts it. A feeder writes a shadow of
every node anew each 5 s, so that every live update differs. Memory is that of the process (PSS of its own pages) and
the page's used JS heap after a forced collection, at the end against the end of the first quarter.

Short form: two minutes of live updates instead of 30.
"""

from __future__ import annotations

import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Page, sync_playwright

from device_manager.adapters.broker_process import any_port
from device_manager.settings import Settings
from device_manager.shadow import from_document, to_document
from device_manager.shadow.fold import replace
from tests.benchmarks.row import Row, at_most
from tests.fakes.painted_fleet import name_of, paint
from tests.waiting import wait_for

NODES = 1000
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage")
REPEATS = 5
FEED_S = 5
BIG = name_of(1)


def run(short: bool) -> list[Row]:
    """Return rows for the first page, the node's page, and both memories."""
    seconds, form = (120, "2 min of updates instead of 30") if short else (1800, "full")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        settings = paint(Path(folder), int(time.time()), nodes=NODES, days=(30, 0.05), port=any_port("127.0.0.1"))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        with _dashboard(settings) as process:
            page = browser.new_page(base_url=f"http://127.0.0.1:{settings.web.port}")
            first = _median_s(page, "/", f"document.querySelectorAll('#markers a').length === {NODES}")
            drawn = "document.querySelectorAll('.plots .line').length === 15"
            node = _median_s(page, f"/nodes/{BIG}?span=30d", drawn)
            grown = _grown(page, settings, process, seconds)
        browser.close()
    beside = f"{NODES} nodes on the map; its heap {grown[2]:.1f} MB, the process {grown[3]:.0f} MB"
    return [
        at_most("dashboard_1000, first page usable", first, "s", 2.0, beside, form),
        at_most("dashboard_1000, node page, 30 days x 15 channels", node, "s", 1.5, form=form),
        at_most("dashboard_1000, growth in the browser", grown[0], "MB", 5.0, form=form),
        at_most("dashboard_1000, growth in the manager's process", grown[1], "MB", 10.0, form=form),
    ]


@contextmanager
def _dashboard(settings: Settings) -> Iterator[psutil.Process]:
    command = [sys.executable, "-m", "device_manager.web.dashboard", "--data", str(settings.directory)]
    process = subprocess.Popen(command)
    try:
        wait_for(lambda: not _port_is_free(settings.web.port))
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def _port_is_free(port: int) -> bool:
    return all(found.laddr.port != port for found in psutil.net_connections("tcp") if found.status == "LISTEN")


def _median_s(page: Page, path: str, ready: str) -> float:
    """Return the median time from the begin of a navigation until `ready` holds and a frame was painted."""
    times = []
    for _ in range(REPEATS):
        page.goto("about:blank")
        began = time.perf_counter()
        page.goto(path, wait_until="load")
        page.wait_for_function(ready)
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _grown(
    page: Page, settings: Settings, process: psutil.Process, seconds: float
) -> tuple[float, float, float, float]:
    """Return growth in MB of the page's heap and of the process, and both at the end."""
    page.goto("/")
    session = page.context.new_cdp_session(page)
    began, early = time.monotonic(), None
    updates_before = int(page.evaluate("performance.getEntriesByType('resource').length"))
    while time.monotonic() - began < seconds:
        _feed(settings)
        page.wait_for_timeout(FEED_S * 1000)
        if early is None and time.monotonic() - began > seconds / 4:
            early = _memory_mb(session, process)
    late = _memory_mb(session, process)
    assert int(page.evaluate("performance.getEntriesByType('resource').length")) > updates_before
    assert early is not None
    return late[0] - early[0], late[1] - early[1], *late


def _memory_mb(session: object, process: psutil.Process) -> tuple[float, float]:
    session.send("HeapProfiler.collectGarbage")  # type: ignore[attr-defined]
    heap = session.send("Runtime.getHeapUsage")["usedSize"]  # type: ignore[attr-defined]
    return heap / 1e6, process.memory_full_info().uss / 1e6


def _feed(settings: Settings) -> None:
    """Let every node have been heard just now."""
    now_ms = int(time.time() * 1000)
    with closing(sqlite3.connect(settings.database, timeout=20)) as raw:
        rows = raw.execute("SELECT node_id, document FROM shadow").fetchall()
        fresh = [
            (
                to_document(
                    replace(from_document(text), last_seen_ms=now_ms - node % 120 * 1000, online=node % 50 > 0)
                ),
                node,
            )
            for node, text in rows
        ]
        raw.executemany("UPDATE shadow SET document = ? WHERE node_id = ?", fresh)
        raw.commit()


def _heard(document: str, at_ms: int) -> str:
    return to_document(replace(from_document(document), last_seen_ms=at_ms))
