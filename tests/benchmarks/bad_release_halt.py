"""Bad releases on 100 nodes: how many got each before it was stopped, how long that took, who came back by itself.

Planner, gate and quality rules are the real ones, on a clock that jumps ten minutes. Nodes are models of what a node
says (`Shadow.update`, release, crashes, last frame); readings go to the gate as series, not as frames over a broker.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from device_manager.quality import Channel
from device_manager.rollouts import states
from device_manager.rollouts.gate import Updated, judge
from device_manager.rollouts.model import Judgement, Node, Told
from firmware.wire import releases as wire
from tests.benchmarks.row import Row, at_most
from tests.device_manager.rollout_fleet import NOW_MS, Behaviour, World, good, nodes, rollout

NODES, CANARIES = 100, 5
HOUR_S, DAY_S = 3600, 86_400
QUANTITIES = ("pm2_5", "laeq", "footfall_in", "footfall_out")


def _rolls_back(reason: str) -> Behaviour:
    """boot.py takes the confirmed release back after its trial."""
    return lambda node, number, hours: node._replace(told=Told(number, 0, wire.ROLLED_BACK, reason))


def _crashes(first_h: int, every_h: int) -> Behaviour:
    """Proven, and crashes later, again and again."""
    return lambda node, number, hours: good(node, number, hours)._replace(
        crashes=max(0, (hours - first_h) // every_h + 1)
    )


def _silent(node: Node, number: int, hours: int) -> Node:
    """Proven, then no frame comes; it still takes offers."""
    return good(node, number, hours)._replace(quiet_s=3600.0 * hours)


@dataclass(frozen=True)
class Fault:
    """A bad release: what nodes do, and by which factor a quantity is wrong (None: it does not come)."""

    name: str
    behave: Behaviour = good
    quantity: str = ""
    factor: float | None = 1.0


FAULTS = (
    Fault("crashes at start", _rolls_back("three trial boots")),
    Fault("crashes after an hour", _crashes(1, 1)),
    Fault("no Wi-Fi", _rolls_back("no frame was committed")),
    Fault("heap leak", _crashes(5, 5)),
    Fault("PM missing", quantity="pm2_5", factor=None),
    Fault("sound flat", quantity="laeq", factor=0.0),
    Fault("footfall tripled", quantity="footfall_in", factor=3.0),
    Fault("node silent", _silent),
)


class Measuring(World):
    """A world whose gate looks at readings: those of updated nodes are wrong from their update on."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(rollout(str(CANARIES), "20%", "all", gate=True, soak_s=DAY_S), nodes(NODES), fault.behave)
        self.fault = fault

    def step(self) -> None:
        """Plan, and judge by readings what is to be judged."""
        before = self.rollout.judgement
        super().step()
        told = self.rollout.judgement
        if told is not None and told is not before:
            self.rollout = replace(self.rollout, judgement=self._judged(told.stage))

    def _judged(self, stage: int) -> Judgement:
        until_s = self.now_ms // 1000
        updated = [
            Updated(one.node, one.since_ms // 1000)
            for one in self.rollout.updates.values()
            if one.stage == stage and one.state == wire.SUCCEEDED
        ]
        free = [name for name, one in self.rollout.updates.items() if not one.offered_ms][:5]
        channels = [_channel(name, q, until_s) for name in free for q in QUANTITIES]
        channels += [self._wrong(one, q, until_s) for one in updated for q in QUANTITIES]
        judged = judge(updated, channels, {one.node: free for one in updated}, until_s)
        return Judgement(stage, self.now_ms, judged.verdict, judged.findings)

    def _wrong(self, one: Updated, quantity: str, until_s: int) -> Channel:
        found = _channel(one.node, quantity, until_s)
        if quantity != self.fault.quantity:
            return found
        factor = np.nan if self.fault.factor is None else self.fault.factor
        return replace(found, value=np.where(found.start_s >= one.at_s, found.value * factor, found.value))


def _channel(node: str, quantity: str, until_s: int) -> Channel:
    chance = np.random.default_rng([int(node[1:]), QUANTITIES.index(quantity)])
    times = np.arange(NOW_MS // 1000 // HOUR_S * HOUR_S - 8 * DAY_S, until_s, 300)
    day = 1 + 0.3 * np.sin(2 * np.pi * times / DAY_S)
    if quantity.startswith("footfall"):
        value = chance.poisson(20 * day).astype(float)
    else:
        value = (12 * day if quantity == "pm2_5" else 55 * day**0.3) + chance.normal(0, 2.0, len(times))
    return Channel(node, quantity, times, value, interval_s=300.0)


def run(short: bool) -> list[Row]:
    """Return a row for each bad release, and one for a good one. Short and full are equal."""
    return [_stopped(fault) for fault in FAULTS] + [_good()]


def _stopped(fault: Fault) -> Row:
    world, hours = Measuring(fault), 0
    while world.rollout.state == states.RUNNING and hours < 200:
        world.hour()
        hours += 1
    reason = world.rollout.reason
    world.hour(3)
    left = sum(node.release == world.rollout.number for node in world.nodes.values())
    beside = f"stopped after {hours} h, {left} still on it 3 h later; {reason[:90]}"
    got = len(world.got) if not left and world.rollout.state == states.PAUSED else NODES
    return at_most(f"bad_release_halt, {fault.name}", got, f"of {NODES} nodes got it", CANARIES, beside)


def _good() -> Row:
    world, hours = Measuring(Fault("good")), 0
    rules = replace(world.rollout.rules, gate_every_s=12 * HOUR_S)  # many nodes: not every hour, to be done soon
    world.rollout = replace(world.rollout, rules=rules)
    while world.rollout.state == states.RUNNING and hours < 200:
        world.hour()
        hours += 1
    without = NODES - world.rollout.counts()[wire.SUCCEEDED]
    return at_most(
        "bad_release_halt, good release", without, "nodes did not get it", 0, f"{hours} h; {world.rollout.state}"
    )
