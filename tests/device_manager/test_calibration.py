"""Calibrations: what they do to values, which one wins, and how they are fitted from a co-location."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_manager.errors import UsageError
from device_manager.plots import Curve, colocation_to_file, in_terminal, to_file
from device_manager.series.calendar import zone
from device_manager.series.calibration import NONE, Calibration, Target, check, correct
from device_manager.series.colocation import MODELS, Pairs, Side, fit, pair
from device_manager.series.decisions import Decision, document_of, fold

SITE = Target("pm2_5", site_id=4)
SENSOR = Target("pm2_5", node_id=1, sensor="air")
HOURS = 3600 * np.arange(24 * 14)


def test_curve_goes_through_its_points_and_on_beyond_them() -> None:
    curve = Calibration(1, SITE, 0, None, points=((0, 1), (10, 21), (20, 31)))
    assert curve.apply(np.array([-5.0, 0, 5, 10, 15, 20, 30])).tolist() == [-9, 1, 11, 21, 26, 31, 41]
    assert np.isnan(curve.apply(np.array([np.nan]))).all()


def test_last_calibration_wins_and_a_sensors_goes_before_a_sites() -> None:
    value, start_s, site = np.full(5, 10.0), 100 * np.arange(5), np.array([4, 4, 4, 4, 9])
    made = [
        Calibration(3, SENSOR, 300, None, gain=5.0),
        Calibration(1, SITE, 100, None, gain=2.0),
        Calibration(2, SITE, 200, 300, gain=3.0),
    ]
    corrected, made_by = correct(value, site, start_s, made)
    assert corrected.tolist() == [10, 20, 30, 50, 50]
    assert made_by.tolist() == [NONE, 1, 2, 3, 3]


@pytest.mark.parametrize(
    ("calibration", "expected"),
    [
        (Calibration(0, SITE, 0, None, gain=0.0), "finite numbers and a gain other than 0"),
        (Calibration(0, SITE, 0, None, offset=float("nan")), "finite numbers"),
        (Calibration(0, SITE, 0, None, points=((1, 1),)), "two or more points"),
        (Calibration(0, SITE, 0, None, points=((2, 1), (1, 2))), "growing raw values"),
        (Calibration(0, SITE, 100, 100), "an end after the begin"),
    ],
)
def test_calibration_that_cannot_be_applied_is_refused(calibration: Calibration, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        check(calibration)


@given(st.sampled_from([SITE, SENSOR]), st.floats(-9, 9), st.floats(0.1, 9), st.integers(0, 99))
def test_decision_brings_a_calibration_back(target: Target, offset: float, gain: float, since_s: int) -> None:
    made = Calibration(7, target, since_s, None, offset, gain, ((0.5, 1.25), (2.0, 3.0)), {"n": 12})
    state = fold([Decision(7, 0, "tester", "calibrate", document_of(made))])
    assert state.calibrations == {7: made}
    assert fold([Decision(7, 0, "t", "calibrate", document_of(made)), Decision(8, 0, "t", "withdraw", '{"id": 7}')]
                ).calibrations == {}  # fmt: skip


def sensor_beside(reference: np.ndarray, noise: float = 0.0) -> Pairs:
    """A sensor that reads 1.6 times too much and 2 too much."""
    rng = np.random.default_rng(1)
    return Pairs(HOURS, 1.6 * reference + 2 + noise * rng.standard_normal(len(reference)), reference)


REFERENCE = 12 + 8 * np.sin(HOURS / 20_000) + np.random.default_rng(2).random(len(HOURS))


def test_line_is_found_again() -> None:
    found = fit(sensor_beside(REFERENCE), "line")
    assert (found.gain, found.offset) == (pytest.approx(1 / 1.6), pytest.approx(-2 / 1.6))
    assert (found.n, found.r2, found.rmse_after) == (336, pytest.approx(1), pytest.approx(0, abs=1e-9))
    assert found.rmse_before == pytest.approx(np.sqrt(np.mean((0.6 * REFERENCE + 2) ** 2)))
    assert (found.sensor_low, found.sensor_high) == (1.6 * REFERENCE.min() + 2, 1.6 * REFERENCE.max() + 2)


def test_line_agrees_with_least_squares_of_numpy() -> None:
    pairs = sensor_beside(REFERENCE, noise=3.0)
    found = fit(pairs, "line")
    slope, intercept = np.polyfit(pairs.sensor, pairs.reference, 1)
    assert (found.slope, found.intercept) == (pytest.approx(slope), pytest.approx(intercept))
    assert found.r2 == pytest.approx(np.corrcoef(pairs.sensor, pairs.reference)[0, 1] ** 2)
    assert found.rmse_after < found.rmse_unseen < found.rmse_before


@pytest.mark.parametrize("model", MODELS)
def test_every_model_does_not_make_it_worse(model: str) -> None:
    found = fit(sensor_beside(REFERENCE, noise=1.0), model)
    assert found.rmse_after <= found.rmse_before
    assert found.calibration(SITE, 0, None).report["model"] == model


def test_sides_are_averaged_over_common_intervals_that_both_cover() -> None:
    minutes = 60 * np.arange(180)
    sensor = Side(minutes, np.where(minutes < 3600, 10.0, np.nan))
    sensor.value[120:] = 30.0
    sensor.value[121:178] = np.nan  # an hour with three minutes says nothing
    reference = Side(3600 * np.arange(4), np.array([1.0, 2, 3, 4]))
    found = pair(sensor, reference, 3600)
    assert (found.start_s.tolist(), found.sensor.tolist(), found.reference.tolist()) == ([0], [10.0], [1.0])


@pytest.mark.parametrize("n", [0, 7])
def test_too_few_pairs_are_refused(n: int) -> None:
    with pytest.raises(UsageError, match=f"expected 8 or more pairs of different values, got {n} pairs"):
        fit(Pairs(HOURS[:n], REFERENCE[:n], REFERENCE[:n]), "line")


def test_pictures_are_written_and_drawn(tmp_path: Path) -> None:
    pairs = sensor_beside(REFERENCE, noise=1.0)
    curve = Curve("kempten-01 air", pairs.start_s, pairs.sensor)
    for name in ("a.png", "a.svg"):
        to_file([curve], "pm2_5", "ug/m3", zone("Europe/Berlin"), tmp_path / name)
    colocation_to_file(pairs, fit(pairs, "line"), "pm2_5", "ug/m3", tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "a.svg").read_text("utf-8")
    text = in_terminal([curve], "pm2_5", "ug/m3", zone("Europe/Berlin"), (80, 20))
    assert len(text.splitlines()) == 20
    assert "\x1b" not in text
    with pytest.raises(UsageError, match=r"expected a file ending in .png or .svg, got a.pdf"):
        to_file([curve], "t", "u", zone("UTC"), tmp_path / "a.pdf")
