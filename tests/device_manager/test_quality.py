"""Each rule on series made for it: the fault is found and named, and what only looks like it is left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_manager.quality import LIMITS, Channel, Finding, check
from device_manager.quality.crowds import crowds
from device_manager.quality.finding import RULES, merged
from device_manager.quality.limits import read
from firmware.wire import quality as flags
from firmware.wire.quantities import QUANTITIES

DAY, HOUR = 86_400, 3_600
START = 1_767_225_600  # 2026-01-01T00:00:00Z, a Thursday


def times(days: float, interval_s: int = 60) -> np.ndarray:
    return START + np.arange(0, int(days * DAY), interval_s, dtype=np.int64)


def noise(size: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=size)


def temperature(days: float = 3, interval_s: int = 60, node: str = "n") -> Channel:
    at = times(days, interval_s)
    values = 8 + 6 * np.sin((at % DAY - 8 * HOUR) * 2 * np.pi / DAY) + 0.1 * noise(len(at))
    return Channel(node, "temperature", at, np.round(values, 1))


def particles(days: float = 3, node: str = "n", seed: int = 1) -> Channel:
    at = times(days)
    slow = np.convolve(noise(len(at), seed), np.ones(120) / 120, mode="same") * 8
    return Channel(node, "pm2_5", at, np.round(np.exp(2 + 0.5 * slow + 0.1 * noise(len(at), seed + 9)), 1))


def street(days: float, seed: int = 1) -> Channel:
    at = times(days)
    hours = at % DAY / HOUR
    values = 50 + 8 * np.sin((hours - 8) * 2 * np.pi / 24) + 2 * noise(len(at), seed)
    return Channel("n", "laeq", at, np.round(values, 1))


def gate(weeks: int = 6, seed: int = 1) -> Channel:
    at = times(7 * weeks, HOUR)
    hours = at % DAY // HOUR
    usual = 5 + 300 * np.clip(np.sin((hours - 6) * np.pi / 16), 0, None)
    rng = np.random.default_rng(seed)
    return Channel("n", "footfall_in", at, rng.poisson(usual * rng.gamma(20, 1 / 20, len(at))).astype(float))


def rules(found: list[Finding]) -> set[str]:
    return {one.rule for one in found}


@pytest.mark.parametrize("channel", [temperature(), particles(), street(9), gate()], ids=lambda c: c.quantity)
def test_check_of_a_good_series_finds_nothing(channel: Channel) -> None:
    assert check([channel]) == []


def test_check_of_nothing_finds_nothing() -> None:
    empty = Channel("n", "pm2_5", np.zeros(0, dtype=np.int64), np.zeros(0))
    assert check([]) == []
    assert check([empty]) == []


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_limits_name_every_quantity_of_the_wire(quantity: str) -> None:
    assert quantity in LIMITS


def test_limits_with_a_strange_key_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"\[pm10\].*got \['hihg'\]"):
        read("[pm10]\nhihg = 3\n")


def test_channel_with_equal_times_is_refused() -> None:
    with pytest.raises(ValueError, match="expected rising times in n/pm10"):
        Channel("n", "pm10", np.array([5, 5]), np.array([1.0, 2.0]))


def test_outage_of_three_hours_is_found_with_its_length() -> None:
    channel = particles()
    gone = (channel.start_s >= START + 30 * HOUR) & (channel.start_s < START + 33 * HOUR)
    (found,) = check([channel.where(~gone)])
    assert (found.rule, found.channel, round(found.value, 1), found.count) == ("missing", "n", 3.0, 180)
    assert (found.start_s, found.end_s) == (START + 30 * HOUR, START + 33 * HOUR)


def test_outage_of_one_channel_is_named_after_it_and_one_of_all_after_the_node() -> None:
    both = [particles(), temperature()]
    one_gone = [both[0].where(both[0].start_s >= START + 5 * HOUR), both[1]]
    assert check(one_gone) == []  # a channel that begins later is no outage
    gap = (both[0].start_s < START + 20 * HOUR) | (both[0].start_s >= START + 22 * HOUR)
    assert [f.channel for f in check([both[0].where(gap), both[1]]) if f.rule == "missing"] == ["n/pm2_5"]
    assert [f.channel for f in check([c.where(gap) for c in both]) if f.rule == "missing"] == ["n"]


def test_day_with_a_fifth_of_the_records_lost_is_thin() -> None:
    channel = particles()
    lost = np.random.default_rng(3).random(len(channel.value)) < 0.2
    found = check([channel.where(~lost)])
    assert rules(found) == {"thin"}
    assert found[0].count == pytest.approx(0.2 * len(lost), rel=0.1)


def test_gap_of_all_nodes_at_once_is_on_the_receiving_side() -> None:
    nodes = [particles(node=name, seed=i) for i, name in enumerate("abcd")]
    gap = (nodes[0].start_s < START + 30 * HOUR) | (nodes[0].start_s >= START + 30 * HOUR + 900)
    (found,) = check([node.where(gap) for node in nodes])
    assert (found.rule, found.channel, found.count) == ("receiver", "fleet", 4)
    assert check([*[node.where(gap) for node in nodes[:3]], nodes[3]]) == []


@pytest.mark.parametrize(("value", "rule"), [(-144.8, "range"), (163.8, "range")])
def test_value_that_cannot_be_is_out_of_range(value: float, rule: str) -> None:
    channel = temperature()
    channel.value[500] = value
    (found,) = check([channel])
    assert (found.rule, found.value, found.count) == (rule, value, 1)
    assert f"as far as {value:g}" in found.text


def test_many_equal_values_out_of_range_are_called_stuck() -> None:
    at = times(2)
    values = np.where(np.arange(len(at)) % 40 == 0, 1.0, np.round(70 + 5 * noise(len(at)), 1))
    found = check([Channel("n", "relative_humidity", at, values)])
    assert [one.rule for one in found] == ["stuck"]
    assert "72 values below 5 %, 72 of them exactly 1" in found[0].text


def test_flagged_value_is_not_judged_twice() -> None:
    channel = temperature()
    channel.value[500], channel.flags[500] = 163.8, flags.OUT_OF_RANGE
    assert check([channel]) == []


def test_sensor_that_repeats_itself_for_seven_hours_is_stuck() -> None:
    channel = temperature()
    channel.value[600 : 600 + 7 * 60] = 4.2
    (found,) = check([channel])
    assert (found.rule, round(found.value, 1), found.limit, found.unit) == ("stuck", 7.0, 6.0, "h")


def test_coarse_sensor_may_stand_longer() -> None:
    channel = temperature()
    assert check([replace(channel, value=np.round(channel.value))]) == []


def test_clean_air_at_the_lowest_step_is_not_stuck() -> None:
    channel = particles()
    channel.value[600 : 600 + 10 * 60] = channel.value.min()
    assert check([channel]) == []


def test_saturated_air_is_not_stuck_while_its_temperature_agrees() -> None:
    air = temperature()
    fog = Channel("n", "relative_humidity", air.start_s, np.full(len(air.value), 99.9))
    still = replace(air, value=8 + (air.value - 8) / 3)
    assert check([fog, still]) == []
    found = check([fog, air])
    assert [(one.channel, one.rule) for one in found] == [("n/relative_humidity", "stuck")]
    assert found[0].value > found[0].limit == 2.0


def test_humidity_at_the_end_of_its_scale_for_eight_days_is_stuck_whatever_the_air_does() -> None:
    at = times(8.5, 300)
    assert rules(check([Channel("n", "relative_humidity", at, np.full(len(at), 99.9))])) == {"stuck"}


def test_microphone_that_hears_itself_is_flat() -> None:
    at = times(3)
    (found,) = check([Channel("n", "laeq", at, np.round(33 + 0.1 * noise(len(at)), 1))])
    assert (found.rule, found.limit) == ("flat", 2.0)


def test_pm2_5_above_pm10_is_an_exchange() -> None:
    fine = particles()
    coarse = replace(fine, quantity="pm10", value=fine.value * 1.5)
    assert check([fine, coarse]) == []
    found = check([replace(fine, value=coarse.value), replace(coarse, value=fine.value)])
    assert [(one.channel, one.rule) for one in found] == [("n/pm2_5", "order")]


def test_single_spike_is_air_and_spikes_all_day_are_a_fault() -> None:
    channel = particles()
    channel.value[700] = 900.0
    assert check([channel]) == []
    channel.value[720 : 720 + 600 : 37] = 900.0
    (found,) = check([channel])
    assert found.rule == "spikes"
    assert "up to 900" in found.text


def test_fireworks_are_no_fault() -> None:
    """Three hours of bursts up to 1400 that last for minutes each, as on New Year's Eve."""
    channel = particles()
    for start in range(1440, 1440 + 180, 12):
        channel.value[start : start + 9] += 1400 * np.exp(-np.arange(9) / 3)
    assert check([channel]) == []


