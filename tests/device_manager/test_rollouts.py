"""The planner of rollouts: stages, conditions, what counts, what waits; and the known faults of other engines."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from device_manager.errors import UsageError
from device_manager.rollouts import states
from device_manager.rollouts.buckets import assign, order
from device_manager.rollouts.model import Condition, Node, Rollout, Told, bad, parse_condition, parse_stage
from device_manager.rollouts.planner import Offer, plan
from device_manager.rollouts.windows import is_open
from firmware.wire import releases as wire
from tests.device_manager.rollout_fleet import NOW_MS, World, good, nodes, rollout


def fails(state: str) -> object:
    """A behaviour: the update ends in that state at once."""
    return lambda node, number, hours: node._replace(told=Told(number, node.told.attempt, state, "why"))


def test_good_release_goes_stage_by_stage_to_everybody() -> None:
    world = World(rollout("3", "50%", "all"), nodes(20))
    seen = []
    for _ in range(20):
        world.hour()
        seen.append(len(world.got))
    assert [seen[i] for i in range(len(seen)) if i == 0 or seen[i] != seen[i - 1]] == [3, 13, 20]
    assert world.rollout.state == states.FINISHED
    assert world.rollout.counts() == {wire.SUCCEEDED: 20}


@pytest.mark.parametrize("state", [wire.FAILED, wire.ROLLED_BACK, wire.REJECTED])
def test_bad_ends_stop_at_the_canary(state: str) -> None:
    world = World(rollout("5", "all"), nodes(50), fails(state)).hour(100)  # type: ignore[arg-type]
    assert (world.rollout.state, len(world.got)) == (states.PAUSED, 5)
    assert f"5 {state}" in world.rollout.reason


def test_node_that_dies_while_downloading_counts_as_timed_out_and_stops() -> None:
    """hawkbit#693: a device that dies while proceeding never counts there."""

    def dies(node: Node, number: int, hours: int) -> Node:
        return node._replace(told=Told(number, 0, wire.DOWNLOADING), online=False, quiet_s=3600.0 * hours)

    world = World(rollout("5", "all"), nodes(50), dies).hour(100)
    assert (world.rollout.state, len(world.got)) == (states.PAUSED, 5)
    assert world.rollout.counts()[states.TIMED_OUT] == 5


def test_connected_node_that_never_answers_counts_as_timed_out() -> None:
    world = World(rollout("2", "all"), nodes(20), lambda node, number, hours: node).hour(30)
    assert world.rollout.counts()[states.TIMED_OUT] == 2
    assert world.rollout.state == states.PAUSED


def test_offline_nodes_wait_and_hold_up_nobody() -> None:
    """hawkbit#693: percent of a group with offline members never comes about there."""
    fleet = [node._replace(online=False) if index % 2 else node for index, node in enumerate(nodes(40))]
    world = World(rollout("10", "all"), fleet).hour(50)
    assert world.rollout.stage == 1
    assert world.rollout.counts() == {wire.SUCCEEDED: 20, states.QUEUED: 20}
    assert world.rollout.state == states.RUNNING
    world.nodes = {name: node._replace(online=True) for name, node in world.nodes.items()}
    assert world.hour(5).rollout.state == states.FINISHED


def test_success_by_report_while_the_version_did_not_change_is_none() -> None:
    """TasmoAdmin#407, thingsboard#10191: the report is believed there."""
    lies = lambda node, number, hours: node._replace(told=Told(number, 0, wire.SUCCEEDED))  # noqa: E731  # one line
    world = World(rollout("5", "all"), nodes(20), lies).hour(3)
    assert world.rollout.counts(0) == {wire.CONFIRMING: 5}
    world.hour(20)
    assert world.rollout.counts(0) == {states.TIMED_OUT: 5}
    assert {one.reason for one in world.rollout.updates.values() if one.stage == 0} == {
        "confirming and no end within 6 h"
    }
    assert world.rollout.state == states.PAUSED


