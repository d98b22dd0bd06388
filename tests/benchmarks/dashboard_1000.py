"""The dashboard with 1,000 nodes that speak, in real headless Chromium: first page, a node's 30 days, and memory.

A manager runs as `citynode serve` runs it (broker, ingest, alerts, the dashboard's process), and `citynode load` sends
the frames of 1,000 nodes at the level of the protocol, each every FRAME_S. One of them has 30 days of minute values of
15 channels behind it, the others an hour. The page that is watched is the map, which asks for fresh values every 5 s.

Memory is that of the manager's and the dashboard's process (pages of their own), and the page's JS heap after a forced
collection, at the end against the end of the first quarter. Short: two minutes of it instead of 30.

Then the two pages again with the same history in PostgreSQL, in which the manager stores what comes meanwhile.
"""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import psutil
import psycopg
from playwright.sync_api import Browser, CDPSession, Page, Playwright, sync_playwright

from device_manager import app
from device_manager import settings as settings_file
from device_manager.adapters.broker_process import any_port
from device_manager.adapters.store_copy import copy_store
from device_manager.adapters.store_rebuild import rebuild
from device_manager.database import ServerDatabase
from device_manager.load import name
from device_manager.settings import Settings, WebSettings
from tests.benchmarks.row import Row, at_least, at_most
from tests.data import real_day
from tests.fakes import postgres
from tests.fakes.painted_fleet import paint
from tests.waiting import wait_for

NODES, FRAME_S = 1000, 60
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage")
REPEATS = 5
FULL_S = 1800
LOOK_S = 5
BIG = name(0)
COMMAND = [sys.executable, "-m", "device_manager.cli"]


class Memory(NamedTuple):
    """MB of the page's heap, of the dashboard's process and of the manager's."""

    page: float
    dashboard: float
    manager: float


def run(short: bool) -> list[Row]:
    """Return rows for the first page, the node's page, and the memory of all three."""
    return [*measured(120 if short else FULL_S), *on_server()]


def on_server() -> list[Row]:
    """Return the rows of both pages with PostgreSQL behind them."""
    with tempfile.TemporaryDirectory() as folder, postgres.server(form=postgres.STOCK) as server:
        settings = _city(Path(folder))
        database = server.database("city")
        copy_store(settings.database, database)
        settings = replace(settings, store_url=database.url)
        settings_file.save(settings)
        with (
            sync_playwright() as playwright,
            _browser(playwright) as browser,
            _manager(settings) as manager,
            _load(settings, LOOK_S),
        ):
            return _pages(_page(browser, settings), manager, "PostgreSQL, ")


def _pages(page: Page, manager: psutil.Process, where: str = "", form: str = "full") -> list[Row]:
    """Return a row for the first page and one for a node's page."""
    web = _dashboard_of(manager)
    first, first_cpu = _median_s(page, web, "/", f"document.querySelectorAll('#markers a').length === {NODES}")
    drawn = "document.querySelectorAll('.plots .line').length >= 15"
    node, node_cpu = _median_s(page, web, f"/nodes/{BIG}?span=30d", drawn)
    beside, name = f"{NODES} nodes on the map; {first_cpu}", f"dashboard_1000, {where}"
    return [
        at_most(f"{name}first page usable", first, "s", 2.0, beside, form),
        at_most(f"{name}node page, 30 days x 15 channels", node, "s", 1.5, node_cpu, form),
    ]


@contextmanager
def _browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
    try:
        yield browser
    finally:
        browser.close()


def _page(browser: Browser, settings: Settings) -> Page:
    return browser.new_page(base_url=f"http://127.0.0.1:{settings.web.port}")


def measured(seconds: int) -> list[Row]:
    """Return the rows with so many seconds of live updates."""
    form = "full" if seconds == FULL_S else f"{seconds / 60:g} min of updates instead of 30"
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        settings = _city(Path(folder))
        with _browser(playwright) as browser, _manager(settings) as manager, _load(settings, seconds):
            page = _page(browser, settings)
            pages = _pages(page, manager, form=form)
            early, late, updates = _watched(page, manager, seconds)
            frames = _frames(settings)
    sizes = f"page {late.page:.1f} MB, dashboard {late.dashboard:.0f} MB, manager {late.manager:.0f} MB"
    grown = Memory(*(after - before for before, after in zip(early, late, strict=True)))
    return [
        *pages,
        at_least("dashboard_1000, live updates that differed", updates, "updates", seconds / LOOK_S / 4, form=form),
        Row("dashboard_1000, frames taken in meanwhile", frames, "frames", form=form),
        at_most("dashboard_1000, growth in the browser", grown.page, "MB", 5.0, sizes, form),
        at_most("dashboard_1000, growth in the dashboard's process", grown.dashboard, "MB", 10.0, form=form),
        at_most("dashboard_1000, growth in the manager's process", grown.manager, "MB", 10.0, form=form),
    ]


