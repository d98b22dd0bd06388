"""A rollout over 10,000 nodes: what a step of the planner takes, whether it completes, whether states add up."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from device_manager.rollouts import states
from device_manager.rollouts.model import Node, Rollout, Rules, Told, parse_stage
from device_manager.rollouts.planner import Offer, plan
from firmware.wire import releases as wire
from tests.benchmarks.row import Row, at_most

NODES = 10_000
STEP_S = 300
_WAY = (wire.DOWNLOADING, wire.VERIFIED, wire.INSTALLING, wire.REBOOTING, wire.CONFIRMING)


@dataclass
class Swarm:
    """Nodes that go through every state of an update, a few of them badly or away for hours."""

    nodes: list[Node]
    chance: random.Random
    offered: dict[str, int] = field(default_factory=dict)

    def live(self) -> None:
        """Let each node that has an offer say its next word."""
        for index, node in enumerate(self.nodes):
            if node.name in self.offered and node.online:
                self.nodes[index] = self._next(node)
            elif self.chance.random() < (0.01 if node.online else 0.1):
                self.nodes[index] = node._replace(online=not node.online)

    def _next(self, node: Node) -> Node:
        step = self.offered[node.name]
        self.offered[node.name] += 1
        if step < len(_WAY):
            return node._replace(told=Told(2, 0, _WAY[step]))
        if step == len(_WAY) and self.chance.random() < 0.005:
            return node._replace(told=Told(2, 0, wire.ROLLED_BACK, "no frame was committed"))
        done = node.told is not None and node.told.state in wire.ENDS
        return node if done else node._replace(told=Told(2, 0, wire.SUCCEEDED), release=2)


def run(short: bool) -> list[Row]:
    """Return rows: longest and median step, whether it completed and added up. Short and full are equal."""
    chance = random.Random(1)
    swarm = Swarm([_node(index, chance) for index in range(NODES)], chance)
    rules = Rules(soak_s=600, gate=False, at_once=1500)
    rollout = Rollout(1, 2, stages=tuple(map(parse_stage, ("5", "5%", "25%", "all"))), rules=rules, came_from=1)
    rollout, now_ms, wrong = rollout.after("start"), 1_760_000_000_000, 0
    took: list[float] = []
    while rollout.state == states.RUNNING and len(took) < 400:
        began = time.process_time()
        rollout, actions = plan(rollout, swarm.nodes, now_ms)
        took.append((time.process_time() - began) * 1000)
        wrong += rollout.counts().total() != NODES or not _within(rollout)
        swarm.offered.update({action.node: 0 for action in actions if isinstance(action, Offer)})
        swarm.live()
        now_ms += STEP_S * 1000
    rest = sorted(took)
    beside = f"{len(took)} steps, {dict(sorted(rollout.counts().items()))}"
    return [
        at_most("planner_10000, longest step", rest[-1], "ms of CPU", 200, f"the first, which assigns: {took[0]:.0f}"),
        at_most("planner_10000, median step", rest[len(rest) // 2], "ms of CPU", 200),
        at_most("planner_10000, moments at which states do not add up", wrong, "", 0, beside),
        at_most("planner_10000, rollouts not completed", rollout.state != states.FINISHED, "", 0, rollout.state),
    ]


def _node(index: int, chance: random.Random) -> Node:
    there = chance.random() < 0.9
    return Node(f"n{index:05}", f"b{index % 3}", f"d{index % 12}", f"s{index % 2}", release=1, online=there)


def _within(rollout: Rollout) -> bool:
    return all(not one.offered_ms or one.stage <= rollout.stage for one in rollout.updates.values())
