"""Composition of rollouts: what commands use, and the service of the running manager. Beside `app.py`, as `updates` is.

with open_rollouts(settings.load(directory)) as rollouts:
    rollouts.start(1, scope=local())
"""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from device_manager.adapters.store_monitoring import SqlAlerts
from device_manager.adapters.store_rollouts import SqlRollouts
from device_manager.errors import UsageError
from device_manager.fleet import Fleet, open_fleet
from device_manager.monitoring.facts import CRASHES
from device_manager.overview import shadow_of
from device_manager.periodic import Periodic, Step
from device_manager.ports import Clock, NodeView, Site
from device_manager.registry.service import ACCEPTED
from device_manager.releases.offering import Offers, Traffic
from device_manager.releases.service import Releases
from device_manager.rollouts.gate import Judged, Updated, judge
from device_manager.rollouts.model import Node, Rollout, Told
from device_manager.rollouts.service import BY_ITSELF, Rollouts
from device_manager.settings import Settings
from device_manager.updates import SYSTEM, open_offers, open_releases
from firmware.wire import releases as wire

EVERY_S = 5.0
NEIGHBOURS = 5
_ALLOWANCE_S = 900  # a frame of 5 minutes, on its way


@dataclass
class ManagedFleet:
    """The `FleetView` port, over a data directory. Not for two threads at once."""

    fleet: Fleet
    releases: Releases
    clock: Clock = SYSTEM

    def nodes(self, group: str) -> list[Node]:
        """See `FleetView.nodes`."""
        now_ms = self.clock.now_ms()
        members = set(self.fleet.groups.members(group)) if group else None
        within = {one.name: frozenset(self.fleet.groups.members(one.name)) for one in self.fleet.groups.groups()}
        return [
            node_of(view, frozenset(name for name, names in within.items() if view.name in names), now_ms)
            for view in self.fleet.registry.nodes()
            if view.admission == ACCEPTED and (members is None or view.name in members)
        ]

    def judge(self, rollout: Rollout, stage: int, now_ms: int) -> Judged:
        """See `FleetView.judge`."""
        from device_manager.monitoring.joining import channels_of
        from device_manager.quality.compare import PAST_S
        from device_manager.readings import Selection

        updated = [
            Updated(one.node, one.since_ms // 1000)
            for one in rollout.updates.values()
            if one.stage == stage and one.state == wire.SUCCEEDED
        ]
        near = neighbours(self.fleet.registry.nodes(), rollout, [one.node for one in updated])
        since_s = min((one.at_s for one in updated), default=now_ms // 1000) - PAST_S
        names = self.fleet.readings.names().nodes
        wanted = sorted({one.node for one in updated}.union(*near.values()))
        pages = [page for name in wanted for page in self.fleet.readings.pages(Selection(node=name, since_s=since_s))]
        floors = {one.node: self._floors(one.node, since_s, now_ms // 1000) for one in updated}
        return judge(updated, channels_of(pages, names), near, now_ms // 1000 - _ALLOWANCE_S, floors)

    def _floors(self, node: str, since_s: int, until_s: int) -> list[tuple[int, float]]:
        """Return the node's least free memory over time, as monitoring keeps it."""
        samples = SqlAlerts(self.fleet.operations).health(node, since_s, until_s)
        return [(at_s, values["heap_floor_bytes"]) for at_s, values in samples if "heap_floor_bytes" in values]

    def require_release(self, number: int) -> None:
        """See `FleetView.require_release`."""
        self.releases.shelf.load(number).require_offerable(self.clock.now_ms() / 1000)

    def require_way_back(self, number: int) -> None:
        """See `FleetView.require_way_back`."""
        found = self.releases.shelf.load(number)
        if found.retired:
            todo = "name another one with --back-to, or none"
            raise UsageError(expected="a release that is not retired", got=found.objection(0.0), todo=todo)

    def sign_back(self, number: int) -> int:
        """See `FleetView.sign_back`."""
        return self.releases.again(number, scope=BY_ITSELF, notes=f"back to release {number}").number


def node_of(view: NodeView, groups: frozenset[str], now_ms: int) -> Node:
    """Return a node as the planner sees it; its supply is a tag `supply-...`, else what it hangs on."""
    shadow = shadow_of(view)
    told = shadow.update
    supply = next((tag for tag in view.tags if tag.startswith("supply-")), view.site.fixture if view.site else "")
    return Node(
        name=view.name,
        board=shadow.board or "",
        district=view.site.district if view.site else "",
        supply=supply,
        zone=view.site.zone if view.site else "Europe/Berlin",
        groups=groups,
        release=shadow.release,
        told=Told(told["number"], told["attempt"], told["state"], told["reason"]) if told else None,
        online=bool(shadow.online),
        quiet_s=max(0, now_ms - (shadow.last_frame_ms or shadow.last_seen_ms or now_ms)) / 1000,
        crashes=sum(shadow.resets.get(cause, 0) for cause in CRASHES),
    )


def neighbours(views: list[NodeView], rollout: Rollout, nodes: list[str]) -> dict[str, list[str]]:
    """Return for each node the nearest ones that were not offered the release, NEIGHBOURS at most."""
    sites = {view.name: view.site for view in views if view.site}
    free = [name for name in sites if name not in rollout.updates or not rollout.updates[name].offered_ms]
    return {
        node: sorted(free, key=lambda name: (_away(sites[node], sites[name]), name))[:NEIGHBOURS]
        for node in nodes
        if node in sites
    }


def _away(one: Site, other: Site) -> float:
    east = (one.longitude - other.longitude) * math.cos(math.radians(one.latitude))
    return math.hypot(east, one.latitude - other.latitude)


@dataclass
class OpenRollouts:
    """Rollouts of one data directory, with what they ask of the rest, and the bytes sent for their offers."""

    rollouts: Rollouts
    view: ManagedFleet
    offers: Offers

    def traffic(self, rollout: Rollout) -> Traffic:
        """Return the bytes sent for its releases, the way back included, and what whole apps would have taken."""
        found = self.offers.traffic([one for one in (rollout.number, rollout.back) if one is not None])
        ours = [one for node, one in found.items() if node in rollout.updates]
        return Traffic(sum(one.sent_bytes for one in ours), sum(one.whole_bytes for one in ours))


@contextmanager
def open_rollouts(settings: Settings, clock: Clock = SYSTEM) -> Iterator[OpenRollouts]:
    """Open the rollouts of a data directory, beside a running manager or not."""
    with open_fleet(settings) as fleet:
        yield rollouts_of(fleet, settings, clock)


def rollouts_of(fleet: Fleet, settings: Settings, clock: Clock = SYSTEM) -> OpenRollouts:
    """Return the rollouts of a fleet that is open already; they hold as long as it is open."""
    offers = open_offers(settings, fleet.operations, clock)
    view = ManagedFleet(fleet, open_releases(settings, fleet.operations), clock)
    rollouts = Rollouts(SqlRollouts(fleet.operations), view, offers, fleet.audit, clock)
    return OpenRollouts(rollouts, view, offers)


class RollingOut(Periodic):
    """The service of the running manager. What is kept goes on at the next start."""

    def __init__(self, settings: Settings, every_s: float = EVERY_S, clock: Clock = SYSTEM) -> None:
        self._parts = ExitStack()
        opened = self._parts.enter_context(open_rollouts(settings, clock))
        super().__init__("rollouts", Step(opened.rollouts.step, every_s, waits="rollouts wait"))

    def stop(self) -> None:
        """End after the step that runs."""
        super().stop()
        self._parts.close()
