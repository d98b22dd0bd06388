"""The service of rollouts on a real store: kept over restarts, audited, admins only, offers made and withdrawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from device_manager.adapters.store_audit import SqlAudit
from device_manager.adapters.store_offers import SqlOffers
from device_manager.adapters.store_operations import Operations
from device_manager.adapters.store_rollouts import SqlRollouts
from device_manager.audit import Audit
from device_manager.errors import SetupError, UsageError
from device_manager.rollouts import states
from device_manager.rollouts.gate import Judged
from device_manager.rollouts.model import Node, Rollout, Rules, Told, parse_stage
from device_manager.rollouts.service import Rollouts, Wanted
from device_manager.scopes import VIEWER, Forbidden, Scope
from firmware.wire import releases as wire
from tests.device_manager.rollout_fleet import NOW_MS, nodes

ADMIN = Scope("anna")
STAGES = (parse_stage("2"), parse_stage("all"))


class World:
    """The ports of the service: a fleet, a clock, and a store that can be opened again."""

    def __init__(self, folder: Path) -> None:
        self.known = {node.name: node for node in nodes(6)}
        self.clock_ms = NOW_MS
        self.judged = Judged("good", (), ())
        self.key_is_here = True
        self.operations = Operations(folder / "citynode.db")
        self.retired = False
        self.open()

    def open(self) -> None:
        """Begin anew on what is stored."""
        self.audit = Audit(SqlAudit(self.operations), self)
        self.offers = SqlOffers(self.operations, self.require_release)
        self.service = Rollouts(SqlRollouts(self.operations), self, self.offers, self.audit, self)

    def now_ms(self) -> int:
        return self.clock_ms

    def nodes(self, group: str) -> list[Node]:
        return list(self.known.values())

    def judge(self, rollout: Rollout, stage: int, now_ms: int) -> Judged:
        return self.judged

    def require_release(self, number: int) -> None:
        if number > 9:
            raise UsageError(expected="the number of a release", got=str(number), todo="see `citynode release list`")
        if self.retired:
            raise UsageError(expected="a release that is not retired", got=str(number), todo="take another one")

    def require_way_back(self, number: int) -> None:
        self.require_release(number)

    def sign_back(self, number: int) -> int:
        if not self.key_is_here:
            raise SetupError(expected="release-1.key", got="no such file", todo="sign elsewhere")
        return 9

    def answer(self, state: str) -> None:
        """Every node that is offered something says how it ended."""
        for node, number, attempt in self.offers.standing():
            runs = number if state == wire.SUCCEEDED else self.known[node].release
            self.known[node] = self.known[node]._replace(told=Told(number, attempt, state), release=runs)

    def pass_time(self, minutes: int) -> None:
        """Let time pass with a step each ten minutes."""
        for _ in range(max(1, minutes // 10)):
            self.service.step()
            self.clock_ms += 600_000

    def begin(self, **rules: object) -> int:
        """Create and start a rollout of release 2."""
        made = self.service.create(Wanted(2, STAGES, rules=Rules(soak_s=600, **rules)), scope=ADMIN)  # type: ignore[arg-type]
        self.service.start(made.id, scope=ADMIN)
        self.pass_time(10)
        return made.id

    def offered(self) -> set[int]:
        """Numbers that are offered now."""
        return {one.number for one in self.offers.standing()}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.operations.close()


def test_rollout_goes_on_after_a_restart_and_finishes(world: World) -> None:
    number = world.begin()
    assert len(world.offers.standing()) == 2
    world.open()
    for _ in range(8):
        world.answer(wire.SUCCEEDED)
        world.pass_time(20)
    found = world.service.show(number)
    assert (found.state, found.counts()) == (states.FINISHED, {wire.SUCCEEDED: 6})
    assert found == world.service.all()[0]


def test_offer_that_a_crash_lost_is_made_again(world: World) -> None:
    world.begin()
    for one in world.offers.standing():
        world.offers.withdraw(one.node)
    world.pass_time(10)
    assert len(world.offers.standing()) == 2


def test_failing_gate_names_what_it_found_and_takes_updated_nodes_back(world: World) -> None:
    number = world.begin()
    world.answer(wire.SUCCEEDED)
    world.judged = Judged("bad", ("n1/pm2_5: presence 0 of 6 hours",), ())
    world.pass_time(40)
    found = world.service.show(number)
    assert (found.state, found.back) == (states.PAUSED, 9)
    assert "presence 0 of 6 hours" in found.reason
    assert world.offered() == {9}
    world.answer(wire.SUCCEEDED)
    world.pass_time(20)
    assert world.service.show(number).counts()[wire.ROLLED_BACK] == 2
    with pytest.raises(UsageError, match="takes nodes back"):
        world.service.resume(number, scope=ADMIN)


def test_missing_key_for_the_way_back_is_said(world: World) -> None:
    world.key_is_here = False
    number = world.begin()
    world.answer(wire.SUCCEEDED)
    world.service.rollback(number, scope=ADMIN)
    world.pass_time(20)
    assert "no way back: expected release-1.key" in world.service.show(number).reason
    world.key_is_here = True
    world.pass_time(20)
    assert world.offered() == {9}


def test_retry_tries_those_again_that_failed_and_nobody_else(world: World) -> None:
    number = world.begin(take_back=False)
    world.answer(wire.FAILED)
    world.pass_time(20)
    assert world.service.show(number).state == states.PAUSED
    world.service.retry(number, scope=ADMIN)
    world.service.resume(number, scope=ADMIN)
    world.pass_time(10)
    assert {one.attempt for one in world.offers.standing()} == {1}
    for _ in range(8):
        world.answer(wire.SUCCEEDED)
        world.pass_time(20)
    assert world.service.show(number).counts() == {wire.SUCCEEDED: 6}


def test_pause_and_abort_withdraw_what_nobody_took(world: World) -> None:
    number = world.begin()
    world.service.pause(number, scope=ADMIN)
    world.pass_time(10)
    assert world.offers.standing() == []
    world.service.resume(number, scope=ADMIN)
    world.pass_time(10)
    assert len(world.offers.standing()) == 2
    world.service.abort(number, scope=ADMIN)
    world.pass_time(10)
    assert world.offers.standing() == []
    assert world.service.show(number).counts() == {states.CANCELLED: 6}


def test_release_that_failed_somewhere_is_not_offered_there_by_another_rollout(world: World) -> None:
    first = world.begin(take_back=False)
    failed = {one.node for one in world.offers.standing()}
    world.answer(wire.FAILED)
    world.pass_time(20)
    world.service.abort(first, scope=ADMIN)
    world.pass_time(10)
    second = world.begin()
    for _ in range(8):
        world.answer(wire.SUCCEEDED)
        world.pass_time(20)
    found = world.service.show(second)
    assert {name for name, one in found.updates.items() if one.state == states.SKIPPED} == failed
    assert found.state == states.FINISHED


def test_release_that_is_retired_under_way_pauses(world: World) -> None:
    number = world.begin()
    world.answer(wire.SUCCEEDED)
    world.retired = True
    world.pass_time(60)
    found = world.service.show(number)
    assert (found.state, "expected a release that is not retired" in found.reason) == (states.PAUSED, True)


def test_rollout_of_a_release_that_is_retired_is_neither_made_nor_started(world: World) -> None:
    made = world.service.create(Wanted(2, STAGES), scope=ADMIN)
    world.retired = True
    with pytest.raises(UsageError, match="not retired"):
        world.service.start(made.id, scope=ADMIN)
    with pytest.raises(UsageError, match="not retired"):
        world.service.create(Wanted(2, STAGES), scope=ADMIN)


def test_release_that_does_not_exist_makes_no_rollout(world: World) -> None:
    for wanted in (Wanted(10, STAGES), Wanted(2, STAGES, came_from=10)):
        with pytest.raises(UsageError, match="expected the number of a release, got 10"):
            world.service.create(wanted, scope=ADMIN)
    assert world.service.all() == []


def test_two_rollouts_share_no_node(world: World) -> None:
    world.begin()
    other = world.service.create(Wanted(3, STAGES), scope=ADMIN)
    with pytest.raises(UsageError, match="nodes of rollout 1"):
        world.service.start(other.id, scope=ADMIN)


def test_approval_comes_before_the_start_and_everything_is_audited(world: World) -> None:
    made = world.service.create(Wanted(2, STAGES, needs_approval=True), scope=ADMIN)
    with pytest.raises(UsageError, match="waiting_for_approval"):
        world.service.start(made.id, scope=ADMIN)
    world.service.approve(made.id, scope=ADMIN)
    world.service.start(made.id, scope=ADMIN)
    for what in ("pause", "resume", "retry", "rollback", "abort"):
        getattr(world.service, what)(made.id, scope=ADMIN)
    told = [entry.action for entry in world.audit.entries(subject=str(made.id))]
    words = ("create", "approve", "start", "pause", "resume", "retry", "rollback", "abort")
    assert told[::-1] == [f"rollout.{word}" for word in words]
    with pytest.raises(Forbidden, match="expected the role admin"):
        world.service.start(made.id, scope=Scope("vera", VIEWER))
    with pytest.raises(UsageError, match="expected the number of a rollout"):
        world.service.show(99)