def test_dust_that_lasts_for_a_day_is_no_fault() -> None:
    channel = particles()
    channel.value[1000:2400] += 180 * np.sin(np.linspace(0, np.pi, 1400))
    assert check([channel]) == []


def test_temperature_that_jumps_and_comes_back_is_found() -> None:
    channel = temperature()
    channel.value[900] += 20
    (found,) = check([channel])
    assert (found.rule, found.count) == ("jump", 1)


def test_cold_front_is_no_jump() -> None:
    channel = temperature()
    channel.value[900:] -= 10
    assert check([channel]) == []


def test_counter_switched_off_at_noon_is_found() -> None:
    channel = gate()
    noon = 10 * 24 + 12
    channel.value[noon : noon + 3] = 0
    (found,) = check([channel])
    assert (found.rule, found.count, found.start_s) == ("off", 3, START + noon * HOUR)
    assert found.limit > 500


def test_quiet_night_is_no_fault_of_a_counter() -> None:
    channel = gate()
    channel.value[np.isin(channel.start_s % DAY // HOUR, (2, 3))] = 0
    assert check([channel]) == []


def test_closed_day_that_fades_is_no_fault_of_a_counter() -> None:
    channel = gate()
    channel.value[14 * 24 - 2 : 15 * 24 + 6] = 0  # from 22 h, when hardly anybody comes, to 6 h of the day after
    assert check([channel]) == []


def test_week_of_nobody_is_found() -> None:
    channel = gate()
    channel.value[14 * 24 - 2 : 22 * 24 + 6] = 0
    assert rules(check([channel])) == {"off"}


def test_counter_that_counts_everybody_three_times_is_found() -> None:
    good = gate(weeks=6)
    late = good.start_s >= good.start_s[0] + 5 * 7 * DAY
    tripled = replace(good, value=np.where(late, 3 * good.value, good.value))
    found = crowds(tripled)
    assert {one.rule for one in found} == {"crowd"}
    assert all(2.5 < one.value < 3.5 for one in found)
    assert 0 < found[0].end_s - good.start_s[late][0] <= 7 * DAY
    assert crowds(good) == []


def test_fair_that_fills_ten_hours_of_a_day_is_no_fault_of_a_counter() -> None:
    good = gate(weeks=6)
    day, hour = (good.start_s - good.start_s[0]) // DAY, good.start_s % DAY // HOUR
    fair = np.isin(day, (37, 38)) & (hour >= 12) & (hour < 22)
    assert crowds(replace(good, value=np.where(fair, 4 * good.value, good.value))) == []


def test_totals_of_a_counter_are_judged_by_the_people_in_them() -> None:
    hourly = gate()
    hourly.value[250:253] = 0
    totals = replace(hourly, value=np.mod(2.0**29 - 50_000 + np.cumsum(hourly.value), 2**29), is_total=True)
    assert [one.rule for one in check([totals])] == ["off"]


def test_street_with_a_wrong_clock_has_its_day_at_night() -> None:
    channel = street(8)
    assert rules(check([channel], zone="UTC")) == set()
    assert rules(check([channel], zone="Pacific/Auckland")) == {"pattern"}


def test_street_shifted_by_six_hours_against_its_past_is_found() -> None:
    channel = street(28)
    late = channel.start_s >= START + 21 * DAY
    shifted = np.where(late, np.roll(channel.value, 6 * 60), channel.value)
    found = check([replace(channel, value=shifted)])
    assert rules(found) == {"pattern"}
    assert found[0].value == -6
    assert "only when it is moved by -6 h" in found[0].text


def test_quiet_level_that_drops_by_ten_is_drift() -> None:
    channel = street(35)
    deaf = np.where(channel.start_s >= START + 28 * DAY, channel.value - 10, channel.value)
    found = check([replace(channel, value=deaf)])
    assert rules(found) == {"drift"}
    assert found[0].value == pytest.approx(-10, abs=0.5)


def test_two_sensors_side_by_side_that_differ_are_found_only_as_a_pair() -> None:
    one, other = temperature(4, node="a"), temperature(4, node="b")
    other = replace(other, value=other.value + 6)
    assert check([one, other]) == []
    found = check([one, other], pairs=[("a", "b")])
    assert [(f.channel, f.rule) for f in found] == [("a/temperature", "pair")]
    assert found[0].count >= 3


def test_node_that_leaves_its_neighbours_drifts_and_weather_does_not() -> None:
    nodes = [temperature(28, 600, node) for node in "abc"]
    spring = 10 * np.arange(len(nodes[0].value)) / len(nodes[0].value)
    warmer = [replace(node, value=node.value + spring) for node in nodes]
    assert check(warmer) == []
    warmer[0].value[warmer[0].start_s >= START + 21 * DAY] += 7
    found = check(warmer)
    assert [(one.channel, one.rule) for one in found] == [("a/temperature", "drift")]


def test_box_that_warms_up_after_it_was_switched_on_is_found() -> None:
    at = START + np.arange(0, 2400, 10)
    values = 25 - 5 * np.exp(-np.arange(0, 2400, 10) / 600)
    channel = Channel("n", "temperature", at, np.round(values, 2), boots_s=(START,))
    assert rules(check([channel])) == {"warm-up"}
    assert check([replace(channel, boots_s=())]) == []


@given(
    st.sampled_from(sorted(LIMITS)),
    st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan")), st.sampled_from([0.0, 1.0, 99.9])), max_size=80),
    st.sampled_from([1, 60, 900, 3600, 86_400]),
    st.data(),
)
def test_check_of_any_values_gives_findings_within_the_series(
    quantity: str, values: list[float], interval_s: int, data: st.DataObject
) -> None:
    steps = data.draw(st.lists(st.integers(1, 5 * interval_s), min_size=len(values), max_size=len(values)))
    at = START + np.cumsum(np.array(steps, dtype=np.int64)) if steps else np.zeros(0, dtype=np.int64)
    nodes = [Channel(node, quantity, at, np.array(values, dtype=float), boots_s=(START,)) for node in "abc"]
    for found in check(nodes, "Europe/Berlin", [("a", "b")]):
        assert found.rule in RULES
        assert found.text
        assert found.count > 0
        assert found.start_s <= found.end_s
        assert found.start_s >= START - 8 * DAY
        assert found.end_s <= int(at[-1]) + 8 * DAY


def test_merged_findings_span_both_and_count_both() -> None:
    one = Finding("n", "stuck", 0, 10, 1.0, 2.0, "h", 5, "less")
    other = Finding("n", "stuck", 15, 30, 1.0, 2.0, "h", 7, "more")
    assert merged([other, one], 5) == [Finding("n", "stuck", 0, 30, 1.0, 2.0, "h", 12, "more")]
    assert len(merged([one, other], 4)) == 2


def test_every_finding_has_a_rule_with_an_explanation() -> None:
    assert all(text and not text.endswith(".") for text in RULES.values())
