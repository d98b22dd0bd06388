"""Derived quantities as roll-ups: their intervals and coverage, and what late and corrected readings do to them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from device_manager.database import ServerDatabase
from device_manager.series import flags as bits
from device_manager.series.archive import SiteRollUp
from device_manager.series.calendar import NOISE_DAY, edges
from device_manager.series.calibration import Calibration, Target
from device_manager.series.channels import Key, Line
from device_manager.series.decisions import document_of
from device_manager.series.derived import lden
from device_manager.series.deriving import DERIVED, derive
from device_manager.series.epochs import Channel
from device_manager.series.rollups import RollUp
from tests.fakes.derived import SITE, Derived
from tests.fakes.speaker import Speaker

BERLIN = ZoneInfo("Europe/Berlin")
HOUR_S = 3600


def unix(*date: int) -> int:
    return int(datetime(*date, tzinfo=UTC).timestamp())  # type: ignore[misc, arg-type]


def line(quantity: str, start_s: int, values: list[float], step_s: int = HOUR_S) -> Line:
    start = start_s + step_s * np.arange(len(values))
    zero = np.zeros(len(values), dtype=np.int64)
    return Line(Channel(quantity, "x", 10, "s"), start, start + step_s, np.array(values), zero + 0, zero, zero, zero,
                ((1, 0),))  # fmt: skip


def derived_of(period: str, *lines: Line, where: ZoneInfo = BERLIN) -> dict[str, RollUp]:
    """What is derived from lines, over all intervals that they fill."""
    borders = edges(period, int(min(o.start_s[0] for o in lines)), int(max(o.end_s[-1] for o in lines)), where)
    named = {Key(one.channel.sensor, one.channel.quantity): one for one in lines}
    return {channel.quantity: row for channel, row in derive(period, named, borders, where).items()}


def test_noise_day_begins_at_six_in_germany_and_weighs_evening_and_night() -> None:
    levels = [60.0] * 12 + [55.0] * 4 + [50.0] * 8
    found = derived_of(NOISE_DAY, line("laeq", unix(2026, 3, 1, 5), levels))
    whole, night = found["lden"], found["lnight"]
    assert whole.value[0] == pytest.approx(60.0)
    assert (whole.start_s[0], whole.end_s[0]) == (unix(2026, 3, 1, 5), unix(2026, 3, 2, 5))
    assert (night.value[0], night.seconds[0], night.readings[0]) == (50.0, 8 * HOUR_S, 8)
    assert (night.start_s[0], night.end_s[0]) == (unix(2026, 3, 1, 21), unix(2026, 3, 2, 5))


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 28), 7), ((2026, 10, 24), 9), ((2026, 6, 1), 8)])
def test_night_in_which_clocks_change_has_its_own_length(day: tuple[int, ...], hours: int) -> None:
    begin_s = int(datetime(*day, 6, tzinfo=BERLIN).timestamp())  # type: ignore[misc, arg-type]
    found = derived_of(NOISE_DAY, line("laeq", begin_s, [40.0] * (16 + hours)))
    assert (found["lnight"].end_s - found["lnight"].start_s).tolist() == [hours * HOUR_S]
    assert found["lden"].seconds.tolist() == [(16 + hours) * HOUR_S]
    assert found["lden"].value[0] == pytest.approx(lden(40.0, 40.0, 40.0))


def test_thin_night_gives_neither_lnight_nor_lden() -> None:
    assert derived_of(NOISE_DAY, line("laeq", unix(2026, 3, 1, 5), [50.0] * 20)) == {}
    found = derived_of(NOISE_DAY, line("laeq", unix(2026, 3, 1, 5), [50.0] * 22))  # 6 of 8 hours are 75 %
    assert set(found) == {"lden", "lnight"}
    assert found["lden"].coverage[0] == pytest.approx(22 / 24)


def test_night_alone_gives_lnight() -> None:
    assert set(derived_of(NOISE_DAY, line("laeq", unix(2026, 3, 1, 21), [50.0] * 8))) == {"lnight"}


def test_other_countries_have_other_hours() -> None:
    begin_s = unix(2026, 1, 1, 7)  # London keeps to the directive: 7, 19, 23
    night = derived_of(NOISE_DAY, line("laeq", begin_s, [50.0] * 24), where=ZoneInfo("Europe/London"))["lnight"]
    assert (night.start_s[0], night.end_s[0]) == (unix(2026, 1, 1, 23), unix(2026, 1, 2, 7))


def test_index_is_that_of_the_worse_particles_and_says_what_it_used() -> None:
    start_s = unix(2026, 3, 1, 12)
    fine, coarse = line("pm2_5", start_s, [4.0, 4.0, 60.0]), line("pm10", start_s, [10.0, 50.0, math.nan])
    coarse.flags[1] = bits.CALIBRATED
    found = derived_of("1h", fine, coarse)["air_quality_index"]
    assert found.value.tolist() == [1.0, 3.0, 4.0]
    assert found.readings.tolist() == [2, 2, 1]
    assert found.flags.tolist() == [0, bits.CALIBRATED, 0]


def test_index_needs_three_quarters_of_the_hour() -> None:
    start_s = unix(2026, 3, 1, 12)
    enough = derived_of("1h", line("pm2_5", start_s, [4.0] * 45, 60))["air_quality_index"]
    assert (enough.value.tolist(), enough.seconds.tolist()) == ([1.0], [2700])
    assert derived_of("1h", line("pm2_5", start_s, [4.0] * 44, 60)) == {}


def test_degree_days_are_of_local_days_and_weigh_hours_not_readings() -> None:
    midnight_s = int(datetime(2026, 3, 29, tzinfo=BERLIN).timestamp())
    dense = line("temperature", midnight_s, [27.0] * 360, 10)
    hours = line("temperature", midnight_s + HOUR_S, [4.0] * 22)
    both = Line(dense.channel, *(np.concatenate((getattr(dense, n), getattr(hours, n)))
                for n in ("start_s", "end_s", "value", "flags", "frame", "cell", "epoch")), dense.epochs)  # fmt: skip
    found = derived_of("1d", both)["heating_degree_days"]
    assert found.value.tolist() == [pytest.approx(20 - (27 + 22 * 4) / 23)]
    assert (found.end_s - found.start_s).tolist() == [23 * HOUR_S]


@pytest.mark.parametrize(("hours", "there"), [(19, False), (20, True)])
def test_degree_days_need_twenty_hours(hours: int, there: bool) -> None:
    found = derived_of("1d", line("temperature", unix(2026, 1, 9, 23), [1.0] * hours))
    assert ("heating_degree_days" in found) is there


def test_warm_day_has_no_degree_days_but_is_there() -> None:
    found = derived_of("1d", line("temperature", unix(2026, 1, 9, 23), [15.0] * 24))
    assert found["heating_degree_days"].value.tolist() == [0.0]


def test_what_nobody_shall_calculate_with_is_left_out() -> None:
    levels = line("laeq", unix(2026, 3, 1, 5), [50.0] * 24)
    levels.value[3], levels.flags[3] = 120.0, bits.INVALID
    found = derived_of(NOISE_DAY, levels)["lden"]
    assert found.value[0] == pytest.approx(lden(50.0, 50.0, 50.0))
    assert (found.flags[0], found.seconds[0]) == (bits.INVALID, 23 * HOUR_S)


# In the derived tables: numbers, corrections, rebuild

DAY_S = 86_400
BEGIN_S = unix(2026, 1, 26, 5)  # 6:00 in Kempten
CHANNELS = (["laeq", "dB", 10, "mic"], ["temperature", "Cel", 10, "air"], ["pm2_5", "ug/m3", 10, "air"],
            ["pm10", "ug/m3", 10, "air"])  # fmt: skip
ROW: list[int | None] = [500, 20, 100, 200]


@pytest.fixture
def derived(tmp_path: Path, server_or_file: ServerDatabase | None) -> Iterator[Derived]:
    derived = Derived(tmp_path, since_s=BEGIN_S - DAY_S, server=server_or_file)
    yield derived
    derived.close()


def say(derived: Derived, speaker: Speaker, hours: range, row: list[int | None] = ROW) -> None:
    """Tell the manager whole hours after BEGIN_S, in frames of half an hour."""
    first = [] if speaker.seq else [speaker.channels(CHANNELS)]
    starts = [BEGIN_S + HOUR_S * hour + half for hour in hours for half in (0, 1800)]
    derived.bench.committer.commit([*first, *(speaker.frame([row] * 30, start_s) for start_s in starts)])
    derived.keeper.advance()


def of(derived: Derived, quantity: str) -> list[SiteRollUp]:
    return derived.archive.rollups(SITE, quantity, DERIVED[quantity].period, 0, 1 << 40)


def test_lden_appears_once_the_day_is_over_however_often_it_was_looked(derived: Derived) -> None:
    speaker = Speaker()
    for hour in range(24):
        say(derived, speaker, range(hour, hour + 1))
        assert of(derived, "lden") == [] or hour == 23
    (day,) = of(derived, "lden")
    assert day.rows.value[0] == pytest.approx(lden(50.0, 50.0, 50.0))
    assert (day.rows.start_s[0], day.rows.end_s[0], day.number[0] > 0) == (BEGIN_S, BEGIN_S + DAY_S, True)
    assert derived.rebuild().numbers == 0


def test_late_readings_correct_lden_lnight_and_index_under_new_numbers(derived: Derived) -> None:
    speaker, late = Speaker(), Speaker(log=9)
    say(derived, speaker, range(17))
    say(derived, speaker, range(18, 26))
    before = {name: of(derived, name)[0] for name in ("lden", "lnight")}
    (index,) = of(derived, "air_quality_index")
    say(derived, late, range(17, 18), [900, 20, 3000, 200])
    after = {name: of(derived, name)[0] for name in ("lden", "lnight")}
    for name in ("lden", "lnight"):
        assert after[name].rows.value[0] > before[name].rows.value[0] + 10
        assert after[name].number[0] > before[name].number[0]
    (corrected,) = of(derived, "air_quality_index")
    at = BEGIN_S + 17 * HOUR_S
    assert at not in index.rows.start_s
    assert corrected.rows.value[corrected.rows.start_s == at].tolist() == [6.0]
    assert corrected.number[corrected.rows.start_s < at].tolist() == index.number[index.rows.start_s < at].tolist()
    assert derived.rebuild().numbers == 0


def test_calibration_corrects_the_index_too(derived: Derived) -> None:
    say(derived, Speaker(), range(3))
    assert of(derived, "air_quality_index")[0].rows.value.tolist() == [2.0, 2.0, 2.0]
    calibration = Calibration(0, Target("pm2_5", site_id=SITE), BEGIN_S + HOUR_S, None, offset=0.0, gain=6.0)
    derived.decide("calibrate", document_of(calibration))
    derived.keeper.advance()
    assert of(derived, "air_quality_index")[0].rows.value.tolist() == [2.0, 4.0, 4.0]


def test_rebuild_from_nothing_derives_the_same(derived: Derived) -> None:
    say(derived, Speaker(), range(50))
    kept = derived.rollups()
    assert {name[2].quantity for name in kept} >= set(DERIVED)  # type: ignore[index]
    derived.frames.close()
    derived.series.close()
    derived.forget()
    derived.rebuild()
    derived.open()
    assert derived.rollups() == kept
