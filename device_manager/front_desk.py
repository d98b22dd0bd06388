"""Composition root of the dashboard and of `citynode user`: what its pages ask, and who may ask.

    with open_front_desk(settings) as desk:
        desk.snapshot().rows, desk.readings_of("kempten-01", since_s, until_s)

The fleet as a whole is read at most once in FRESH_S, however many browsers look.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from device_manager import alerting, rolling_out, updates, upkeep
from device_manager.adapters.clock import SystemClock
from device_manager.adapters.store_people import SqlPeople
from device_manager.fleet import Fleet, open_fleet
from device_manager.measurements import Measurements, open_measurements
from device_manager.monitoring.service import Alerts
from device_manager.orders import Orders
from device_manager.orders.spool import Order, Spool
from device_manager.overview import Summary, summarise
from device_manager.people import People
from device_manager.people.outside import Provider
from device_manager.people.passwords import Passwords
from device_manager.ports import Deployment, Site
from device_manager.releases.service import Releases
from device_manager.series import LastValue
from device_manager.series.epochs import Epoch
from device_manager.series.lineup import Reading
from device_manager.settings import Settings
from provisioning import progress

FRESH_S = 3.0
STALE_S = 20.0


class Row(NamedTuple):
    """A node as lists and the map show it: its summary, where it hangs, its latest values by quantity."""

    summary: Summary
    site: Site | None
    values: dict[str, LastValue]


class Snapshot(NamedTuple):
    """The whole fleet at one moment (Unix ms), by node name."""

    at_ms: int
    rows: tuple[Row, ...]


@dataclass
class FrontDesk:
    """What pages work with. Any thread: what is not made for two at once is used under a lock."""

    settings: Settings
    fleet: Fleet
    measurements: Measurements
    people: People
    alerts: Alerts
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _snapshot: Snapshot | None = None

    def snapshot(self) -> Snapshot:
        """Return the fleet as it is, or was FRESH_S ago; up to STALE_S ago while a thread reads it anew."""
        found = self._snapshot
        age_s = time.time() - found.at_ms / 1000 if found else STALE_S
        if found and age_s <= FRESH_S:
            return found
        if found and age_s < STALE_S:
            if not self._lock.locked():  # nobody reads it yet
                threading.Thread(target=self._read, daemon=True).start()
            return found
        return self._read()

    def _read(self) -> Snapshot:
        with self._lock:
            now_ms = int(time.time() * 1000)
            if self._snapshot is None or now_ms - self._snapshot.at_ms > FRESH_S * 1000:
                latest = self.fleet.readings.last_values()
                rows = [
                    Row(summarise(view, now_ms), view.site, {v.quantity: v for v in latest.get(view.name, [])})
                    for view in self.fleet.registry.nodes()
                ]
                self._snapshot = Snapshot(now_ms, tuple(rows))
            return self._snapshot

    def changed(self) -> None:
        """Forget the snapshot, because somebody changed the fleet just now."""
        self._snapshot = None

    def readings_of(self, node: str, since_s: int, until_s: int) -> tuple[list[Reading], list[Epoch]]:
        """Return all channels of a node that have readings in [since_s, until_s), and what the node was meanwhile."""
        with self._lock:
            archive = self.measurements.archive
            found = archive.of_node(self.fleet.registry.node(node).node_id, since_s, until_s)
            epochs = [epoch for reading in found[:1] for epoch in archive.lineage(reading) if epoch]
            return found, epochs

    def deployments(self, node_id: int) -> list[Deployment]:
        """Return where a node hung, the newest first."""
        rows = [row for row in self.fleet.reader.deployments() if row.node_id == node_id]
        return sorted(rows, key=lambda row: row.since_s, reverse=True)

    def orders_of(self, node: str) -> list[Order]:
        """Return the orders and commands of a node with their answers."""
        return Spool(self.settings.orders).orders(node)

    @cached_property
    def provider(self) -> Provider | None:
        """Who else may say who somebody is, None where none is set."""
        if not self.settings.oidc.issuer:
            return None
        from device_manager.adapters.oidc import Provider as Oidc  # 60 ms that most fleets need not pay

        web, kept = self.settings.web, self.settings.oidc_secret
        address = web.address.rstrip("/") or f"http://{web.host}:{web.port}"
        secret = kept.read_text("utf-8").strip() if kept.exists() else ""
        return Oidc(self.settings.oidc, secret, f"{address}/sign-in/back")

    bench_steps = progress.STEPS

    def boards(self) -> list[progress.Board]:
        """Return the boards of the bench, the one that moved last first."""
        return progress.boards(self.settings.directory)

    def releases(self) -> Releases:
        """Return the service that keeps releases."""
        return updates.open_releases(self.settings, self.fleet.operations)

    def rollouts(self) -> rolling_out.OpenRollouts:
        """Return the service that moves groups to a release, with the bytes sent."""
        return rolling_out.rollouts_of(self.fleet, self.settings)

    def orders(self) -> Orders:
        """Return the service that sends commands."""
        return upkeep.open_orders(self.settings)


@contextmanager
def open_people(settings: Settings) -> Iterator[People]:
    """Open people and the audit log alone."""
    with open_fleet(settings) as fleet:
        yield _people(fleet)


@contextmanager
def open_front_desk(settings: Settings) -> Iterator[FrontDesk]:
    """Open everything that pages ask."""
    with ExitStack() as stack:
        fleet = stack.enter_context(open_fleet(settings))
        measurements = stack.enter_context(open_measurements(settings))
        alerts = stack.enter_context(alerting.open_alerts(settings))
        yield FrontDesk(settings, fleet, measurements, _people(fleet), alerts)


def _people(fleet: Fleet) -> People:
    return People(SqlPeople(fleet.operations), fleet.audit, SystemClock(), Passwords())
