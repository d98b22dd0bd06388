"""A bench for tests: a data directory with a site, and virtual boards beside it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from device_manager import app, bench
from device_manager.adapters.firmware_build import compile_firmware
from device_manager.adapters.virtual_node import find_micropython
from device_manager.fleet import local, open_fleet
from device_manager.settings import Settings, Timing
from provisioning.runner import Order, Workshop
from provisioning.virtual.bench import VirtualBench, add_stand_in, boards

SECRET = "a-wifi-password-9f3c"
DESIGN = "gate"
APP_BYTES = 20_000  # a small image: what is tried is the order of things, not the line


def make_settings(folder: Path, app_bytes: int = APP_BYTES) -> Settings:
    """Make a data directory with the site "bench" and a stand-in image."""
    with socket.socket() as probe:  # not the first free one from 8883: other tests take that at the same time
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = app.initialise(folder / "data", name="test", host="127.0.0.1", port=port, broker=None)
    with open_fleet(settings) as fleet:
        fleet.registry.add_site("bench", "Werkstatt", 47.726, 10.316, 3.0, "", scope=local())
    add_stand_in(settings.directory, DESIGN, app_bytes)
    return settings


def make_bench(settings: Settings, count: int = 1, **changes: object) -> VirtualBench:
    """Return virtual boards, not plugged in yet; `changes` are made to what is soldered."""
    settings.firmware_directory.mkdir(exist_ok=True)
    soldered = [replace(one, **changes) for one in boards(count, DESIGN)]  # type: ignore[arg-type]
    firmware = compile_firmware(settings.firmware_directory)
    return VirtualBench(settings.directory / "bench", soldered, find_micropython(), firmware)


@contextmanager
def workshop(settings: Settings, contact_s: float = 40) -> Iterator[Workshop]:
    """Open a workshop whose nodes measure and send fast."""
    wifi, timing = bench.Wifi("net", SECRET), Timing(record_s=2, frame_s=6)
    with bench.open_workshop(settings, wifi, timing, virtual=True) as made:
        yield replace(made, contact_s=contact_s, self_test_s=2)


def order(fresh: bool = False) -> Order:
    """Return the order of every test."""
    return Order("bench", bench.find_design(DESIGN), fresh=fresh)


def admissions(settings: Settings) -> dict[str, str]:
    """Return node -> admission."""
    with open_fleet(settings) as fleet:
        return {view.name: view.admission for view in fleet.registry.nodes()}
