"""The gate's comparisons: absolute counts, exact bounds, and 'unknown' where there is too little to say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from device_manager.quality import Channel, Comparison, against_neighbours, before_and_after, summary
from device_manager.quality.compare import balance_before_and_after
from tests.data import real_faults
from tests.device_manager.test_quality import DAY, HOUR, START, noise, particles, street, temperature, times

AT = START + 7 * DAY


def verdicts(lines: list[Comparison]) -> dict[str, str]:
    return {line.what: line.verdict for line in lines}


def line(lines: list[Comparison], what: str) -> Comparison:
    return next(one for one in lines if one.what == what)


def test_summary_counts_records_hours_and_flags() -> None:
    channel = particles(1)
    channel.value[0:30], channel.flags[100:103] = np.nan, 4
    window = summary(channel, START, START + 6 * HOUR)
    assert (window.expected, window.got, window.flagged) == (360, 330, 3)
    assert (window.hours, window.whole_hours, window.flagged_hours) == (6, 5, 1)


def test_summary_of_an_empty_window_has_no_level() -> None:
    window = summary(particles(1), START + 2 * DAY, START + 3 * DAY)
    assert (window.got, window.whole_hours) == (0, 0)
    assert np.isnan(window.level)


def test_good_release_is_good_after_half_a_day() -> None:
    assert set(verdicts(before_and_after(street(8), AT, AT + 12 * HOUR)).values()) == {"good"}


def test_gate_says_unknown_before_six_hours() -> None:
    lines = before_and_after(street(8), AT, AT + 4 * HOUR)
    assert {line.what for line in lines if line.verdict == "unknown"} >= {"presence", "flags", "spread", "level"}


def test_silent_channel_is_bad_by_presence() -> None:
    channel = particles(8)
    silent = channel.where(channel.start_s < AT)
    presence = line(before_and_after(silent, AT, AT + 12 * HOUR), "presence")
    assert (presence.verdict, presence.hours, presence.after) == ("bad", 12, 0.0)
    assert "0 of 12 hours" in presence.text
    assert "before 168 of 168, allowed at least 9" in presence.text


def test_channel_that_was_dead_before_is_not_blamed() -> None:
    channel = particles(8)
    dead = channel.without(np.ones(len(channel.value), dtype=bool))
    assert "bad" not in verdicts(before_and_after(dead, AT, AT + 12 * HOUR)).values()


def test_sound_that_went_flat_is_bad_by_spread() -> None:
    channel = street(8)
    flat = np.where(channel.start_s >= AT, np.round(50 + 0.05 * noise(len(channel.value)), 1), channel.value)
    assert line(before_and_after(replace(channel, value=flat), AT, AT + 12 * HOUR), "spread").verdict == "bad"


def test_footfall_tripled_is_bad_by_level() -> None:
    at = times(9)
    usual = 3 * np.clip(np.sin((at % DAY / HOUR - 6) * np.pi / 16), 0.05, None)
    people = np.random.default_rng(5).poisson(np.where(at >= AT, 3 * usual, usual)).astype(float)
    channel = Channel("n", "footfall_in", at, people)
    assert line(before_and_after(channel, AT, AT + 24 * HOUR), "level").verdict == "bad"
    same = Channel("n", "footfall_in", at, np.random.default_rng(5).poisson(usual).astype(float))
    assert line(before_and_after(same, AT, AT + 24 * HOUR), "level").verdict == "good"


def test_flags_in_every_hour_are_bad() -> None:
    channel = particles(8)
    channel.flags[channel.start_s >= AT] = 8
    flags = line(before_and_after(channel, AT, AT + 8 * HOUR), "flags")
    assert (flags.verdict, flags.after) == ("bad", 1.0)


def test_record_every_two_minutes_instead_of_one_is_bad_by_rate() -> None:
    channel = particles(8)
    kept = (channel.start_s < AT) | (channel.start_s % 120 == 0)
    assert line(before_and_after(channel.where(kept), AT, AT + 8 * HOUR), "rate").verdict == "bad"


def test_weather_is_no_change_against_neighbours() -> None:
    nodes = [temperature(9, node=name) for name in "abcd"]
    colder = [replace(node, value=np.where(node.start_s >= AT, node.value - 12, node.value)) for node in nodes]
    (level,) = against_neighbours(colder[0], colder[1:], AT, AT + 12 * HOUR)
    assert level.verdict == "good"


def test_sensor_that_reads_seven_kelvin_more_after_an_update_is_bad() -> None:
    nodes = [temperature(9, node=name) for name in "abcd"]
    nodes[0].value[nodes[0].start_s >= AT] += 7
    (level,) = against_neighbours(nodes[0], nodes[1:], AT, AT + 12 * HOUR)
    assert (level.verdict, level.hours) == ("bad", 12)
    assert level.low == pytest.approx(7, abs=0.5)


def test_one_neighbour_is_not_enough_to_judge() -> None:
    nodes = [temperature(9, node=name) for name in "ab"]
    (level,) = against_neighbours(nodes[0], nodes[1:], AT, AT + 12 * HOUR)
    assert level.verdict == "unknown"


def test_counter_that_turned_round_is_bad_by_balance() -> None:
    at = times(9)
    rng = np.random.default_rng(2)
    went_in = Channel("n", "footfall_in", at, rng.poisson(1.5, len(at)).astype(float))
    went_out = Channel("n", "footfall_out", at, rng.poisson(1.5, len(at)).astype(float))
    assert balance_before_and_after(went_in, went_out, AT, AT + DAY).verdict == "good"
    blind = replace(went_out, value=np.where(at >= AT, 0.0, went_out.value))
    assert balance_before_and_after(went_in, blind, AT, AT + DAY).verdict == "bad"


@pytest.mark.parametrize("node", ["a", "b"])
def test_healthy_real_node_is_never_bad_on_any_day(node: str) -> None:
    """Each day of the second and third week as if an update had come at its begin, against the week before."""
    channels = real_faults.air(node)
    first = int(channels[0].start_s[0]) // DAY * DAY
    bad = [
        comparison.text
        for channel in channels
        for day in range(7, 20)
        for comparison in before_and_after(channel, first + day * DAY, first + (day + 1) * DAY)
        if comparison.verdict == "bad"
    ]
    assert bad == []
