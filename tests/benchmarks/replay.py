"""A fleet in virtual time for `fault_detection`: real nodes, real broker, real ingest, and the monitor that ships.

    with Replay(folder, firmware=compile_firmware(folder)) as replay:
        replay.start(replay.add("node-01", Timing(), node={"sensors": [..]}, virtual={"i2c": ..}))
        replay.run(600)                     # virtual seconds
        replay.alerts()

Nodes, ingest and monitor live by one `Pacer`, in steps of STEP_S: a step ends when every node has lived it, and the
broker has taken what they sent; a look begins when that is committed. So no figure depends on how fast the PC is.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from device_manager import app
from device_manager.adapters.broker_paho import PahoBroker
from device_manager.adapters.broker_process import any_port
from device_manager.adapters.broker_supervisor import Supervisor
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.mosquitto import Mosquitto
from device_manager.adapters.store_monitoring import SqlAlerts
from device_manager.adapters.store_operations import Operations
from device_manager.adapters.store_sql import SqlStore
from device_manager.adapters.virtual_node import RESET_EXIT_CODE, VirtualNode
from device_manager.fleet import local, open_fleet
from device_manager.ingest.commit import Committer
from device_manager.ingest.service import IngestService
from device_manager.monitoring.alert import Alert
from device_manager.monitoring.facts import started_s
from device_manager.overview import shadow_of
from device_manager.registry.service import DECOMMISSIONED
from device_manager.sessions import address
from device_manager.settings import Timing
from device_manager.shadow import JsonFold
from device_manager.watching import Watcher
from tests.benchmarks.pacer import Pacer
from tests.benchmarks.speaking import Speaking
from tests.conftest import find_micropython
from tests.fleet.proxy import FAIR, Proxies, Weather

STEP_S, LOOK_S = 2.0, 10.0  # virtual
PULSE = "pulse"
PATIENCE_S = 90.0
PROXIED = 8  # nodes at most


class Replay:
    """As a context manager broker, ingest and monitor run inside the block; nodes are started by whoever adds them."""

    def __init__(self, folder: Path, firmware: Path, step_s: float = STEP_S) -> None:
        """`firmware` is what `compile_firmware` made."""
        self.settings = app.initialise(
            folder / "data", name="replay", host="127.0.0.1", port=any_port("127.0.0.1"), broker="mosquitto"
        )
        self.clock = Pacer(time.time())
        self._step_s, self._look_ms, self._beat = step_s, 0, threading.Event()
        self.broker = Mosquitto(self.settings)
        self.supervisor = Supervisor(self.broker)
        self.nodes: dict[str, VirtualNode] = {}
        self.speakers: dict[str, Speaking] = {}
        self.faults: dict[str, dict[str, str]] = {}  # of sensors, by node
        self._later: list[tuple[int, Callable[[], None]]] = []
        self._micropython = Path(find_micropython())
        self._firmware = firmware
        self._operations = Operations(self.settings.database)
        self._store = SqlAlerts(self._operations)
        self._parts = ExitStack()
        where = self.settings.broker
        self._proxies = Proxies(PROXIED, (where.connect_host, where.port))
        self._proxied: list[str] = []

    def __enter__(self) -> Replay:
        with ExitStack() as parts:
            self.supervisor.start()
            parts.callback(self.supervisor.stop)
            store = SqlStore(self.settings.database)
            parts.callback(store.close)
            session = PahoBroker(address(self.settings), self.clock)
            ingest = IngestService(session, Committer(store, Cbor2Codec(), JsonFold()), self.clock)
            ingest.on_wish = lambda node, fields: self._beat.set()
            ingest.start()
            parts.callback(ingest.stop)
            away, waiting = self.supervisor.was_away, lambda: ingest.waiting
            self._watcher = Watcher(self.settings, away, waiting, {}, lambda notices: None, self.clock)
            parts.callback(self._watcher.close)
            parts.callback(lambda: [node.kill() for node in self.nodes.values()])
            parts.callback(lambda: [speaker.stop() for speaker in self.speakers.values()])
            parts.callback(self.clock.close)
            self._parts = parts.pop_all()
        self._pulse = self.speak(PULSE)
        self._pulse.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()
        self._proxies.close()
        self._operations.close()

    def add(
        self, name: str, timing: Timing, node: dict[str, Any], virtual: dict[str, Any], *, proxied: bool = False
    ) -> VirtualNode:
        """Register a node at a site of its own district, with these keys of node.json and virtual.json, not started."""
        directory = self._registered(name, timing)
        change(directory / "node.json", node)
        if proxied:
            brokers = json.loads((directory / "node.json").read_text("utf-8"))["brokers"]
            port = self._proxies.ports[len(self._proxied)]
            self._proxied.append(name)
            change(directory / "node.json", {"brokers": [{**row, "port": port} for row in brokers]})
        change(directory / "virtual.json", {**virtual, "pacer": [self.clock.port, name]})
        return self.switch_on(directory)

    def switch_on(self, directory: Path) -> VirtualNode:
        """Return the node of a directory, which runs once it is started."""
        self.nodes[directory.name] = VirtualNode(directory, self._micropython, self._firmware)
        return self.nodes[directory.name]

    def start(self, node: VirtualNode) -> None:
        """Switch a node on; no time passes before it runs."""
        self.clock.expect()
        node.start()

    def retire(self, name: str) -> None:
        """Take a node that has shown what it should out of the fleet; its alerts stay."""
        self.nodes[name].kill()
        del self.nodes[name]
        with open_fleet(self.settings) as fleet:
            fleet.registry.admit(name, DECOMMISSIONED, scope=local())

    def speak(self, name: str) -> Speaking:
        """Register a node, and speak as it."""
        self._registered(name, Timing())
        self.speakers[name] = Speaking(self.settings, name, self.clock)
        return self.speakers[name]

    def _registered(self, name: str, timing: Timing) -> Path:
        with open_fleet(self.settings) as fleet:
            fleet.registry.add_site(name, name, 47.7, 10.3, 4.0, name, scope=local())
            return fleet.add_virtual_node(name, fleet.registry.site(name), timing, time.time(), scope=local())

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something in so many virtual seconds."""
        self._later.append((self.clock.now_ms() + int(1000 * seconds), action))

    def run(self, seconds: float) -> None:
        """Let virtual seconds pass, with a look every LOOK_S; a node that resets itself runs again."""
        end_ms = self.clock.now_ms() + int(1000 * seconds)
        while (now_ms := self.clock.now_ms()) < end_ms:
            due = [action for at_ms, action in self._later if at_ms <= now_ms]
            self._later = [(at_ms, action) for at_ms, action in self._later if at_ms > now_ms]
            for action in due:
                action()
            for speaker in self.speakers.values():
                speaker.tick()
            self.clock.step(self._step_s)
            if self.broker.alive():
                self._pulse.ping()
            for node in self.nodes.values():
                if node.process is not None and node.process.poll() == RESET_EXIT_CODE:
                    self.start(node)
            if now_ms >= self._look_ms:  # one look a step where steps are longer
                self._look_ms = now_ms + int(1000 * LOOK_S)
                self._settle()
                self._watcher.look()

    def _settle(self) -> None:
        """Wait until all that was sent is committed: the pulse's word goes the same way, behind it."""
        self._beat.clear()
        end_s = time.monotonic() + PATIENCE_S
        while self.broker.alive() and self._pulse.ping():
            if self._beat.wait(1.0):  # a broker that has just come back gives it to nobody yet: say it again
                return
            if time.monotonic() > end_s:
                raise TimeoutError(f"expected the pulse to be committed; got nothing in {PATIENCE_S:.0f} s")

    def weather(self, node: str, weather: Weather) -> None:
        """Change the network between a proxied node and the broker, now; connections stand."""
        self._proxies.set(self._proxied.index(node), weather)

    def wifi(self, node: str, *, there: bool) -> None:
        """Let the Wi-Fi of a proxied node go, and its connections with it, or come back."""
        change(self.nodes[node].directory / "virtual.json", {"wifi": "up" if there else "down"})
        self.weather(node, FAIR if there else Weather(refuse=True))
        if not there:
            self._proxies.reset(self._proxied.index(node))

    def ready(self, age_s: float) -> bool:
        """True when every node has run for so long, and something of it is committed."""
        with open_fleet(self.settings) as fleet:
            shadows = [shadow_of(view) for view in fleet.registry.nodes() if view.name != PULSE]
        starts = [started_s(shadow) if shadow.frames else None for shadow in shadows]
        return all(start is not None and start < self.clock.now_ms() / 1000 - age_s for start in starts)

    def alerts(self) -> list[Alert]:
        """Return every alert that there ever was, the oldest first."""
        return self._store.newest(1000)[::-1]


def change(path: Path, values: dict[str, Any]) -> None:
    """Change keys of a JSON file."""
    document = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**document, **values}), "utf-8")