def _city(folder: Path) -> Settings:
    """Return a data directory with the nodes' places and history."""
    web = WebSettings(port=any_port("127.0.0.1"))
    settings = app.initialise(
        folder / "data", name="Kempten", host="127.0.0.1", port=any_port("127.0.0.1"), broker="iotcore", web=web
    )
    with (folder / "trace.csv").open("w", newline="") as file:
        csv.writer(file).writerows([real_day.CHANNELS, *real_day.records()])
    paint(
        folder,
        int(time.time()) - 120,
        nodes=NODES,
        days=(30, 0.05),
        into=settings,
        named=lambda number: name(number - 1),
    )
    rebuild(settings.database)
    return settings


@contextmanager
def _manager(settings: Settings) -> Iterator[psutil.Process]:
    with _running("serve", settings) as process:
        wait_for(lambda: _answers(settings.web.port))
        yield psutil.Process(process.pid)


@contextmanager
def _load(settings: Settings, seconds: float) -> Iterator[None]:
    """Send frames for as long as the pages are measured, and longer."""
    trace = str(settings.directory.parent / "trace.csv")
    more = ["--trace", trace, "--nodes", str(NODES), "--frame-seconds", str(FRAME_S), "--seconds", str(seconds + 600)]
    before = _frames(settings)
    with _running("load", settings, *more):
        wait_for(lambda: _frames(settings) > before)
        yield


@contextmanager
def _running(command: str, settings: Settings, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = [*COMMAND, command, "--data", str(settings.directory), *more]
    process = subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _answers(port: int) -> bool:
    return any(found.laddr.port == port for found in psutil.net_connections("tcp") if found.status == "LISTEN")


def _frames(settings: Settings) -> int:
    sql = f"SELECT count(*) FROM frame WHERE log_id > {NODES}"
    if isinstance(settings.database, ServerDatabase):
        with psycopg.connect(settings.database.url) as server:
            return int((server.execute(sql).fetchone() or (0,))[0])
    with closing(sqlite3.connect(settings.database, timeout=30)) as raw:
        return int(raw.execute(sql).fetchone()[0])


def _median_s(page: Page, web: psutil.Process, path: str, ready: str) -> tuple[float, str]:
    """Return the median time from the begin of a navigation until `ready` holds and a frame was painted, and what of a
    processor the dashboard took for it, beside how many wanted one: the machine may have other things to do."""
    times, before = [], sum(web.cpu_times()[:2])
    for _ in range(REPEATS):
        page.goto("about:blank")
        began = time.perf_counter()
        page.goto(path, wait_until="load")
        page.wait_for_function(ready)
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        times.append(time.perf_counter() - began)
    used = (sum(web.cpu_times()[:2]) - before) / REPEATS
    return statistics.median(times), f"{used:.2f} s of the dashboard's processor, load average {os.getloadavg()[0]:.1f}"


def _watched(page: Page, manager: psutil.Process, seconds: float) -> tuple[Memory, Memory, int]:
    """Leave the map open; return memory after a quarter and at the end, and how many updates brought something new."""
    updates = 0

    def answered(response: object) -> None:
        nonlocal updates
        updates += "/map/markers" in response.url and response.status == 200  # type: ignore[attr-defined]

    page.on("response", answered)
    page.goto("/?show=pm2_5")
    session = page.context.new_cdp_session(page)
    page.wait_for_timeout(seconds * 250)
    early = _memory(session, manager)
    page.wait_for_timeout(seconds * 750)
    return early, _memory(session, manager), updates


def _memory(session: CDPSession, manager: psutil.Process) -> Memory:
    session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")["usedSize"]
    own = [process.memory_full_info().uss / 1e6 for process in (_dashboard_of(manager), manager)]
    return Memory(heap / 1e6, *own)


def _dashboard_of(manager: psutil.Process) -> psutil.Process:
    return next(child for child in manager.children() if "device_manager.web.dashboard" in child.cmdline())


if __name__ == "__main__":
    for row in measured(int(sys.argv[1]) if len(sys.argv) > 1 else FULL_S):
        print(f"{row.name}: {row.figure:.3g} {row.unit} ({row.target or 'no target'}) {row.beside} {row.form}")
