"""The data-quality gate: what it finds in bad releases, what it leaves alone, when it says nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from device_manager.quality import Channel
from device_manager.rollouts.gate import Updated, judge

DAY_S, HOUR_S = 86_400, 3600
AT_S = 1_760_000_400 // HOUR_S * HOUR_S
UNTIL_S = AT_S + 12 * HOUR_S
NODES = ("n1", "n2", "n3", "n4")


def channel(node: str, quantity: str, seed: int = 0) -> Channel:
    """A week and half a day of a quantity with days, weather and noise, a record each five minutes."""
    chance = np.random.default_rng([seed, NODES.index(node), len(quantity)])
    times = np.arange(AT_S - 7 * DAY_S, UNTIL_S, 300)
    day = 1 + 0.3 * np.sin(2 * np.pi * times / DAY_S)
    if quantity.startswith("footfall"):
        value = chance.poisson(20 * day).astype(float)
    else:
        value = {"pm2_5": 12.0, "laeq": 55.0}[quantity] * day ** (0.3 if quantity == "laeq" else 1.0)
        value = value + chance.normal(0, 2.0, len(times))
    return Channel(node, quantity, times, value, interval_s=300.0, sensor="s")


def fleet() -> list[Channel]:
    """Four nodes; n1 is the updated one."""
    return [channel(node, q) for node in NODES for q in ("pm2_5", "laeq", "footfall_in", "footfall_out")]


def after(channels: list[Channel], quantity: str, factor: float | None) -> list[Channel]:
    """Change what n1 measures of a quantity after the update: nothing comes (None), or the value times a factor."""
    changed = []
    for one in channels:
        if one.node == "n1" and one.quantity == quantity:
            new = one.start_s >= AT_S
            value = np.full(len(one.value), np.nan) if factor is None else one.value * factor
            one = replace(one, value=np.where(new, value, one.value))
        changed.append(one)
    return changed


def verdict(channels: list[Channel], until_s: int = UNTIL_S) -> tuple[str, str]:
    """The gate's verdict and its findings in one text."""
    judged = judge([Updated("n1", AT_S)], channels, {"n1": NODES[1:]}, until_s)
    return judged.verdict, "; ".join(judged.findings)


def test_release_that_changes_nothing_is_good() -> None:
    assert verdict(fleet()) == ("good", "")


def test_vanished_particulates_are_found_while_everything_else_goes_on() -> None:
    found, text = verdict(after(fleet(), "pm2_5", None))
    assert found == "bad"
    assert "n1/s/pm2_5: presence 0 of 12 hours" in text


@pytest.mark.parametrize(
    ("quantity", "factor", "what"),
    [("footfall_in", 3.0, "level"), ("laeq", 0.0, "spread"), ("pm2_5", 6.0, "level against neighbours")],
)
def test_wrong_values_are_found_and_named(quantity: str, factor: float, what: str) -> None:
    found, text = verdict(after(fleet(), quantity, factor))
    assert found == "bad"
    assert f"n1/s/{quantity}: {what} moved by" in text
    assert "allowed" in text


def test_direction_of_people_that_turned_is_found() -> None:
    found, text = verdict(after(fleet(), "footfall_out", 0.2))
    assert found == "bad"
    assert "balance" in text


def test_sensor_that_was_dead_before_does_not_stop_a_release() -> None:
    dead = [
        replace(one, value=np.full(len(one.value), np.nan)) if (one.node, one.quantity) == ("n1", "pm2_5") else one
        for one in fleet()
    ]
    assert verdict(dead) == ("good", "")


def test_too_few_hours_say_nothing_and_what_still_waits_in_the_node_is_no_gap() -> None:
    found, text = verdict(fleet(), AT_S + 4 * HOUR_S)
    assert (found, text) == ("unknown", "n1: 4 whole hours of readings since its update, 6 are needed")
    late = [one.between(0, AT_S + 8 * HOUR_S) if one.node == "n1" else one for one in fleet()]
    assert verdict(late) == ("good", "")
    silent = [one.between(0, AT_S) if one.node == "n1" else one for one in fleet()]
    assert verdict(silent)[0] == "unknown"


def floors(kb_at_update: float, kb_an_hour: float) -> dict[str, list[tuple[int, float]]]:
    """Least free memory of n1 each 15 minutes: a week at 60 kB after a restart's fall, then after the update."""
    before = [
        (at_s, 1024 * (90.0 if at_s < AT_S - 7 * DAY_S + 1800 else 60.0)) for at_s in range(AT_S - 7 * DAY_S, AT_S, 900)
    ]
    after = [(at_s, 1024 * (kb_at_update - kb_an_hour * (at_s - AT_S) / HOUR_S)) for at_s in range(AT_S, UNTIL_S, 900)]
    return {"n1": [*before[4:], *after]}


@pytest.mark.parametrize(
    ("kb_at_update", "kb_an_hour", "found"),
    [(60, 0, ""), (30, 0, ""), (60, 0.1, ""), (60, 3, "fell by 30.0 kB in 11 hours to 24.8 kB, 8 hours are left")],
)
def test_memory_that_falls_on_and_on_is_found_and_a_release_that_needs_more_is_left_alone(
    kb_at_update: float, kb_an_hour: float, found: str
) -> None:
    judged = judge([Updated("n1", AT_S)], fleet(), {"n1": NODES[1:]}, UNTIL_S, floors(kb_at_update, kb_an_hour))
    assert judged.verdict == ("bad" if found else "good"), judged.findings
    assert found in "; ".join(judged.findings)


def test_memory_that_fell_as_much_before_is_not_the_fault_of_the_release() -> None:
    fell = [(at_s, 90_000.0 - (at_s - AT_S + DAY_S) / 2) for at_s in range(AT_S - DAY_S, AT_S, 900)]
    known = {"n1": [*fell, *floors(60, 1.7)["n1"][-48:]]}
    judged = judge([Updated("n1", AT_S)], fleet(), {"n1": NODES[1:]}, UNTIL_S, known)
    assert judged.verdict == "good", judged.findings
