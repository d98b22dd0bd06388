"""A week that nobody collected arrives, and a whole city returns at once.

week   virtual nodes (the firmware on MicroPython) with days of frames of 15 real channels in their flash, 288 frames a
       day, while they go on measuring. Full form: 4 nodes with 7 days each; short: 2 with 1 day
city   200 nodes in one process with the same backlog, over mutual TLS. Full form: 7 days each (403,200 frames); short:
       half a day. Memory is the resident size of mosquitto and of `citynode serve`, sampled every 0.2 s
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import psutil

from device_manager.fleet import local, open_fleet
from device_manager.settings import Timing
from tests.benchmarks.row import Row, at_most
from tests.fleet.filling import DAY_FRAMES, channels, fill, frames
from tests.fleet.fleet import Fleet
from tests.fleet.swarm import Swarm
from tests.waiting import wait_for

WEEK_NODES, WEEK_DAYS, SHORT_WEEK_NODES, SHORT_WEEK_DAYS = 4, 7.0, 2, 1.0
CITY_NODES, CITY_DAYS, SHORT_CITY_DAYS = 200, 7.0, 0.5
LIMIT_S = 300
LIVE_S = 30  # a live reading of 5 s may take that long while the backlog drains
GROWTH_MB = 128  # of broker and manager each, whatever the backlog: about the queue limit of one client
FLASH_BYTES = 1 << 20
LIVE = Timing(record_s=1, frame_s=5, frame_records=30, resend_s=10)
_SETTLE_S = 5.0


def run(short: bool) -> list[Row]:
    """Return rows for the time of both, the delay of live readings, and the growth of memory."""
    week = (SHORT_WEEK_NODES, SHORT_WEEK_DAYS) if short else (WEEK_NODES, WEEK_DAYS)
    return [*_week(*week), *_city(SHORT_CITY_DAYS if short else CITY_DAYS)]


def _week(nodes: int, days: float) -> list[Row]:
    count = round(days * DAY_FRAMES)
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder), nodes, LIVE)
        now_s = int(time.time())
        for index, node in enumerate(fleet.nodes):
            fill(node.directory / "outbox.flash", FLASH_BYTES, count, now_s, random.Random(index).getrandbits(32))
        began = time.monotonic()
        with fleet:
            wait_for(lambda: min(fleet.committed().values()) > count, 4 * LIMIT_S)
            seconds = time.monotonic() - began
            live, delay_s = _live(fleet, now_s)
    form = f"{nodes} nodes, {days:g} days of {DAY_FRAMES} frames"
    beside = f"{nodes * count / seconds:.0f} frames/s of all nodes; {live} live frames meanwhile"
    return [
        at_most("backlog, week is there after", seconds, "s", LIMIT_S, beside, form),
        at_most("backlog, longest delay of a live frame", delay_s, "s", LIVE_S, beside, form),
    ]


def _live(fleet: Fleet, since_s: int) -> tuple[int, float]:
    """Return how many frames of now came, and the longest time from the end of one until its receipt."""
    with closing(sqlite3.connect(f"file:{fleet.settings.database}?mode=ro", uri=True)) as raw:
        sql = "SELECT count(*), max(received_ms / 1000.0 - start_s - ?) FROM frame WHERE start_s >= ?"
        found, delay_s = raw.execute(sql, (LIVE.frame_s, since_s)).fetchone()
    return found, delay_s if found else float("inf")


def _city(days: float) -> list[Row]:
    count = round(days * DAY_FRAMES)
    with tempfile.TemporaryDirectory() as folder, Fleet(Path(folder), 0, LIVE) as fleet:
        names = [f"swarm-{index:03}" for index in range(CITY_NODES)]
        with open_fleet(fleet.settings) as opened:
            site = opened.registry.site("bench")
            for name in names:
                opened.registry.add_node(name, site, int(time.time() * 1000), scope=local())
        log = 1 << 30
        backlog = [channels(log, 0), *frames(count, log, 1, 0, int(time.time()))]
        swarm = Swarm(fleet.settings, names, backlog)
        wait_for(lambda: fleet.broker_pid is not None, 20)
        time.sleep(_SETTLE_S)
        with Memory({"broker": fleet.broker_pid, "manager": fleet.manager_pid}) as memory:
            seconds = asyncio.run(swarm.run(8 * LIMIT_S))
            time.sleep(_SETTLE_S)
        stored = len(fleet.stored())
    sent = sum(node.sent for node in swarm.nodes)
    first_s = max(node.first_done_s or 0 for node in swarm.nodes)
    assert stored == CITY_NODES * len(backlog), f"expected {CITY_NODES * len(backlog)} records, got {stored}"
    beside = (
        f"{stored} records, {stored / seconds:.0f} a second, {sent - stored} sent again, newest record of every node"
        f" after {first_s:.1f} s; {memory}"
    )
    form = f"{CITY_NODES} nodes, {days:g} days each"
    print(f"backlog, city: {beside}", file=sys.stderr)
    return [
        at_most("backlog, city is caught up after", seconds, "s", LIMIT_S, beside, form),
        at_most("backlog, broker's memory grows by at most", memory.growth("broker"), "MB", GROWTH_MB, beside, form),
        at_most("backlog, manager's memory grows by at most", memory.growth("manager"), "MB", GROWTH_MB, beside, form),
    ]


class Memory:
    """Samples the resident size of processes inside the block; MB before, at the peak, and after."""

    def __init__(self, pids: dict[str, int | None]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._samples: dict[str, list[float]] = {name: [] for name in pids}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Memory:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def __str__(self) -> str:
        parts = (f"{n} {s[0]:.0f} MB before, {max(s):.0f} peak, {s[-1]:.0f} after" for n, s in self._samples.items())
        return "; ".join(parts)

    def growth(self, name: str) -> float:
        """Return by how many MB a process was larger at its peak than before."""
        return max(self._samples[name]) - self._samples[name][0]

    def _sample(self) -> None:
        while not self._stop.wait(0.2):
            self._look()

    def _look(self) -> None:
        for name, process in self._processes.items():
            with contextlib.suppress(psutil.NoSuchProcess):  # the assertion on records says what that means
                self._samples[name].append(process.memory_info().rss / 1e6)
