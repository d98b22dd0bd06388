"""How long a person waits for `citynode`: the help with all commands registered, and a list of 10,000 nodes.

Processes of their own, as a shell starts them; medians of several. The figure is processor time, which is what passes
on a machine that does nothing else (they have one thread and wait for nobody); what passed on this one stands beside
it. Nodes are written with shadows like those of a fleet that runs. Short and full are equal.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from device_manager import app
from device_manager.adapters.store_sql import SqlStore
from device_manager.cli.lazy import COMMANDS, load
from device_manager.fleet import local, open_fleet
from device_manager.ports import FramesStored, HealthSeen, StateSeen
from device_manager.registry.service import ACCEPTED
from device_manager.settings import Settings
from device_manager.shadow import Shadow, fold, to_document
from tests.benchmarks.row import Row, at_most

NODES = 10_000
TIMES = 7
COMMAND = [sys.executable, "-c", "from device_manager.cli import main; main()"]


def run(short: bool) -> list[Row]:
    """Return rows: help, every command's own help, and the list."""
    with tempfile.TemporaryDirectory() as folder:
        settings = app.initialise(Path(folder) / "data", name="many", host="127.0.0.1", port=None, broker="iotcore")
        _fill(settings)
        listed_s, listing_s, output = _times_s("node", "list", "--data", str(settings.directory))
        lines = output.count("\n") - 1
    help_s, helping_s, words = _times_s("--help")
    missing = [name for name in COMMANDS if f"\n  {name} " not in words]
    beside = f"{len(COMMANDS)} commands, missing in it: {', '.join(missing) or 'none'}"
    bare_s, _, _ = _times_s_of([sys.executable, "-c", "import typer"])
    slowest_s, slowest = max((_loading_s(name), name) for name in COMMANDS)
    return [
        at_most(
            "cli_start, citynode --help",
            help_s,
            "s",
            0.3,
            f"{beside}; {helping_s:.2f} s passed; python and typer alone {bare_s:.3f} s",
        ),
        Row("cli_start, loading one command", slowest_s, "s", beside=f"the slowest, {slowest}, in a running python"),
        at_most(
            "cli_start, node list of 10,000",
            listed_s,
            "s",
            1.0,
            f"{lines} nodes as tab-separated lines; {listing_s:.2f} s passed",
        ),
    ]


def _times_s(*arguments: str) -> tuple[float, float, str]:
    return _times_s_of([*COMMAND, *arguments])


def _times_s_of(command: list[str]) -> tuple[float, float, str]:
    """Return the median processor time of a process, the median of what passed, and what it printed."""
    used, passed, output = [], [], ""
    for _ in range(TIMES):
        before, began = os.times(), time.perf_counter()
        output = subprocess.run(command, capture_output=True, text=True, check=True, env=_environment()).stdout
        after = os.times()
        passed.append(time.perf_counter() - began)
        used.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return statistics.median(used), statistics.median(passed), output


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def _loading_s(name: str) -> float:
    began = time.perf_counter()
    load(name)
    return time.perf_counter() - began


def _fill(settings: Settings) -> None:
    """Register the nodes in one step, and write a shadow for each."""
    now_ms = int(time.time() * 1000)
    with open_fleet(settings) as fleet:
        fleet.registry.add_site("square", "Square", 47.7, 10.3, 4.0, "Innenstadt", scope=local())
        site = fleet.registry.site("square")
    names = [f"node-{index:05}" for index in range(NODES)]
    with closing(sqlite3.connect(settings.database)) as connection, connection:
        rows = [(name, ACCEPTED, now_ms) for name in names]
        connection.executemany("INSERT INTO node (name, admission, added_ms) VALUES (?, ?, ?)", rows)
        hung = "INSERT INTO deployment (node_id, site_id, since_s) SELECT id, ?, 0 FROM node"
        connection.execute(hung, (site.site_id,))
    store = SqlStore(settings.database)
    try:
        with store.begin() as step:
            step.save_shadows([(node.node_id, _shadow(node.name, now_ms)) for node in step.nodes(names)])
    finally:
        store.close()


def _shadow(name: str, now_ms: int) -> str:
    state = {"online": True, "boot": 7, "log": 9, "head": 5000, "tail": 10, "time": now_ms // 1000, "firmware": "0.1.0"}
    health = {
        "boot": 7,
        "time": now_ms // 1000,
        "reset_cause": "power on",
        "heap_free": 90_000,
        "heap_floor": 60_000,
        "rssi": -61,
        "faults": [["air", 3]],
        "last_error": "",
        "lateness": [["sampler", 1200], ["link", 800]],
    }
    shadow = fold(Shadow(name), StateSeen(now_ms, False, state))
    shadow = fold(shadow, HealthSeen(now_ms, health))
    return to_document(fold(shadow, FramesStored(now_ms, 5000, 400_000, 600_000, now_ms // 1000, 0, 300)))


if __name__ == "__main__":
    for row in run(short=True):
        print(f"{row.name}: {row.figure:.3g} {row.unit} ({row.target or 'no target'}) {row.beside}")
