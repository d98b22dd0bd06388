"""A node moves between two real brokers by its desired configuration while it reports: nothing is lost, nothing twice.

Everything is real: two mosquittos over TLS with the product's configuration, the brain, an ingest worker's process at
each broker, PostgreSQL, and virtual nodes that take the signed order, try the other broker and keep it.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import paho.mqtt.client as paho
import pytest
import typer
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from device_manager import app, settings
from device_manager.adapters import processes
from device_manager.adapters.broker_process import any_port
from device_manager.adapters.mosquitto import find
from device_manager.adapters.store_reader import SqlReader
from device_manager.adapters.virtual_node import VirtualNode
from device_manager.cli import app as commands
from device_manager.fleet import local, open_fleet
from device_manager.identities.authority import TWIN
from device_manager.orders.spool import DONE, Spool
from device_manager.overview import shadow_of
from device_manager.settings import Settings, Shard, Timing
from device_manager.shadow import Shadow
from firmware.wire import records, topics
from tests.conftest import ROOT, find_micropython
from tests.fakes import postgres
from tests.fleet.fleet import change_json, firmware, outbox_of, read_json
from tests.fleet.ordering import GATE
from tests.waiting import wait_for

pytestmark = [pytest.mark.skipif(find() is None, reason="mosquitto is not installed"), pytest.mark.slow]
MOVING, STAYING = "node-00", "node-01"
SHARDS = ("main", "north")


class City:
    """A fleet on two brokers; as a context manager it runs inside the block."""

    def __init__(self, folder: Path, url: str) -> None:
        ports = [any_port("127.0.0.1") for _ in SHARDS]
        made = app.initialise(
            folder / "main", name="two", host="127.0.0.1", port=ports[0], broker="mosquitto",
            database=postgres.fresh(url).url,
        )  # fmt: skip
        shutil.copytree(made.directory, folder / "north")
        self.north = settings.load(folder / "north")
        self.north = replace(self.north, broker=replace(self.north.broker, port=ports[1]))
        self.settings = replace(made, shards=(Shard("north", "127.0.0.1", ports[1]),))
        for one in (self.north, self.settings):
            settings.save(one)
        self.ports = dict(zip(SHARDS, ports, strict=True))
        self.nodes = _nodes(self.settings, firmware())
        self.reader = SqlReader(self.settings.database)
        self._parts = ExitStack()

    def __enter__(self) -> City:
        self._parts.callback(self.reader.close)
        for made, parts in ((self.settings, [app.BROKER]), (self.north, [app.BROKER]), (self.settings, [app.BRAIN])):
            self._parts.enter_context(app.Manager(made, brain=True, parts=parts))
        for number, shard in enumerate(("", "north"), 1):
            self._parts.callback(processes.stop, _worker(self.settings, number, shard))
        wait_for(lambda: all("ready" in _log(self.settings, number).read_text() for number in (1, 2)))
        for node in self.nodes:
            node.start()
            self._parts.callback(node.kill)
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()

    def cut_power(self) -> dict[tuple[int, int], tuple[str, bytes]]:
        """Kill all nodes; return every record that they have written."""
        for node in self.nodes:
            node.kill()
        return {key: value for node in self.nodes for key, value in outbox_of(node.directory).items()}

    def stored(self) -> list[tuple[tuple[int, int], tuple[str, bytes]]]:
        """Return every record of the store, in the order of its numbers, which have no gap."""
        rows = list(self.reader.records())
        assert [row.number for row in rows] == list(range(1, len(rows) + 1))
        return [(records.decode_head(row.payload)[1:], (row.kind, row.payload)) for row in rows]

    def shadow(self, node: str) -> Shadow:
        """Return what is known of a node."""
        return next(shadow_of(view) for view in self.reader.nodes() if view.name == node)

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until `condition` is true; nodes that reset themselves run again meanwhile."""

        def true() -> bool:
            for node in self.nodes:
                node.tend()
            return bool(condition())

        wait_for(true, every_s=0.1, what=lambda: {node.name: processes.last_lines(node.log, 8) for node in self.nodes})

    def reports(self, node: str) -> None:
        """Wait until two more records of a node are committed."""
        before = self.shadow(node).next or 0
        self.wait_for(lambda: (self.shadow(node).next or 0) > before + 1)

    def retained(self, shard: str) -> dict[tuple[str, str], bytes]:
        """Return {(node, kind): payload} of what a broker shows to a new subscriber."""
        found: dict[tuple[str, str], bytes] = {}
        shown: list[int] = []
        client = paho.Client(CallbackAPIVersion.VERSION2, TWIN, protocol=MQTTProtocolVersion.MQTTv5)
        client.tls_set_context(_context(self.settings))
        client.on_message = lambda _, __, message: (
            message.retain and found.update({topics.parse(message.topic)[::2]: message.payload})
        )
        client.on_subscribe = lambda *_: shown.append(1)
        client.connect("localhost", self.ports[shard])
        client.loop_start()
        for kind in ("state", "channels", "health"):  # what is retained comes before the answer to the next one
            client.subscribe(f"{topics.ROOT}/+/up/{kind}", qos=1)
        wait_for(lambda: len(shown) == 3)
        client.disconnect()
        client.loop_stop()
        return found


