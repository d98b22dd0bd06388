"""Composition root of the bench: what `citynode provision`, `image`, `bench` and `label` work with."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from device_manager.adapters.enrolment import open_enrolment
from device_manager.adapters.firmware_build import compile_firmware
from device_manager.adapters.virtual_node import find_micropython
from device_manager.errors import UsageError
from device_manager.fleet import local
from device_manager.settings import Settings, Timing
from hardware import catalog
from hardware.design import Design
from provisioning.node_config import Network
from provisioning.runner import Workshop
from provisioning.virtual.bench import VirtualBench, add_stand_in, boards

EVERYWHERE = ("0.0.0.0", "::", "")


@dataclass(frozen=True)
class Wifi:
    """What nodes join; `host` is the broker's address as nodes see it, "" the one of the settings."""

    ssid: str
    password: str
    host: str = ""


def find_design(name: str) -> Design:
    """Return a design of the catalogue; UsageError names those that exist."""
    if name not in catalog.designs():
        expected = f"a design of {', '.join(catalog.designs())}"
        raise UsageError(expected=expected, got=name, todo="see `citynode hardware list`")
    return catalog.designs()[name]


def network(settings: Settings, wifi: Wifi, timing: Timing, *, virtual: bool) -> Network:
    """Return how nodes reach this manager; UsageError when they could not."""
    broker = settings.broker
    host = wifi.host or (broker.connect_host if virtual or broker.host not in EVERYWHERE else "")
    if not host or (not virtual and host in ("127.0.0.1", "::1", "localhost")):
        todo = "name it with --broker-host; `host` in settings.toml must be 0.0.0.0 or that address"
        raise UsageError(expected="an address of this machine that nodes can reach", got=broker.host, todo=todo)
    row = {"host": host, "port": broker.port, "server_name": broker.server_name}
    return Network((row,), wifi.ssid, wifi.password, timing=dict(vars(timing)))


@contextmanager
def open_workshop(settings: Settings, wifi: Wifi, timing: Timing, *, virtual: bool) -> Iterator[Workshop]:
    """Open everything that the boards of a bench share."""
    building = threading.Lock()

    def release(architecture: str, lean: bool) -> Path:
        with building:  # eight boards ask for the same app at once
            settings.firmware_directory.mkdir(exist_ok=True)
            return compile_firmware(settings.firmware_directory, architecture, lean=lean)

    scope = local()
    reach = network(settings, wifi, timing, virtual=virtual)
    with open_enrolment(settings, scope) as enrolment:
        yield Workshop(settings.directory, enrolment, release, reach, scope, virtual)


def virtual_bench(settings: Settings, count: int, design: str, micropython: Path | None = None) -> VirtualBench:
    """Return a bench of blank boards below `bench/` of the data directory, and add the stand-in image for them."""
    find_design(design)
    found = find_micropython(micropython)
    settings.firmware_directory.mkdir(exist_ok=True)
    add_stand_in(settings.directory, design)
    return VirtualBench(
        settings.directory / "bench", boards(count, design), found, compile_firmware(settings.firmware_directory)
    )
