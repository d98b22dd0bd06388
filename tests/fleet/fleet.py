"""A real fleet for tests: a manager process, its broker, and virtual nodes, each of which can be killed.

    with Fleet(folder, nodes=8) as fleet:
        fleet.kill_broker(); fleet.kill_manager(); fleet.start_manager(); fleet.kill_node(3); fleet.start_node(3)

Nothing here is a double: the manager is `citynode serve`, the broker mosquitto, the nodes MicroPython.
"""

from __future__ import annotations

import atexit
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from device_manager import app
from device_manager.adapters.broker_process import any_port
from device_manager.adapters.firmware_build import compile_firmware
from device_manager.adapters.store_reader import SqlReader
from device_manager.adapters.virtual_node import VirtualNode
from device_manager.fleet import local, open_fleet
from device_manager.settings import Timing
from firmware.outbox import Outbox
from firmware.outbox.layout import KIND_NAMES, MAX_PAYLOAD
from firmware.wire import records
from tests.conftest import find_micropython
from tests.firmware.on_node.nor_flash import NorFlash
from tests.fleet.proxy import Proxies
from tests.waiting import wait_for

SERVE = [sys.executable, "-c", "from device_manager.cli import main; main()", "serve", "--data"]
RARELY = Timing(record_s=3600, frame_s=3600)  # a node that only delivers what it has


