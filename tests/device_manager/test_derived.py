"""Derived quantities against published values and by their own laws; where an example comes from stands beside it."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_manager.series.derived import (
    EEA_2017,
    EEA_2024,
    HOURS,
    balance,
    epa_2021,
    heating_degrees,
    index,
    kappa_koehler,
    lden,
    mean_level,
    people,
    worst,
)

NAN = float("nan")


def unix(*date: int) -> int:
    return int(datetime(*date, tzinfo=UTC).timestamp())  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("pm", "humidity", "expected"),
    [
        # 0.524 x 20 - 0.0862 x 40 + 5.75, Barkjohn et al. (2021), equation of the U.S.-wide correction
        (20.0, 40.0, 12.782),
        # 0.786 p - 0.0862 h + 5.75 and 2.966 + 0.69 p + 8.84e-4 p2: the upper pieces as AirNow documents them
        (100.0, 50.0, 80.04),
        (300.0, 50.0, 289.526),
        # halfway between the pieces: slope (0.524 + 0.786) / 2 at 40 ug/m3
        (40.0, 50.0, 27.64),
        (0.0, 60.0, 0.0),
        (0.5, 100.0, 0.0),
    ],
)
def test_epa_2021_of_published_pieces_gives_their_values(pm: float, humidity: float, expected: float) -> None:
    assert epa_2021(np.array([pm]), np.array([humidity]))[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("edge", [30.0, 50.0, 210.0, 260.0])
def test_epa_2021_at_an_edge_does_not_jump(edge: float) -> None:
    below, above = epa_2021(np.array([edge - 1e-7, edge + 1e-7]), np.array([60.0, 60.0]))
    assert above == pytest.approx(below, abs=1e-4)


def test_epa_2021_without_humidity_is_missing() -> None:
    assert np.isnan(epa_2021(np.array([12.0, NAN, 0.0]), np.array([NAN, 50.0, NAN]))).all()


def test_kappa_koehler_in_dry_air_changes_nothing_and_in_fog_gives_nothing() -> None:
    dry = kappa_koehler(np.array([10.0, 10.0]), np.array([0.0, 99.0]))
    assert dry[0] == 10.0
    assert math.isnan(dry[1])


def test_kappa_koehler_at_85_percent_follows_crilley() -> None:
    """C = 1 + (0.4 / 1.65) / (-1 + 1 / 0.85) = 2.3737; Crilley et al. (2018), Atmos. Meas. Tech. 11, 709."""
    assert kappa_koehler(np.array([23.737]), np.array([85.0]))[0] == pytest.approx(10.0, abs=0.001)


@pytest.mark.parametrize(
    ("pollutant", "levels"),
    [
        # first and last whole ug/m3 of each band, as the revised index prints them (ETC HE Report 2024/17)
        ("pm2_5", [(0, 5), (6, 15), (16, 50), (51, 90), (91, 140), (141, 900)]),
        ("pm10", [(0, 15), (16, 45), (46, 120), (121, 195), (196, 270), (271, 900)]),
        ("no2", [(0, 10), (11, 25), (26, 60), (61, 100), (101, 150), (151, 900)]),
        ("o3", [(0, 60), (61, 100), (101, 120), (121, 160), (161, 180), (181, 900)]),
        ("so2", [(0, 20), (21, 40), (41, 125), (126, 190), (191, 275), (276, 900)]),
    ],
)
def test_index_of_band_ends_is_the_published_level(pollutant: str, levels: list[tuple[int, int]]) -> None:
    for level, ends in enumerate(levels, start=1):
        assert index(np.array(ends, dtype=float), EEA_2024.breakpoints[pollutant]).tolist() == [level, level]


def test_index_before_2024_was_milder_and_used_daily_means_of_particles() -> None:
    assert index(np.array([8.0]), EEA_2017.breakpoints["pm2_5"])[0] == 1
    assert index(np.array([8.0]), EEA_2024.breakpoints["pm2_5"])[0] == 2
    assert (EEA_2017.mean_hours["pm10"], EEA_2024.mean_hours["pm10"]) == (24, 1)


def test_worst_of_pollutants_ignores_missing_ones() -> None:
    both = worst([np.array([1.0, NAN, NAN]), np.array([3.0, 2.0, NAN])])
    assert both[:2].tolist() == [3.0, 2.0]
    assert math.isnan(both[2])


def test_lden_without_evening_is_the_published_day_night_level() -> None:
    """70 dB by day (15 h), 50 dB by night (9 h): Ldn = 68.2 dB, worked example of engineeringtoolbox.com d_719."""
    assert lden(70.0, NAN, 50.0, (15, 0, 9)) == pytest.approx(68.2, abs=0.05)


def test_lden_of_64_and_50_is_the_published_62_9() -> None:
    """(15/24) 10^6.4 + (9/24) 10^6.0 = 1.944e6, 62.9 dB: a published guide to the day-night level."""
    assert lden(64.0, NAN, 50.0, (15, 0, 9)) == pytest.approx(62.9, abs=0.05)


def test_lden_of_a_constant_level_is_6_4_db_above_it() -> None:
    """The known distance of Lden from LAeq,24h of a steady source with 12, 4 and 8 hours."""
    assert lden(55.0, 55.0, 55.0) == pytest.approx(55 + 6.4, abs=0.01)


@pytest.mark.parametrize("country", HOURS)
def test_hours_of_every_country_add_up_to_a_day(country: str) -> None:
    assert sum(HOURS[country].lengths) == 24


def test_hours_of_germany_are_those_of_the_ordinance() -> None:
    assert HOURS["DE"].lengths == (12, 4, 8)
    assert (HOURS["DE"].day, HOURS["DE"].evening, HOURS["DE"].night) == (6, 18, 22)


@given(st.lists(st.floats(20, 120), min_size=1, max_size=30))
def test_mean_level_lies_between_lowest_and_highest(levels: list[float]) -> None:
    assert min(levels) - 1e-9 <= mean_level(np.array(levels)) <= max(levels) + 1e-9


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        # 20 Cel inside, a day of 0 Cel: 20 K d; at 15 Cel nobody heats (VDI 2067; Destatis, glossary "Heizgradtage")
        ([0.0], 20.0),
        ([14.9], 5.1),
        ([15.0], 0.0),
        ([-10.0, 5.0, 16.0], 45.0),
    ],
)
def test_heating_degrees_of_textbook_days(means: list[float], expected: float) -> None:
    assert heating_degrees(np.array(means)).sum() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("below_12", "room_20"),
    [(386.0, 634.0), (290.1, 514.2), (150.4, 398.4)],  # January to March 2019, station Ruhstorf an der Rott
)
def test_heating_degrees_of_a_published_station_follow_from_its_sums(below_12: float, room_20: float) -> None:
    """The station publishes sum(12 - Tm) and sum(20 - Tm) over days below 12 Cel; they differ by 8 K a heating day."""
    days = round((room_20 - below_12) / 8)
    means = np.full(days, 12.0 - below_12 / days)
    assert heating_degrees(means, room_cel=20.0, limit_cel=12.0).sum() == pytest.approx(room_20, abs=0.15)


def test_people_of_a_wrapping_total_count_on() -> None:
    counts, resets = people(60 * np.arange(3), np.array([2.0**29 - 2, 3.0, 4.0]))
    assert counts[1:].tolist() == [5.0, 1.0]
    assert not resets.any()


def test_people_after_a_reset_are_those_since_it() -> None:
    counts, resets = people(60 * np.arange(4), np.array([41_000.0, 41_005.0, 2.0, 6.0]))
    assert counts[1:].tolist() == [5.0, 2.0, 4.0]
    assert resets.tolist() == [False, False, True, False]


def test_people_of_an_exchanged_counter_are_unknown_once() -> None:
    counts, resets = people(60 * np.arange(3), np.array([41_000.0, 7_000.0, 7_004.0]))
    assert math.isnan(counts[1])
    assert counts[2] == 4.0
    assert resets[1]


def test_people_over_a_lost_record_come_with_the_next() -> None:
    counts, _ = people(60 * np.arange(4), np.array([10.0, NAN, NAN, 17.0]))
    assert counts[3] == 7.0
    assert np.isnan(counts[:3]).all()


@given(st.integers(0, 2**29 - 1), st.lists(st.integers(0, 500), min_size=2, max_size=50), st.data())
def test_people_of_any_split_add_up_to_the_same(first: int, steps: list[int], data: st.DataObject) -> None:
    totals = np.mod(first + np.concatenate([[0], np.cumsum(steps)]), 2**29).astype(float)
    inner = len(totals) - 2
    lost = data.draw(st.lists(st.booleans(), min_size=inner, max_size=inner))
    thinned = totals.copy()
    thinned[1:-1][np.array(lost, dtype=bool)] = NAN
    counts, resets = people(60 * np.arange(len(totals)), thinned)
    assert np.nansum(counts) == sum(steps)
    assert not resets.any()


def test_balance_may_fall_below_zero() -> None:
    assert balance(np.array([2.0, 0.0, NAN]), np.array([1.0, 3.0, 1.0])).tolist() == [1.0, -2.0, -3.0]