def test_one_of_one_is_no_reason_to_stop_where_a_minimum_says_so() -> None:
    assert not Condition(percent=5, minimum=20).holds(1, 1, 100)
    assert Condition(percent=5, minimum=20).holds(1, 20, 100)
    assert Condition(percent=5, minimum=20).holds(1, 4, 4)
    assert Condition(count=2).holds(2, 2, 100)


def test_node_that_crashes_after_it_was_proven_stops_and_is_taken_back() -> None:
    def crashes(node: Node, number: int, hours: int) -> Node:
        return good(node, number, hours)._replace(crashes=max(0, hours - 1))

    world = World(rollout("5", "all", soak_s=24 * 3600), nodes(50), crashes).hour(20)
    assert (world.rollout.state, len(world.got)) == (states.PAUSED, 5)
    assert {node.release for node in world.nodes.values()} == {1, 3}
    assert bad(world.rollout.counts()) == 5
    assert "crashed" in "".join(one.reason for one in world.rollout.updates.values())


def test_updated_node_that_falls_silent_stops_and_a_place_without_network_does_not() -> None:
    def silent(node: Node, number: int, hours: int) -> Node:
        return good(node, number, hours)._replace(quiet_s=3600.0 * hours)

    world = World(rollout("5", "all", soak_s=24 * 3600), nodes(50), silent).hour(10)
    assert (world.rollout.state, len(world.got)) == (states.PAUSED, 5)
    outage = World(rollout("5", "all", soak_s=24 * 3600), nodes(50), silent)
    outage.hour(2)
    outage.nodes = {name: node._replace(quiet_s=9000.0) for name, node in outage.nodes.items()}
    assert outage.hour(1).rollout.state == states.RUNNING


def test_silent_revert_counts_as_rolled_back() -> None:
    """ApolloAutomation/PLT-1#73: nodes that went back hours later were never noticed."""
    world = World(rollout("5", "all", soak_s=24 * 3600), nodes(20)).hour(2)
    world.behave = lambda node, number, hours: node._replace(release=1)
    assert world.hour(2).rollout.counts(0) == {wire.ROLLED_BACK: 5}


def test_manager_that_was_away_counts_its_absence_against_nobody() -> None:
    busy = lambda node, number, hours: node._replace(told=Told(number, 0, wire.CONFIRMING))  # noqa: E731  # one line
    world = World(rollout("5", "all"), nodes(20), busy).hour(2)
    world.now_ms += 48 * 3_600_000
    world.behave = good
    world.nodes = {name: node._replace(quiet_s=48 * 3600.0) for name, node in world.nodes.items()}
    world.step()
    assert bad(world.rollout.counts()) == 0


def test_bad_gate_pauses_names_its_finding_and_takes_back() -> None:
    world = World(rollout("5", "all", gate=True), nodes(20))
    world.verdict = "bad"
    world.hour(10)
    assert "n0001/pm2_5: presence 0 of 6 hours" in world.rollout.reason
    assert len(world.got) == 5
    assert {node.release for node in world.nodes.values()} == {1, 3}


def test_unknown_gate_waits() -> None:
    world = World(rollout("5", "all", gate=True), nodes(20))
    world.verdict = "unknown"
    assert (world.hour(100).rollout.stage, len(world.got)) == (0, 5)
    world.verdict = "good"
    assert world.hour(10).rollout.state == states.FINISHED


def test_stage_waits_for_approval() -> None:
    world = World(rollout("5", "all", approve_stages=True), nodes(20)).hour(50)
    assert (world.rollout.stage, world.rollout.reason) == (0, "waits for approval of stage 2")
    world.rollout = replace(world.rollout.after("approve"), approved=1)
    assert world.hour(5).rollout.state == states.FINISHED


def test_late_nodes_join_the_last_stage_and_vanished_ones_are_cancelled() -> None:
    world = World(rollout("5", "all", soak_s=10 * 3600), nodes(20)).hour(2)
    world.nodes["new"] = Node("new", release=1, online=True)
    gone = next(name for name, one in world.rollout.updates.items() if one.stage == 1)
    del world.nodes[gone]
    world.hour(1)
    assert world.rollout.updates["new"].stage == 1
    assert world.rollout.updates[gone].state == states.CANCELLED
    assert world.until_over().rollout.counts()[wire.SUCCEEDED] == 20