@lru_cache
def firmware() -> Path:
    """Return the firmware for virtual nodes, compiled once for all fleets of this process."""
    folder = tempfile.mkdtemp(prefix="cn-firmware-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return compile_firmware(Path(folder))


class Fleet:
    """`nodes` virtual nodes at one site under one manager; as a context manager it runs inside the block.

    `proxied` puts a proxy before each node, so that its network can fail alone.
    """

    def __init__(self, folder: Path, nodes: int, timing: Timing, *, proxied: bool = False) -> None:
        # Not the first free one: another fleet would take it whenever ours has just been killed.
        port = any_port("127.0.0.1")
        self.settings = app.initialise(folder / "data", name="test", host="127.0.0.1", port=port, broker=None)
        self._log = folder / "manager.log"
        self._manager: subprocess.Popen[bytes] | None = None
        with open_fleet(self.settings) as fleet:
            fleet.registry.add_site("bench", "Bench", 47.726, 10.316, 4.0, "Innenstadt", scope=local())
            site = fleet.registry.site("bench")
            names = [f"node-{i:02}" for i in range(nodes)]
            directories = [fleet.add_virtual_node(name, site, timing, time.time(), scope=local()) for name in names]
        self.firmware = firmware()
        self.nodes = [VirtualNode(path, Path(find_micropython()), self.firmware) for path in directories]
        self.done: Counter[str] = Counter()
        self.proxies: Proxies | None = None
        if proxied:
            broker = self.settings.broker
            self.proxies = Proxies(nodes, (broker.connect_host, broker.port))
            for node, port in zip(self.nodes, self.proxies.ports, strict=True):
                brokers = [{**row, "port": port} for row in read_json(node.directory / "node.json")["brokers"]]
                change_json(node.directory / "node.json", brokers=brokers)

    def __enter__(self) -> Fleet:
        self.start_manager()
        for node in self.nodes:
            node.start()
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.kill()
        self.stop_manager()
        if self.proxies:
            self.proxies.close()

    def start_manager(self) -> None:
        """Start `citynode serve` on the data directory."""
        with self._log.open("ab") as log:
            self._manager = subprocess.Popen([*SERVE, str(self.settings.directory)], stdout=log, stderr=log)

    def stop_manager(self) -> None:
        """End the manager in order, and the broker with it."""
        if self._manager:
            self._manager.terminate()
            self._manager.wait(90)

    def tend_manager(self) -> bool:
        """Be the service supervisor: a manager that ended by itself runs again; True when it had to be started."""
        assert self._manager
        if self._manager.poll() in (None, -signal.SIGKILL):  # running, or killed by a test that will start it
            return False
        self.start_manager()
        return True

    @property
    def manager_pid(self) -> int:
        assert self._manager
        return self._manager.pid

    @property
    def broker_pid(self) -> int | None:
        """Process of the broker; None while there is none."""
        try:
            return int((self.settings.directory / "broker.pid").read_text("ascii"))
        except (OSError, ValueError):
            return None

    def fill_disk(self) -> None:
        """No file of the manager may grow beyond 4 kB, nor one of a broker that it starts meanwhile: a full disk."""
        self._limit_files(4096)

    def free_disk(self) -> None:
        """There is room on the disk again."""
        self._limit_files(resource.RLIM_INFINITY)

    def kill_manager(self) -> None:
        """SIGKILL the manager; the broker dies with it."""
        assert self._manager
        self._manager.kill()
        self._manager.wait()
        self.done["manager"] += 1

    def kill_broker(self) -> None:
        """SIGKILL the broker alone; the manager starts it again."""
        pid = self.broker_pid
        with suppress(ProcessLookupError):  # somebody killed it before
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
                self.done["broker"] += 1

    def kill_node(self, index: int) -> None:
        """SIGKILL a node: its power is cut."""
        self.nodes[index].kill()
        self.done["node"] += 1

    def retime(self, timing: Timing) -> None:
        """Cut the power of all nodes, give them another rhythm, and start them again."""
        for node in self.nodes:
            node.kill()
            change_json(node.directory / "node.json", **vars(timing))
        for node in self.nodes:
            node.start()

    def board(self, index: int, **changes: object) -> None:
        """Change virtual.json of a node: wifi, clock, faults; None takes a key out."""
        change_json(self.nodes[index].directory / "virtual.json", **changes)

    def tend(self) -> None:
        """Be the power supply: a node that has reset itself runs again; NodeError for one that ended otherwise."""
        for node in self.nodes:
            node.tend()

    def committed(self) -> dict[str, int]:
        """Return how many numbers of each node's logs the manager has committed without a hole."""
        with closing(sqlite3.connect(f"file:{self.settings.database}?mode=ro", uri=True, timeout=60)) as raw:
            sql = "SELECT node.name, coalesce(sum(next), 0) FROM node LEFT JOIN log ON node_id = node.id GROUP BY name"
            return dict(raw.execute(sql))

    def refused(self) -> set[tuple[int, int]]:
        """Return (log, seq) of the records that the manager keeps as rejects."""
        with closing(sqlite3.connect(f"file:{self.settings.database}?mode=ro", uri=True, timeout=60)) as raw:
            return set(raw.execute("SELECT log, seq FROM reject WHERE log IS NOT NULL"))

    def outbox(self, index: int) -> dict[tuple[int, int], tuple[str, bytes]]:
        """Return what `outbox_of` does for a node."""
        return outbox_of(self.nodes[index].directory)

    def stored(self) -> list[tuple[tuple[int, int], tuple[str, bytes]]]:
        """Return every record of the store, in commit order, in the same shape."""
        reader = SqlReader(self.settings.database)
        rows = list(reader.records())
        reader.close()
        assert [row.number for row in rows] == list(range(1, len(rows) + 1))
        return [(records.decode_head(row.payload)[1:], (row.kind, row.payload)) for row in rows]

    def wait_until_delivered(self, timeout_s: float) -> None:
        """Wait until the store holds what the outboxes hold; the caller compares them afterwards anyway."""

        def taken() -> int:
            return sum(len(self.outbox(i)) for i in range(len(self.nodes)))

        wait_for(lambda: len(self.stored()) + len(self.refused()) >= taken(), timeout_s)

    def torment(self, seconds: float, rng: random.Random, pause_s: tuple[float, float] = (0.2, 2.5)) -> None:
        """Kill broker, manager and nodes at random moments, and start them again, for `seconds`."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(rng.uniform(*pause_s))
            victim = rng.choice(["broker", "manager", "node", "node"])
            if victim == "broker":
                self.kill_broker()
            elif victim == "manager":
                self.kill_manager()
                time.sleep(rng.uniform(0, 1.5))
                self.start_manager()
            else:
                index = rng.randrange(len(self.nodes))
                self.kill_node(index)
                self.nodes[index].start()

    def _limit_files(self, size_bytes: int) -> None:
        with suppress(ProcessLookupError):  # killed meanwhile, and the next one has no limit
            resource.prlimit(self.manager_pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


def outbox_of(directory: Path) -> dict[tuple[int, int], tuple[str, bytes]]:
    """Return every record of a node's flash as {(log, seq): (kind, payload)}; the node's own record."""
    image = (directory / "outbox.flash").read_bytes()
    box = Outbox(NorFlash(len(image) // NorFlash.BLOCK, image), lambda: 0)
    assert box.tail == 0, "expected a ring that still holds everything: use a larger flash or a shorter run"
    found, buf = {}, bytearray(MAX_PAYLOAD)
    for seq in range(box.head):
        got = box.read(seq, buf)
        assert got is not None, f"record {seq} of {directory.name} cannot be read"
        found[box.log, seq] = (KIND_NAMES[got[0]], bytes(buf[: got[1]]))
    return found


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def change_json(path: Path, **changes: object) -> None:
    """Change keys of an object in a file, all at once for whoever reads it; None takes a key out."""
    changed = {key: value for key, value in {**read_json(path), **changes}.items() if value is not None or key == "tls"}
    working = path.with_suffix(".new")
    working.write_text(json.dumps(changed), "utf-8")
    working.replace(path)


def compare(fleet: Fleet) -> dict[str, int]:
    """Compare outboxes and store bit by bit; return how many records were taken, lost, repeated, changed, invented.

    A record that the manager refused and keeps with its reason is not lost.
    """
    taken: dict[tuple[int, int], tuple[str, bytes]] = {}
    for index in range(len(fleet.nodes)):
        taken |= fleet.outbox(index)
    stored = fleet.stored()
    kept, refused = dict(stored), fleet.refused()
    return {
        "taken": len(taken),
        "frames": sum(kind == "frame" for kind, _ in taken.values()),
        "refused": len(refused & taken.keys()),
        "lost": len(taken.keys() - kept.keys() - refused),
        "repeated": len(stored) - len(kept),
        "changed": sum(kept[key] != taken[key] for key in kept.keys() & taken.keys()),
        "invented": len(kept.keys() - taken.keys()),
    }
