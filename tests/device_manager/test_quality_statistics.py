"""Exact bounds against published tables, and by what they promise."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_manager.quality.statistics import (
    median_bounds,
    nobody_by_chance,
    rate_at_most,
    rate_bounds,
    share_bounds,
    surely_below,
)


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        # Clopper-Pearson 95 %: values of the tables in Fleiss, Statistical Methods, and of R's binom.test
        (0, 10, 0.0, 0.3085),
        (1, 10, 0.0025, 0.4450),
        (5, 10, 0.1871, 0.8129),
        (10, 10, 0.6915, 1.0),
        (0, 5, 0.0, 0.5218),
        (81, 263, 0.2527, 0.3676),
    ],
)
def test_share_bounds_are_those_of_clopper_and_pearson(hits: int, of: int, low: float, high: float) -> None:
    assert share_bounds(hits, of) == pytest.approx((low, high), abs=6e-5)


@pytest.mark.parametrize(
    ("events", "low", "high"),
    # Garwood (1936), 95 % limits for Poisson counts as every table prints them
    [(0, 0.0, 3.689), (1, 0.0253, 5.572), (5, 1.623, 11.668), (10, 4.795, 18.390), (100, 81.364, 121.627)],
)
def test_rate_bounds_are_those_of_garwood(events: int, low: float, high: float) -> None:
    assert rate_bounds(events, 1.0) == pytest.approx((low, high), abs=1e-3)


def test_rate_of_no_events_is_the_rule_of_three() -> None:
    assert rate_at_most(0, 1.0) == pytest.approx(-math.log(0.05))
    assert rate_at_most(0, 10.0) == pytest.approx(0.29957, abs=1e-5)


@pytest.mark.parametrize(
    ("of", "rank"),
    # Number of values cut off at each end for the 95 % interval of a median: tables of the sign test
    [(6, 0), (8, 0), (9, 1), (11, 1), (12, 2), (20, 5), (30, 9), (50, 17)],
)
def test_median_bounds_cut_what_the_sign_test_cuts(of: int, rank: int) -> None:
    assert median_bounds([float(i) for i in range(of)]) == (rank, of - 1 - rank)


def test_median_of_five_values_has_no_bounds() -> None:
    assert median_bounds([1.0, 2.0, 3.0, 4.0, 5.0]) == (-math.inf, math.inf)


@given(st.integers(0, 60), st.integers(1, 60), st.floats(0.05, 0.95))
def test_surely_below_agrees_with_the_upper_bound(hits: int, more: int, share: float) -> None:
    of, high = hits + more, share_bounds(hits, hits + more)[1]
    if abs(high - share) > 1e-9:
        assert surely_below(hits, of, share) == (high < share)


@given(st.integers(0, 40), st.integers(0, 40))
def test_share_bounds_hold_the_share(hits: int, more: int) -> None:
    low, high = share_bounds(hits, hits + more)
    assert 0 <= low <= high <= 1
    if hits + more:
        assert low <= hits / (hits + more) <= high


def test_share_of_more_hits_than_trials_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 0 <= hits <= 3, got 4"):
        share_bounds(4, 3)


def test_nobody_by_chance_falls_slower_than_poisson() -> None:
    assert nobody_by_chance(0.0, 4.0) == 1.0
    assert nobody_by_chance(10.0, 4.0) > math.exp(-10)
    assert nobody_by_chance(10.0, 1e9) == pytest.approx(math.exp(-10), rel=1e-6)