def test_deferred_node_says_why_and_does_not_block() -> None:
    defers = lambda node, number, hours: (  # noqa: E731  # one line
        node._replace(told=Told(number, 0, wire.DEFERRED, "flash is busy"))
        if node.name == first
        else good(node, number, hours)
    )
    first = order(1, nodes(20))[0].name
    world = World(rollout("5", "all"), nodes(20), defers).hour(30)
    assert world.rollout.updates[first].reason == "flash is busy"
    assert world.rollout.counts() == {wire.SUCCEEDED: 19, wire.DEFERRED: 1}


def test_quarantined_and_updated_nodes_are_skipped_with_the_reason() -> None:
    fleet = nodes(6)
    fleet[0] = fleet[0]._replace(quarantined=frozenset([2]))
    fleet[1] = fleet[1]._replace(release=2)
    world = World(rollout("all"), fleet).hour(5)
    assert world.rollout.counts() == {wire.SUCCEEDED: 4, states.SKIPPED: 2}
    assert "failed here before" in world.rollout.updates["n0000"].reason
    assert "n0000" not in world.got


def test_offers_are_made_in_the_window_of_the_nodes_zone_only() -> None:
    noon = int(datetime.datetime(2026, 7, 1, 10, tzinfo=datetime.UTC).timestamp() * 1000)
    assert is_open("12:00-13:00", "Europe/Berlin", noon)
    assert not is_open("12:00-13:00", "Europe/London", noon)
    assert is_open("22:00-12:01", "Europe/Berlin", noon)
    made = rollout("5", "all", window="22:00-05:00")
    assert plan(made, nodes(20), noon).actions == []
    assert len(plan(made, nodes(20), noon + 12 * 3_600_000).actions) == 5


def test_canaries_are_stable_and_spread_over_board_district_and_supply() -> None:
    fleet = nodes(200)
    stages = tuple(map(parse_stage, ("4", "all")))
    chosen = [name for name, stage in assign(7, stages, fleet).items() if stage == 0]
    assert chosen == [name for name, stage in assign(7, stages, fleet[::-1]).items() if stage == 0]
    picked = [node for node in fleet if node.name in chosen]
    assert len({node.district for node in picked}) == 4
    assert len({node.board for node in picked}) == 3
    assert len({node.supply for node in picked}) == 2
    assert chosen != [name for name, stage in assign(8, stages, fleet).items() if stage == 0]


def test_group_stage_takes_its_members() -> None:
    fleet = [node._replace(groups=frozenset(["mitte"])) if node.name < "n0003" else node for node in nodes(10)]
    found = assign(1, tuple(map(parse_stage, ("group:mitte", "all"))), fleet)
    assert {name for name, stage in found.items() if stage == 0} == {"n0000", "n0001", "n0002"}


def test_no_more_than_allowed_are_on_the_way_at_once() -> None:
    step = plan(rollout("all", at_once=7), nodes(50), NOW_MS)
    assert len([action for action in step.actions if isinstance(action, Offer)]) == 7


def test_wrong_texts_are_refused() -> None:
    for text in ("0", "0%", "101%", "mitte", ""):
        with pytest.raises(UsageError, match="expected a stage"):
            parse_stage(text)
    with pytest.raises(UsageError, match="expected a condition"):
        parse_condition("many")
    with pytest.raises(UsageError, match="in a state to resume it, got 1, draft; what can be done now: abort, start"):
        Rollout(1, 2).after("resume")


def test_every_state_of_the_node_has_its_place_in_the_table() -> None:
    for word in wire.STATES:
        assert word in states.UPDATE_STATES
    assert set(states.UPDATE.values()) | {states.QUEUED} <= set(states.UPDATE_STATES)
