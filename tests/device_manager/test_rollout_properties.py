"""What must hold of a rollout whatever nodes, people and the gate do, in whatever order."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from device_manager.errors import UsageError
from device_manager.rollouts import states
from device_manager.rollouts.model import Judgement, Node, Rollout, Told
from device_manager.rollouts.planner import Offer, plan
from firmware.wire import releases as wire
from tests.device_manager.rollout_fleet import NOW_MS, nodes, rollout

_NODE = st.sampled_from([*wire.STATES, "lie", "offline", "online", "silent", "crash", "revert", "gone", "back"])
_PERSON = st.sampled_from(["pause", "resume", "rollback", "abort", "approve"])
_EVENT = st.one_of(
    st.tuples(st.just("node"), st.integers(0, 11), _NODE),
    st.tuples(st.just("node"), st.integers(0, 11), _NODE),
    st.tuples(st.just("time"), st.integers(1, 40_000_000), st.just("")),
    st.tuples(st.just("gate"), st.integers(0, 2), st.sampled_from(["good", "bad", "unknown"])),
    st.tuples(st.just("person"), st.just(0), _PERSON),
)


def _change(node: Node, what: str) -> Node:
    plain = {
        "offline": {"online": False},
        "online": {"online": True, "quiet_s": 0.0},
        "silent": {"quiet_s": 1e6},
        "crash": {"crashes": node.crashes + 1},
        "revert": {"release": 1},
        "back": {"release": 3},
        "lie": {"told": Told(2, 0, wire.SUCCEEDED)},
    }
    if what in plain:
        return node._replace(**plain[what])
    return node._replace(told=Told(2, 0, what, "word"), release=2 if what == wire.SUCCEEDED else node.release)


def _holds(before: Rollout, after: Rollout, offers: list[Offer]) -> None:
    assert after.counts().total() == len(after.updates)
    assert sum((after.counts(stage).total() for stage in range(len(after.stages))), 0) == len(after.updates)
    assert set(after.counts()) <= set(states.UPDATE_STATES)
    assert 0 <= after.stage - before.stage <= 1
    for one in after.updates.values():
        assert not one.offered_ms or one.stage <= after.stage
    for offer in offers:
        assert offer.number == after.back or after.updates[offer.node].stage <= after.stage
        assert offer.number == after.back or after.state == states.RUNNING
    if after.stage > before.stage:
        assert before.judgement is None or before.judgement.verdict != "bad"


@settings(max_examples=120, deadline=None)
@given(st.lists(_EVENT, max_size=60), st.booleans(), st.booleans())
def test_states_add_up_and_no_stage_is_passed_before_it_is_promoted(
    events: list[tuple[str, int, str]], gate: bool, approve: bool
) -> None:
    fleet = {node.name: node for node in nodes(12)}
    made, now_ms = rollout("2", "4", "all", gate=gate, approve_stages=approve, at_once=5), NOW_MS
    for kind, figure, what in [("time", 1, ""), *events]:
        name = f"n{figure:04}"
        if kind == "node" and what == "gone":
            fleet.pop(name, None)
        elif kind == "node" and name in fleet:
            fleet[name] = _change(fleet[name], what)
        elif kind == "time":
            now_ms += figure
        elif kind == "gate":
            made = replace(made, judgement=Judgement(min(figure, made.stage), now_ms, what, ("finding",)))
        elif kind == "person":
            try:
                made = replace(made.after(what), wants_back=made.wants_back or what == "rollback")
            except UsageError:
                continue
        before = made
        made, actions = plan(before, list(fleet.values()), now_ms)
        _holds(before, made, [action for action in actions if isinstance(action, Offer)])
        again = plan(made, list(fleet.values()), now_ms).rollout
        assert again.counts().total() == made.counts().total()


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 60))
def test_same_nodes_in_another_order_give_the_same_step(shuffle: random.Random, count: int) -> None:
    fleet = nodes(count)
    other = fleet[:]
    shuffle.shuffle(other)
    made = rollout("3", "20%", "all")
    assert plan(made, fleet, NOW_MS) == plan(made, other, NOW_MS)
