"""A city under the manager's real parts, on a clock that the caller moves: mosquitto, TLS, ingest, store, the monitor's
samples, courier, rollouts with their gate. Nodes are `TalkingNode`s, and where wanted virtual ones on MicroPython.

    with City(folder, JumpClock(), talking=100) as city:
        city.connect(PAST_S); number = city.begin(2, "5", "all"); city.clock.ms += 600_000; city.step()

With virtual nodes the clock must go by itself (`FastClock`): courier and rollouts are then the manager's own threads.
"""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from device_manager import app
from device_manager.adapters.broker_paho import PahoBroker
from device_manager.adapters.broker_process import any_port
from device_manager.adapters.broker_supervisor import Supervisor
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.mosquitto import Mosquitto
from device_manager.adapters.release_files import FileShelf
from device_manager.adapters.store_reader import SqlReader
from device_manager.adapters.store_sql import SqlStore
from device_manager.adapters.virtual_node import RESET_EXIT_CODE, VirtualNode
from device_manager.fleet import local, open_fleet
from device_manager.identities import Authority
from device_manager.identities.order_keys import ReleaseKeys
from device_manager.ingest.commit import Committer
from device_manager.ingest.service import IngestService
from device_manager.overview import shadow_of
from device_manager.ports import Clock
from device_manager.registry.groups import Group
from device_manager.releases.courier import Courier
from device_manager.rolling_out import RollingOut, open_rollouts
from device_manager.rollouts.model import Condition, Rollout, Rules, parse_stage
from device_manager.rollouts.service import Wanted
from device_manager.sessions import address
from device_manager.settings import Timing
from device_manager.shadow import JsonFold, Shadow
from device_manager.updates import Updates
from device_manager.watching import Watcher
from tests.conftest import find_micropython
from tests.fleet.fleet import change_json
from tests.fleet.ordering import GATE
from tests.fleet.swarm import node_context
from tests.fleet.talking import CHANNELS, HEALTH_S, RECORD_S, WEEK_RECORDS, Fault, TalkingNode
from tests.waiting import PATIENCE_S

DAY_S, HOUR_S = 86_400, 3600
PAST_S, FUTURE_S = 8 * DAY_S, 14 * DAY_S
DISTRICTS = ("altstadt", "nord", "sued", "ost")


class JumpClock:
    """The `Clock` port: stands still until it is moved."""

    def __init__(self) -> None:
        self.ms = int(time.time()) // HOUR_S * HOUR_S * 1000

    def now_ms(self) -> int:
        return self.ms


class FastClock:
    """The `Clock` port: `factor` times as fast as true time since it was made."""

    def __init__(self, factor: int) -> None:
        self.factor = factor
        self.began_s = int(time.time())

    def now_ms(self) -> int:
        return int(1000 * (self.began_s + (time.time() - self.began_s) * self.factor))


