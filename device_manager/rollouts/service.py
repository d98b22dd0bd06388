"""Keeps rollouts and carries plans out. Every call that a person makes is an admin's, and is audited.

Whoever changes a rollout reads it, decides, and writes it only if nobody else wrote in between (`revision`). A step
writes first and then acts: what a crash left undone is done by the next step, because wanted and standing offers are
compared each time.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from device_manager.audit import Audit
from device_manager.errors import CitynodeError, UsageError
from device_manager.ports import Clock
from device_manager.releases.offering import NodeOffer, Offers
from device_manager.rollouts import states
from device_manager.rollouts.gate import Judged
from device_manager.rollouts.model import Judgement, Node, Rollout, Rules, Stage
from device_manager.rollouts.planner import Action, Judge, Offer, SignBack, Withdraw, halted, plan
from device_manager.rollouts.windows import parse
from device_manager.scopes import ADMIN, Scope

BY_ITSELF = Scope("manager")
_TRIES = 5
_log = logging.getLogger("citynode.rollouts")


class RolloutStore(Protocol):
    """Where rollouts are kept; every call is durable when it returns."""

    def add(self, rollout: Rollout) -> Rollout:
        """Keep a new rollout; return it with its number."""
        ...

    def save(self, rollout: Rollout, before: Rollout, revision: int) -> bool:
        """Write what differs from `before`; False, and nothing written, when `revision` is not the newest any more."""
        ...

    def load(self, number: int) -> tuple[Rollout, int] | None:
        """Return a rollout and its revision."""
        ...

    def ids(self, *of_states: str) -> list[int]:
        """Return the numbers of the rollouts in those states, of all without any."""
        ...

    def failed(self, besides: int) -> dict[str, frozenset[int]]:
        """Return {node: release numbers that failed there} in all rollouts but one."""
        ...


class FleetView(Protocol):
    """What a rollout asks of the rest of the manager."""

    def nodes(self, group: str) -> list[Node]:
        """Return the accepted nodes of a group, of the fleet for ""; UsageError for an unknown group."""
        ...

    def judge(self, rollout: Rollout, stage: int, now_ms: int) -> Judged:
        """Return what the gate says about the updated nodes of a stage."""
        ...

    def require_release(self, number: int) -> None:
        """Raise UsageError when there is no release of that number, or none that may be offered now."""
        ...

    def require_way_back(self, number: int) -> None:
        """Raise UsageError when there is no release of that number, or it is retired."""
        ...

    def sign_back(self, number: int) -> int:
        """Sign an old release under a new number and return that; CitynodeError when it cannot be."""
        ...


class Wanted(NamedTuple):
    """A rollout to be made; `came_from` None takes the release that most of the nodes run."""

    number: int
    stages: tuple[Stage, ...]
    group: str = ""
    rules: Rules = Rules()
    needs_approval: bool = False
    came_from: int | None = None


class Rollouts:
    """The rollouts of one fleet."""

    def __init__(self, store: RolloutStore, fleet: FleetView, offers: Offers, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._fleet = fleet
        self._offers = offers
        self._audit = audit
        self._clock = clock

    def create(self, wanted: Wanted, *, scope: Scope) -> Rollout:
        """Make a rollout; nothing happens before it is started. UsageError for a release that cannot be offered."""
        scope.require(ADMIN, "create a rollout")
        parse(wanted.rules.window)
        self._fleet.require_release(wanted.number)
        if wanted.came_from:
            self._fleet.require_way_back(wanted.came_from)
        if not wanted.stages:
            raise UsageError(expected="at least one stage", got="none", todo="name one, as --stage 5 --stage all")
        nodes = self._fleet.nodes(wanted.group)
        came_from = wanted.came_from if wanted.came_from is not None else _most_common(nodes, wanted.number)
        made = Rollout(0, wanted.number, wanted.group, wanted.stages, wanted.rules, came_from=came_from)
        rollout = self._store.add(made.after("ask") if wanted.needs_approval else made)
        facts = {"release": wanted.number, "group": wanted.group, "stages": [stage.text for stage in wanted.stages]}
        self._audit.record(scope, "rollout.create", str(rollout.id), after=facts)
        return rollout

    def show(self, number: int) -> Rollout:
        """Return a rollout; UsageError when there is none of that number."""
        return self._load(number)[0]

    def all(self) -> list[Rollout]:
        """Return all rollouts by number."""
        return [self.show(number) for number in self._store.ids()]

    def preview(self, number: int) -> tuple[Rollout, dict[str, Node]]:
        """Return the rollout as its first step would make it, and the nodes: who gets it in which stage."""
        rollout = self.show(number)
        nodes = self._nodes(rollout)
        shown = rollout if rollout.updates else replace(rollout, state=states.RUNNING)
        return plan(shown, nodes, self._clock.now_ms()).rollout, {node.name: node for node in nodes}

    def start(self, number: int, *, scope: Scope) -> Rollout:
        """Start a rollout; UsageError for a release that was retired meanwhile, and while another rollout that is not
        over has some of its nodes."""
        rollout = self.show(number)
        self._fleet.require_release(rollout.number)
        own = {node.name for node in self._nodes(rollout)}
        for other in self._store.ids(states.RUNNING, states.PAUSED):
            if other != number and own & self.show(other).updates.keys():
                todo = f"end it first, with `citynode rollout abort {other}`"
                raise UsageError(expected="nodes of no other rollout", got=f"nodes of rollout {other}", todo=todo)
        return self._act(number, "start", scope, lambda one: replace(one, started_ms=self._clock.now_ms()))

    def approve(self, number: int, *, scope: Scope) -> Rollout:
        """Approve the rollout, or while it runs its next stage."""

        def stage(one: Rollout) -> Rollout:
            return one if one.state == states.READY else replace(one, approved=one.stage + 1)

        return self._act(number, "approve", scope, stage)

    def pause(self, number: int, *, scope: Scope) -> Rollout:
        """Offer nobody anything more; who is on the way goes on."""
        return self._act(number, "pause", scope, reason=f"paused by {scope.actor}")

    def resume(self, number: int, *, scope: Scope) -> Rollout:
        """Go on; what the gate said before is forgotten. UsageError when nodes are being taken back."""

        def fresh(one: Rollout) -> Rollout:
            if one.wants_back:
                todo = "abort it, and roll out a release that is mended"
                raise UsageError(
                    expected="a rollout that only rests", got=f"{number}, which takes nodes back", todo=todo
                )
            return replace(one, judgement=None)

        return self._act(number, "resume", scope, fresh)

    def abort(self, number: int, *, scope: Scope) -> Rollout:
        """End a rollout: nobody is offered anything more, who is updated stays so."""
        return self._act(number, "abort", scope, reason=f"aborted by {scope.actor}")

    def rollback(self, number: int, *, scope: Scope) -> Rollout:
        """Take every node back that runs the release."""
        reason = f"taken back by {scope.actor}"
        return self._act(number, "rollback", scope, lambda one: replace(one, wants_back=True), reason)

    def retry(self, number: int, *, scope: Scope) -> Rollout:
        """Queue those again that ended badly or were skipped, and nobody else."""

        def again(one: Rollout) -> Rollout:
            if one.wants_back:
                todo = "roll out a release that is mended"
                raise UsageError(
                    expected="a rollout that goes forward", got=f"{number}, which takes nodes back", todo=todo
                )
            tried = {
                name: u._replace(state=state, attempt=u.attempt + 1, reason="", offered_ms=0, began_ms=0)
                for name, u in one.updates.items()
                if (state := states.UPDATE.get((u.state, "retry")))
            }
            return replace(one, updates={**one.updates, **tried}, judgement=None)

        return self._act(number, "retry", scope, again)

    def step(self) -> None:
        """Take one step of every rollout that runs or holds; the running manager calls this every few seconds."""
        for number in self._store.ids(states.RUNNING, states.PAUSED, states.STOPPED):
            try:
                self._step(number)
            except CitynodeError as error:
                _log.error("rollout %d: %s", number, error)

    def _step(self, number: int) -> None:
        before, revision = self._load(number)
        if before.state == states.STOPPED and not any(
            (one.state, "cancelled") in states.UPDATE for one in before.updates.values()
        ):
            return
        now_ms = self._clock.now_ms()
        after, actions = plan(before, self._nodes(before), now_ms)
        for action in actions:
            after = self._decide(after, action, now_ms)
        if not self._store.save(after, before, revision):
            return  # somebody decided in between: the next step sees it
        if (after.state, after.reason) != (before.state, before.reason):
            self._audit.record(BY_ITSELF, f"rollout.{after.state}", str(number), after={"reason": after.reason})
            _log.warning("rollout %d is %s: %s", number, after.state, after.reason or "-")
        self._carry(after, actions)

    def _decide(self, rollout: Rollout, action: Action, now_ms: int) -> Rollout:
        """Do what changes the rollout itself: ask the gate, sign the way back."""
        if isinstance(action, Judge):
            judged = self._fleet.judge(rollout, action.stage, now_ms)
            return replace(rollout, judgement=Judgement(action.stage, now_ms, judged.verdict, judged.findings[:20]))
        if isinstance(action, SignBack):
            try:
                return replace(rollout, back=self._fleet.sign_back(action.number))
            except CitynodeError as error:
                return replace(rollout, reason=f"{rollout.reason.split(' (', 1)[0]} (no way back: {error})")
        return rollout

    def _carry(self, rollout: Rollout, actions: Sequence[Action]) -> None:
        """Make the standing offers what the rollout wants."""
        standing = {one.node: one for one in self._offers.standing()}
        ours = (rollout.number, rollout.back)
        wanted = [NodeOffer(*action) for action in actions if isinstance(action, Offer)]
        if rollout.state == states.RUNNING:
            wanted += [
                NodeOffer(one.node, rollout.number, one.attempt)
                for one in rollout.updates.values()
                if one.offered_ms and (one.state == states.QUEUED or one.state in states.ON_THE_WAY)
            ]
        for offer in dict.fromkeys(wanted):
            if standing.get(offer.node) != offer:
                self._offer(rollout, offer)
        for action in actions:
            if isinstance(action, Withdraw) and action.node in standing and standing[action.node].number in ours:
                self._offers.withdraw(action.node)

    def _offer(self, rollout: Rollout, offer: NodeOffer) -> None:
        try:
            self._offers.offer(offer)
        except UsageError as error:
            latest, revision = self._load(rollout.id)
            if latest.state == states.RUNNING:
                self._store.save(replace(halted(latest, str(error)), wants_back=False), latest, revision)
            raise

    def _act(
        self,
        number: int,
        event: str,
        scope: Scope,
        change: Callable[[Rollout], Rollout] = lambda one: one,
        reason: str = "",
    ) -> Rollout:
        scope.require(ADMIN, f"{event} a rollout")
        for _ in range(_TRIES):
            before, revision = self._load(number)
            after = change(before.after(event, reason))
            if self._store.save(after, before, revision):
                facts = {"state": after.state, "stage": after.stage}
                self._audit.record(scope, f"rollout.{event}", str(number), {"state": before.state}, facts)
                return after
        got = f"{_TRIES} changes by others"
        raise UsageError(expected=f"rollout {number} to stand still for a moment", got=got, todo="try again")

    def _nodes(self, rollout: Rollout) -> list[Node]:
        failed = self._store.failed(rollout.id)
        nodes = self._fleet.nodes(rollout.group)
        return [node._replace(quarantined=failed[node.name]) if node.name in failed else node for node in nodes]

    def _load(self, number: int) -> tuple[Rollout, int]:
        found = self._store.load(number)
        if found is None:
            todo = "see `citynode rollout list`"
            raise UsageError(expected="the number of a rollout", got=str(number), todo=todo)
        return found


def _most_common(nodes: Sequence[Node], besides: int) -> int | None:
    """Return the release that most of the nodes run; None when they run code of no release."""
    running = [node.release for node in nodes if node.release and node.release != besides]
    return max(sorted(set(running)), key=running.count) if running else None