def _nodes(made: Settings, compiled: Path) -> list[VirtualNode]:
    """Register two nodes with one cheap sensor each, a frame every two seconds."""
    with open_fleet(made) as fleet:
        fleet.registry.add_site("bench", "Bench", 47.726, 10.316, 4.0, "Innenstadt", scope=local())
        site, timing = fleet.registry.site("bench"), Timing(record_s=1, frame_s=2)
        paths = [fleet.add_virtual_node(name, site, timing, time.time(), scope=local()) for name in (MOVING, STAYING)]
    for path in paths:
        change_json(path / "node.json", sensors=[GATE], buses=[])
        change_json(path / "virtual.json", **dict.fromkeys(read_json(path / "virtual.json")))
    return [VirtualNode(path, Path(find_micropython()), compiled) for path in paths]


def _worker(made: Settings, number: int, shard: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "device_manager.ingest_worker", "--data", str(made.directory)]
    return processes.spawn([*command, "--number", str(number), "--shard", shard], ROOT, _log(made, number))


def _log(made: Settings, number: int) -> Path:
    return made.directory / f"ingest-{number}.log"


def _context(made: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(made.identities / "ca.crt"))
    context.load_cert_chain(made.identities / "twin.crt", made.identities / "twin.key")
    return context


def _move(city: City, shard: str) -> None:
    """`citynode order shard`, and wait until the node has kept it."""
    words = ["order", "shard", MOVING, shard, "--within-seconds", "90", "--data", str(city.settings.directory)]
    typer.main.get_command(commands).main(words, standalone_mode=False)
    city.wait_for(lambda: Spool(city.settings.orders).orders(MOVING)[-1].state == DONE)
    assert read_json(city.nodes[0].directory / "node.json")["brokers"][0]["port"] == city.ports[shard]


def test_node_moves_to_another_broker_and_back_while_it_reports(tmp_path: Path, postgres_url: str) -> None:
    with City(tmp_path, postgres_url) as city:
        city.reports(MOVING)
        city.reports(STAYING)
        for shard, left in (SHARDS[::-1], SHARDS):
            _move(city, shard)
            city.reports(MOVING)
            city.wait_for(lambda at=shard: {(MOVING, "state"), (MOVING, "channels")} <= city.retained(at).keys())
            city.wait_for(lambda at=left: MOVING not in {node for node, _ in city.retained(at)})
            assert city.shadow(MOVING).online
        assert {node for node, _ in city.retained("main")} == {MOVING, STAYING}
        written = city.cut_power()
        for node in city.nodes:  # what they still hold, they deliver now
            node.start()
        city.wait_for(lambda: written.keys() <= dict(city.stored()).keys())
        later, stored = city.cut_power(), city.stored()
        assert len(stored) == len(dict(stored))
        assert written.items() <= dict(stored).items() <= later.items()
        assert [city.reader.reject_counts(node.name) for node in city.nodes] == [{}, {}]