class City:
    """As a context manager everything runs inside the block; `faults` says what which release does to talking nodes."""

    def __init__(self, folder: Path, clock: Clock, talking: int) -> None:
        port = any_port("127.0.0.1")
        self.settings = app.initialise(folder / "data", name="city", host="127.0.0.1", port=port, broker="mosquitto")
        self.clock = clock
        self.began_s = clock.now_ms() // 1000
        self.faults: dict[int, Fault] = {}
        authority = Authority.open(self.settings.identities)
        keys = ReleaseKeys(self.settings.identities).moduli()
        where = (self.settings.broker.connect_host, port)
        self.nodes: dict[str, TalkingNode] = {}
        with open_fleet(self.settings) as fleet:
            for index in range(talking):
                name, since_s = f"kempten-{index:03}", self.began_s - PAST_S
                place = (47.72 + index // 10 / 500, 10.31 + index % 10 / 500, 4.0, DISTRICTS[index % 4])
                site = fleet.registry.add_site(f"site-{index:03}", name, *place, scope=local())
                fleet.registry.add_node(name, site, 1000 * since_s, scope=local())
                context = node_context(self.settings, authority, name)
                context.check_hostname = False  # the broker is called by its address here
                self.nodes[name] = TalkingNode(name, (1 << 30) + index, context, where, keys, since_s)
                self.nodes[name].truth = _truth(index, since_s)
        self.virtual: dict[str, VirtualNode] = {}
        self._wishes: queue.SimpleQueue[tuple[str, Mapping[str, Any]]] = queue.SimpleQueue()
        self._parts = ExitStack()
        self._looked_s = 0

    def add_virtual(self, names: list[str], firmware: Path) -> None:
        """Add nodes on MicroPython with one cheap sensor, in the group `canary`, before the block begins."""
        assert isinstance(self.clock, FastClock)
        fast = {"factor": self.clock.factor, "factor_from_s": self.clock.began_s}
        with open_fleet(self.settings) as fleet:
            site = fleet.registry.add_site("bench", "Bench", 47.7, 10.3, 4.0, "altstadt", scope=local())
            for name in names:
                timing = Timing(record_s=60, frame_s=300)
                path = fleet.add_virtual_node(name, site, timing, self.clock.began_s, scope=local())
                change_json(path / "node.json", sensors=[GATE], buses=[])
                change_json(path / "virtual.json", i2c=None, i2s=None, uart=None, pins=None, **fast)
                self.virtual[name] = VirtualNode(path, Path(find_micropython()), firmware)
            fleet.groups.define(Group("canary", "Canaries", nodes=tuple(names)), scope=local())

    def __enter__(self) -> City:
        with ExitStack() as parts:
            supervisor = Supervisor(Mosquitto(self.settings))
            supervisor.start()
            parts.callback(supervisor.stop)
            store = SqlStore(self.settings.database)
            parts.callback(store.close)
            session = PahoBroker(address(self.settings), self.clock)
            ingest = IngestService(session, Committer(store, Cbor2Codec(), JsonFold()), self.clock)
            ingest.on_wish = lambda node, fields: self._wishes.put((node, fields))
            if self.virtual:
                updates, rolling = (
                    Updates(self.settings, session, self.clock),
                    RollingOut(self.settings, 0.2, self.clock),
                )
                ingest.on_wish = updates.wish
                for thread in (updates, rolling):
                    thread.start()
                    parts.callback(thread.stop)
            ingest.start()
            parts.callback(ingest.stop)
            self._reader = SqlReader(self.settings.database)
            parts.callback(self._reader.close)
            self._watcher = Watcher(
                self.settings, supervisor.was_away, lambda: ingest.waiting, {}, lambda _: None, self.clock
            )
            parts.callback(self._watcher.close)
            opened = parts.enter_context(open_rollouts(self.settings, self.clock))
            self.rollouts, self.releases = opened.rollouts, opened.view.releases
            self._offers = opened.offers
            self._courier = Courier(FileShelf(self.settings.releases), self._offers, session, self._shadows)
            parts.callback(lambda: [node.close() for node in self.nodes.values()])
            parts.callback(lambda: [one.kill() for one in self.virtual.values()])
            for one in self.virtual.values():
                one.start()
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()

    @property
    def now_s(self) -> int:
        return self.clock.now_ms() // 1000

    def connect(self, past_s: int) -> None:
        """Connect all talking nodes; they bring the readings of so long a past as a backlog."""
        for node in self.nodes.values():
            node.connect()
        self.pump(lambda: all(node.connected for node in self.nodes.values()))
        for node in self.nodes.values():
            node.next_s = (self.now_s - past_s) // RECORD_S * RECORD_S
            node.start(node.next_s)
            node.measure(self.now_s, WEEK_RECORDS)
        self.pump(self.delivered)

    def begin(self, number: int, *stages: str, **rules: Any) -> int:
        """Create and start a rollout of a release, which two bad canaries stop; return its number."""
        canaries, *rest = (parse_stage(text) for text in stages)
        wanted = (canaries._replace(abort=Condition(count=2)), *rest)
        made = self.rollouts.create(Wanted(number, wanted, rules=Rules(**rules)), scope=local())
        self.rollouts.start(made.id, scope=local())
        return made.id

    def step(self) -> None:
        """What the manager and the nodes do at this moment."""
        if self.virtual:
            self._tend()
        else:
            self._manage()
        for node in self.nodes.values():
            node.live(self.now_s, self.faults)
        self.pump(self.delivered)
        if self.now_s - self._looked_s >= HEALTH_S:
            self._looked_s = self.now_s
            self._watcher.look()

    def _tend(self) -> None:
        """Start virtual nodes again that have reset themselves, whatever the reason: a crash ends in one, too."""
        for one in self.virtual.values():
            if one.process is not None and one.process.poll() is not None:
                assert one.process.poll() == RESET_EXIT_CODE, one.log.read_text()[-2000:]
                one.start()

    def _manage(self) -> None:
        """Take a step of rollouts and courier, until nodes that are there have answered to what they are offered."""
        self.rollouts.step()
        self._courier.step(self.now_s)
        offered = {one.node: one.number for one in self._offers.standing()}
        there = [node for name, node in self.nodes.items() if node.connected and name in offered]
        self.pump(lambda: all(node.told[0] == offered[node.name] for node in there))

    def pump(self, until: Callable[[], bool]) -> None:
        """Let nodes and courier take what came until something is so; AssertionError when that takes too long."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not until():
            assert time.monotonic() < deadline_s, {n.name: (n.told, n.mark, n.seq) for n in self.nodes.values()}
            if not self.take():
                time.sleep(0.002)

    def take(self) -> bool:
        """Let nodes and courier take what came; True when something did."""
        busy = any([node.take(self.now_s) for node in self.nodes.values()])
        with contextlib.suppress(queue.Empty):
            while True:
                self._courier.serve(*self._wishes.get_nowait())
                busy = True
        return busy

    def delivered(self) -> bool:
        """True when the manager has committed all that connected nodes have sent."""
        return all(node.mark == node.seq or not node.connected for node in self.nodes.values())

    def shadows(self) -> dict[str, Shadow]:
        """What the manager knows of every node."""
        return {view.name: shadow_of(view) for view in self._reader.nodes()}

    def rollout(self, number: int) -> Rollout:
        """A rollout as it is now."""
        return self.rollouts.show(number)

    def _shadows(self, names: Any) -> dict[str, Shadow]:
        wanted = set(names)
        return {name: shadow for name, shadow in self.shadows().items() if name in wanted}


def _truth(index: int, since_s: int) -> Any:
    """What there is to measure at one place, (records, channels) in integers of the contract: days, weather, noise."""
    chance = np.random.default_rng([7, index])
    times = np.arange(since_s, since_s + PAST_S + FUTURE_S, RECORD_S)
    day = 1 + 0.3 * np.sin(2 * np.pi * times / DAY_S)
    found = np.empty((len(times), len(CHANNELS)), dtype=np.int64)
    found[:, 0] = np.maximum(0, 10 * (12 * day + chance.normal(0, 2.0, len(times))))
    found[:, 1] = 10 * (55 * day**0.3 + chance.normal(0, 2.0, len(times)))
    found[:, 2:] = chance.poisson(20 * day[:, None], (len(times), 2))
    return found
