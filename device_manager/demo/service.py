"""Runs the demo: a throw-away data directory, a manager, and virtual nodes at real places.

The nodes are the firmware itself on real MicroPython, each in its own process with its own certificate, of the three
reference designs in turn. They replay real measurements, shifted for each place: plausible figures that were not
measured there.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from device_manager import app
from device_manager import settings as settings_file
from device_manager.adapters.broker_process import any_port
from device_manager.adapters.firmware_build import compile_firmware
from device_manager.adapters.virtual_node import VirtualNodes, find_micropython
from device_manager.app import Manager
from device_manager.demo.places import choose
from device_manager.errors import UsageError
from device_manager.fleet import Fleet, local, open_fleet
from device_manager.overview import summarise
from device_manager.series import LastValue
from device_manager.settings import Listening, Public, Timing, WebSettings

MOST_NODES = 200
HEIGHT_M = 3.5
DESIGNS = ("plaza", "street", "gate")  # in turn
HOST = "127.0.0.1"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What to run: how many nodes, how often they report, where the data lies (`keep` None: a temporary place).

    `writable` lets everybody on this machine change things in the dashboard.
    `broker` is "mosquitto", "iotcore", or None for the one that is installed.
    """

    nodes: int = 12
    timing: Timing = Timing(record_s=2, frame_s=10)
    keep: Path | None = None
    micropython: Path | None = None
    broker: str | None = None
    writable: bool = False


class Row(NamedTuple):
    """A line of the live table; `values` are the latest by quantity, `state` as in `overview.Summary`."""

    site: str
    node: str
    state: str
    values: dict[str, LastValue]
    buffered: int | None
    lost: int
    frames: int
    bytes_per_value: float | None


class Demo:
    """A running demo."""

    def __init__(self, fleet: Fleet, manager: Manager, nodes: VirtualNodes) -> None:
        self.fleet = fleet
        self.manager = manager
        self._nodes = nodes

    def tend(self) -> None:
        """Start again who reset itself; raises NodeError when a node ended for another reason."""
        self._nodes.tend()

    def rows(self) -> list[Row]:
        """Return the table as it is now, a row for each node."""
        now_ms = int(time.time() * 1000)
        latest = self.fleet.readings.last_values()
        return [
            Row(
                s.title or "-",
                s.node,
                s.state,
                {value.quantity: value for value in latest.get(s.node, [])},
                s.buffered,
                s.lost,
                s.frames,
                s.bytes_per_value,
            )
            for s in (summarise(view, now_ms) for view in self.fleet.registry.nodes())
        ]


@contextmanager
def running(plan: Plan, progress: Progress) -> Iterator[Demo]:
    """Set up and start everything; afterwards no process is left, and no directory unless the plan keeps it."""
    if not 1 <= plan.nodes <= MOST_NODES:
        todo = "name another number with --nodes"
        raise UsageError(expected=f"1 to {MOST_NODES} nodes", got=str(plan.nodes), todo=todo)
    micropython = find_micropython(plan.micropython)
    with _directory(plan.keep) as directory:
        twin, web = Listening(HOST, any_port(HOST)), WebSettings(HOST, any_port(HOST), writable=plan.writable)
        settings = app.initialise(
            directory, name="citynode demo", host=HOST, port=any_port(HOST), broker=plan.broker, twin=twin, web=web
        )
        settings = replace(settings, public=Public(grain_minutes=0))  # nobody real is counted
        settings_file.save(settings)
        progress(f"data directory {directory}")
        with Manager(settings) as manager, open_fleet(settings) as fleet:
            progress(f"manager runs, broker {settings.broker.kind} on {HOST} port {settings.broker.port}")
            progress(f"dashboard on http://{web.host}:{web.port}{'' if plan.writable else ', read-only'}")
            progress(f"SensorThings API on http://{twin.host}:{twin.port}/v1.1")
            directories = _register(fleet, plan)
            firmware = compile_firmware(settings.firmware_directory)
            trust = ", each with its own certificate" if settings.broker.tls else ""
            progress(f"{plan.nodes} nodes registered{trust}")
            with VirtualNodes(directories, micropython, firmware) as nodes:
                progress(f"{plan.nodes} virtual nodes started with {micropython}")
                yield Demo(fleet, manager, nodes)


def _register(fleet: Fleet, plan: Plan) -> list[Path]:
    scope, now_s = local(), time.time()
    directories = []
    for index, place in enumerate(choose(plan.nodes), start=1):
        site = fleet.registry.add_site(
            place.name, place.title, place.latitude, place.longitude, HEIGHT_M, "Kempten", scope=scope
        )
        name = f"kempten-{index:02}"
        design = DESIGNS[(index - 1) % len(DESIGNS)]
        directories.append(fleet.add_virtual_node(name, site, plan.timing, now_s, design=design, scope=scope))
    return directories


@contextmanager
def _directory(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep
        return
    directory = Path(tempfile.mkdtemp(prefix="citynode-demo-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
