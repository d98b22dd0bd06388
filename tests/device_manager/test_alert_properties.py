"""Properties of conditions and groups, over whatever a fleet may show."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from device_manager.monitoring.condition import (
    ACTIVE,
    BAD,
    BETWEEN,
    CLEARING,
    GOOD,
    OK,
    PENDING,
    TABLE,
    UNKNOWN,
    Condition,
    step,
)
from device_manager.monitoring.grouping import Held, Subject, group
from device_manager.monitoring.rules import Rule, shipped

RULES = list(shipped().values())
PLAIN = [rule for rule in RULES if not rule.over_s]
VALUES = st.one_of(st.none(), st.floats(-200, 30_000, allow_nan=False))
SEEN = st.lists(st.tuples(VALUES, st.integers(1, 600)), max_size=60)


def run(rule: Rule, seen: list[tuple[float | None, int]]) -> list[tuple[int, Condition]]:
    """Return (time in ms, condition) after each look."""
    condition, now_ms, found = Condition(), 0, []
    for value, seconds in seen:
        now_ms += 1000 * seconds
        condition = step(rule, condition, value, now_ms)
        found.append((now_ms, condition))
    return found


def test_table_knows_every_state_and_sight() -> None:
    states, sights = (OK, PENDING, ACTIVE, CLEARING), (BAD, BETWEEN, GOOD, UNKNOWN)
    assert set(TABLE) == {(state, sight) for state in states for sight in sights}


@given(st.sampled_from(PLAIN), SEEN)
def test_between_the_limits_no_alert_begins_and_none_ends(rule: Rule, seen: list[tuple[float | None, int]]) -> None:
    before = Condition()
    for (value, _), (_, after) in zip(seen, run(rule, seen), strict=True):
        if value is None or not (rule.is_bad(value) or rule.is_good(value)):
            assert after.holds == before.holds
        if after.holds and not before.holds:
            assert value is not None and rule.is_bad(value)
        if before.holds and not after.holds:
            assert value is not None and rule.is_good(value)
        before = after


@given(st.sampled_from(RULES), SEEN)
def test_alerts_of_one_condition_are_apart_by_its_times(rule: Rule, seen: list[tuple[float | None, int]]) -> None:
    begins, ends, before = [], [], Condition()
    for now_ms, after in run(rule, seen):
        if after.holds and not before.holds:
            begins.append(now_ms)
            assert now_ms - after.since_ms >= 1000 * rule.for_s
        if before.holds and not after.holds:
            ends.append(now_ms)
            assert now_ms - before.since_ms >= 1000 * rule.clear_for_s
        before = after
    for end_ms, begin_ms in zip(ends, begins[1:], strict=False):
        assert begin_ms - end_ms >= 1000 * rule.for_s


@given(st.sampled_from(PLAIN), st.integers(1, 30))
def test_figure_that_swings_faster_than_its_times_makes_at_most_one_alert(rule: Rule, swings: int) -> None:
    bad = rule.create + 1 if rule.above is not None else rule.create - 1
    seen: list[tuple[float | None, int]] = [(bad, 10_000), (bad, 10_000)]
    period_s = max(1, int(rule.clear_for_s) - 1)
    seen += [(value, period_s) for _ in range(swings) for value in (rule.clear, bad)]
    states = [after.holds for _, after in run(rule, seen)]
    if rule.clear_for_s > 1:
        assert sum(later and not earlier for earlier, later in zip([False, *states], states, strict=False)) <= 1


@given(st.sampled_from(RULES), SEEN)
def test_every_alert_ends_when_the_figure_stays_good(rule: Rule, seen: list[tuple[float | None, int]]) -> None:
    last = next((value for value, _ in reversed(seen) if value is not None), 0.0)
    quiet = last if rule.over_s else rule.clear
    step_s = int(max(rule.clear_for_s, rule.over_s)) + 1
    after = run(rule, [*seen, *[(quiet, step_s)] * 4])
    assert not after[-1][1].holds


@given(st.lists(st.tuples(st.integers(1, 600), st.integers(0, 5)), max_size=40))
def test_counter_is_judged_by_its_growth_and_may_start_again(rises: list[tuple[int, int]]) -> None:
    rule = shipped()["node-lost-records"]
    total, seen = 0.0, []
    for seconds, rise in rises:
        total = 0.0 if rise == 5 else total + rise  # a fifth of them: the counter starts again
        seen.append((total, seconds))
    assert all((after.value or 0) >= 0 for _, after in run(rule, [*seen]))


NODES = st.integers(0, 30).map(lambda number: f"n{number:02}")
HELD = st.builds(
    Held,
    rule=st.sampled_from([rule.name for rule in RULES if rule.on != "manager"]),
    subject=st.builds(Subject, NODES, st.just("")),
    since_ms=st.integers(0, 1000),
    active_ms=st.integers(0, 1000),
    value=st.none(),
    worst=st.none(),
)
BROKER = Held("broker-down", Subject(""), 0, 0, 1.0, 1.0)


@given(st.lists(HELD, max_size=80, unique_by=lambda one: (one.rule, one.subject)), st.booleans(), st.integers(1, 5),
       st.dictionaries(st.tuples(st.just("node-silent"), NODES), st.just("district d0"), max_size=5))  # fmt: skip
def test_grouping_conserves_every_condition(
    held: list[Held], broker: bool, districts: int, before: dict[tuple[str, str], str]
) -> None:
    held = [*held, BROKER] if broker else held
    where = {f"n{number:02}": f"d{number % districts}" for number in range(31)}
    groups = group(held, shipped(), where, before)
    told = Counter((one.rule, one.subject) for found in groups for one in (*found.held, *found.explained))
    assert told == Counter((one.rule, one.subject) for one in held)
    assert {node for found in groups for node in found.nodes} == {one.subject.node for one in held} - {""}


@given(st.sets(NODES, min_size=1))
def test_whatever_nodes_are_silent_a_broker_outage_is_one_group(nodes: set[str]) -> None:
    held = [Held("node-silent", Subject(node), 0, 0, 900.0, 900.0) for node in nodes]
    groups = group([BROKER, *held], shipped(), {f"n{number:02}": "d0" for number in range(31)}, {})
    assert [found.rule for found in groups] == ["broker-down"]
