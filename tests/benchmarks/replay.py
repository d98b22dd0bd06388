"""A fleet on fast clocks for `fault_detection`: real nodes, real broker, real ingest, and the monitor that ships.

    with Replay(folder, factor=30) as replay:
        node = replay.add("node-01", sensors=SEN66); node.start()
        replay.run(600)                     # virtual seconds
        replay.alerts()

Virtual time is `factor` times as fast as true time, and the same for nodes, ingest and monitor.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from device_manager import app, prospects
from device_manager.adapters.broker_paho import PahoBroker
from device_manager.adapters.broker_process import any_port
from device_manager.adapters.broker_supervisor import Supervisor
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.firmware_build import compile_firmware
from device_manager.adapters.mosquitto import Mosquitto
from device_manager.adapters.store_monitoring import SqlAlerts
from device_manager.adapters.store_operations import Operations
from device_manager.adapters.store_sql import SqlStore
from device_manager.adapters.virtual_node import RESET_EXIT_CODE, VirtualNode
from device_manager.fleet import local, open_fleet
from device_manager.ingest.commit import Committer
from device_manager.ingest.service import IngestService
from device_manager.monitoring.alert import Alert
from device_manager.settings import Timing
from device_manager.shadow import JsonFold
from device_manager.watching import Watcher
from tests.conftest import find_micropython
from tests.fleet.proxy import Proxies, Weather

LOOK_S = 15.0  # virtual


class FastClock:
    """The `Clock` port: `factor` times as fast as true time since it was made."""

    def __init__(self, factor: int) -> None:
        self.factor = factor
        self.began_s = time.time()

    def now_ms(self) -> int:
        return int(1000 * (self.began_s + (time.time() - self.began_s) * self.factor))


class Replay:
    """As a context manager broker, ingest and monitor run inside the block; nodes are started by whoever adds them."""

    def __init__(self, folder: Path, factor: int) -> None:
        self.settings = app.initialise(
            folder / "data", name="replay", host="127.0.0.1", port=any_port("127.0.0.1"), broker="mosquitto"
        )
        self.clock = FastClock(factor)
        self.broker = Mosquitto(self.settings)
        self.supervisor = Supervisor(self.broker)
        self.nodes: dict[str, VirtualNode] = {}
        self._micropython = Path(find_micropython())
        self._firmware = compile_firmware(folder)
        self._operations = Operations(self.settings.database)
        self._store = SqlAlerts(self._operations)
        self._parts = ExitStack()
        where = self.settings.broker
        self._proxy = Proxies(1, (where.connect_host, where.port))

    def __enter__(self) -> Replay:
        with ExitStack() as parts:
            self.supervisor.start()
            parts.callback(self.supervisor.stop)
            store = SqlStore(self.settings.database)
            parts.callback(store.close)
            session = PahoBroker(app.address(self.settings), self.clock)
            ingest = IngestService(session, Committer(store, Cbor2Codec(), JsonFold()), self.clock)
            ingest.start()
            parts.callback(ingest.stop)
            away, waiting = self.supervisor.was_away, lambda: ingest.waiting
            self._watcher = Watcher(self.settings, away, waiting, {}, lambda notices: None, self.clock)
            parts.callback(self._watcher.close)
            parts.callback(lambda: [node.kill() for node in self.nodes.values()])
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()
        self._proxy.close()
        self._operations.close()

    def add(self, name: str, site: str, wired: dict[str, Any]) -> VirtualNode:
        """Register a node at a site of its own district, with these keys of node.json and virtual.json, not started."""
        timing = Timing(record_s=60, frame_s=300)
        with open_fleet(self.settings) as fleet:
            fleet.registry.add_site(site, site, 47.7, 10.3, 4.0, site, scope=local())
            place = fleet.registry.site(site)
            directory = fleet.add_virtual_node(name, place, timing, time.time(), scope=local())
        fast = {"factor": self.clock.factor, "factor_from_s": int(self.clock.began_s)}
        change(directory / "node.json", wired["node"])
        if wired["proxied"]:
            brokers = json.loads((directory / "node.json").read_text("utf-8"))["brokers"]
            change(directory / "node.json", {"brokers": [{**row, "port": self._proxy.ports[0]} for row in brokers]})
        change(directory / "virtual.json", {**wired["virtual"], **fast})
        self.nodes[name] = VirtualNode(directory, self._micropython, self._firmware)
        return self.nodes[name]

    def run(self, seconds: float) -> None:
        """Let virtual seconds pass, with a look every LOOK_S; a node that resets itself runs again."""
        end_ms = self.clock.now_ms() + int(1000 * seconds)
        while self.clock.now_ms() < end_ms:
            self._watcher.look()
            for node in self.nodes.values():
                if node.process is not None and node.process.poll() == RESET_EXIT_CODE:
                    node.start()
            time.sleep(LOOK_S / self.clock.factor)

    def lose_network(self) -> None:
        """From now on every byte between the proxied node and the broker is lost."""
        self._proxy.set(0, Weather(swallow=True, refuse=True))

    def score(self) -> None:
        """Look up the quality scores of the last day, as the manager does every hour."""
        self._watcher.slow = prospects.facts(self.settings, self.clock.now_ms() / 1000)

    def alerts(self) -> list[Alert]:
        """Return every alert that there ever was, the oldest first."""
        return self._store.newest(1000)[::-1]


def change(path: Path, values: dict[str, Any]) -> None:
    """Change keys of a JSON file."""
    document = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**document, **values}), "utf-8")
