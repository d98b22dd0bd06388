"""A fleet for tests of rollouts: nodes that take offers and behave, on a clock that jumps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from device_manager.rollouts import states
from device_manager.rollouts.model import DAY_S, HOUR_S, Judgement, Node, Rollout, Rules, Told, parse_stage
from device_manager.rollouts.planner import Judge, Offer, SignBack, Withdraw, plan

NOW_MS = 1_760_000_000_000
Behaviour = Callable[[Node, int, int], Node]
"""(node, number, whole hours since it was offered) -> the node ten minutes later."""
STEP_MS = 600_000


def rollout(*stages: str, **rules: object) -> Rollout:
    """A running rollout of release 2 from release 1, without a gate unless asked for."""
    made = Rules(**{"gate": False, "soak_s": HOUR_S, **rules})  # type: ignore[arg-type]
    texts = stages or ("5", "all")
    return Rollout(1, 2, stages=tuple(map(parse_stage, texts)), rules=made, state=states.RUNNING, came_from=1)


def nodes(count: int) -> list[Node]:
    """Nodes that are there and run release 1."""
    return [Node(f"n{i:04}", f"board{i % 3}", f"d{i % 4}", f"s{i % 2}", release=1, online=True) for i in range(count)]


def good(node: Node, number: int, hours: int) -> Node:
    """Succeed within the hour."""
    return node._replace(release=number, told=Told(number, node.told.attempt if node.told else 0, "succeeded"))


class World:
    """Nodes and a rollout; `hour` lets an hour pass. `got` is every node that ever was offered the new release."""

    def __init__(self, made: Rollout, fleet: list[Node], behave: Behaviour = good) -> None:
        self.rollout = made
        self.nodes = {node.name: node for node in fleet}
        self.behave = behave
        self.offers: dict[str, tuple[Offer, int]] = {}
        self.got: set[str] = set()
        self.now_ms = NOW_MS
        self.verdict = "good"

    def hour(self, hours: int = 1) -> World:
        """Let hours pass, six steps and behaviours each."""
        for _ in range(6 * hours):
            self.step()
            for name, (offer, since_ms) in self.offers.items():
                node = self.nodes[name]
                if not node.online and not node.quiet_s:
                    continue
                told = (
                    node.told if node.told and node.told[:2] == offer[1:] else Told(offer.number, offer.attempt, None)
                )
                passed = (self.now_ms - since_ms) // 3_600_000
                if offer.number == self.rollout.back:
                    self.nodes[name] = good(node._replace(told=told, quiet_s=0.0), offer.number, passed)
                else:
                    self.nodes[name] = self.behave(node._replace(told=told), offer.number, passed)
            self.now_ms += STEP_MS
        return self

    def step(self) -> None:
        """Plan once and do what it says."""
        self.rollout, actions = plan(self.rollout, list(self.nodes.values()), self.now_ms)
        for action in actions:
            if isinstance(action, Offer) and self.offers.get(action.node, (None,))[0] != action:
                self.offers[action.node] = (action, self.now_ms)
                self.got.update([action.node] if action.number == self.rollout.number else [])
            elif isinstance(action, Withdraw):
                self.offers.pop(action.node, None)
            elif isinstance(action, Judge):
                told = Judgement(action.stage, self.now_ms, self.verdict, ("n0001/pm2_5: presence 0 of 6 hours",))
                self.rollout = replace(self.rollout, judgement=told)
            elif isinstance(action, SignBack):
                self.rollout = replace(self.rollout, back=3)

    def until_over(self, days: int = 30) -> World:
        """Let time pass until the rollout is over or rests and every node is back."""
        for _ in range(days * DAY_S // HOUR_S):
            self.hour()
            if self.rollout.state in (states.FINISHED, states.STOPPED):
                break
        return self
