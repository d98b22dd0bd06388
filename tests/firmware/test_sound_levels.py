"""The acceptance lines of the sound level meter, on its own code under MicroPython."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import resample_poly

from tests.benchmarks import a_weighting, level_linearity, tone_burst
from tests.data import street_wav
from tests.sound.node import SENSITIVITY, SETTLE_S, measure, sine, together_db
from tests.sound.plain import levels_db
from tests.sound.standard import MICROPHONES, TABLE_3, analog_a_db


def test_table_3_agrees_with_the_analog_curve():
    for line in TABLE_3:
        assert analog_a_db(line.exact_hz) == pytest.approx(line.a_db, abs=0.0501), line.nominal_hz


@pytest.mark.parametrize("microphone", MICROPHONES)
def test_a_weighting_with_equaliser_keeps_the_limits(microphone):
    found = {rate: a_weighting.errors(microphone, rate) for rate in (32000, 48000)}
    for of_class, rate, low_hz, high_hz in a_weighting.CASES:
        margin, _ = a_weighting.margin_db(found[rate], of_class, low_hz, high_hz)
        assert margin >= 0, (of_class, rate)


@pytest.mark.parametrize("level_db", [100.0, 65.0])
def test_lafmax_of_tone_bursts_is_within_0_3_db(level_db):
    assert max(map(abs, tone_burst.errors_db(level_db).values())) <= 0.3


@pytest.mark.parametrize("equaliser", MICROPHONES)
def test_level_of_tones_is_linear_from_40_to_115_db(equaliser):
    errors = level_linearity.errors_db(1000.0, 32000, equaliser)
    assert max(map(abs, errors.values())) <= 0.3
    assert abs(errors[94]) <= 0.1


def test_pascal_at_minus_26_dbfs_reads_94():
    """The sine reference: a full-scale sine is 120 dB, although its mean square is half of full scale's."""
    (take,), (quieter,) = measure([sine(1000, 94, 1.5, 32000), sine(1000, 93, 1.5, 32000)])
    assert (take["laeq"], take["lafmax"], take["lafmin"], take["las"], set(take["shorts"])) == (940,) * 4 + ({940},)
    assert quieter["laeq"] == 930


@pytest.mark.parametrize("rate_hz", [32000, 48000])
@pytest.mark.parametrize("gain", [1.0, 0.01])
@pytest.mark.parametrize("name", street_wav.NAMES)
def test_laeq_of_street_recordings_is_within_0_2_db_of_double_precision(name, gain, rate_hz):
    signal = gain * street_wav.samples(name)
    at_rate = signal if rate_hz == street_wav.RATE_HZ else resample_poly(signal, 2, 3)
    (takes,) = measure([at_rate], rate_hz=rate_hz, take_s=1.0)
    laeq, lafmax = levels_db(signal, street_wav.RATE_HZ, SENSITIVITY / 10, SETTLE_S)
    assert together_db(takes) == pytest.approx(laeq, abs=0.2)
    assert max(take["lafmax"] for take in takes) / 10 == pytest.approx(lafmax, abs=0.3)


@pytest.mark.parametrize("name", street_wav.NAMES)
def test_laeq_of_a_recording_through_a_microphone_is_equalised(name):
    """The recording as the ICS-43434's data sheet says it would arrive, against the recording itself."""
    signal = street_wav.samples(name)
    hz = np.fft.rfftfreq(len(signal), 1 / street_wav.RATE_HZ)
    curve = np.array(MICROPHONES["ics43434"], dtype=float)
    response = np.interp(np.log(np.maximum(hz, 1)), np.log([line.exact_hz for line in TABLE_3]), curve)
    arrived = np.fft.irfft(np.fft.rfft(signal) * 10 ** (response / 20), len(signal))
    (takes,) = measure([arrived], "ics43434", 48000, take_s=1.0)
    laeq, _ = levels_db(signal, street_wav.RATE_HZ, SENSITIVITY / 10, SETTLE_S)
    assert together_db(takes) == pytest.approx(laeq, abs=0.3)
