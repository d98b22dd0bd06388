"""What pages are made of: plots, the map's geometry, words."""

from __future__ import annotations

import re
import tomllib

import numpy as np
import pytest

from device_manager.monitoring import rules
from device_manager.orders.service import COMMANDS
from device_manager.rollouts import states
from device_manager.scopes import ROLES
from device_manager.shadow import liveness
from device_manager.web import cartography, drawing
from device_manager.web.states import WORST_FIRST
from device_manager.web.visit import PAGES
from device_manager.web.words import Words, choose, german
from firmware.wire import quality
from hardware.catalog import quantities
from tests.conftest import ROOT

WEB = ROOT / "device_manager" / "web"


def test_a_peak_of_one_minute_in_thirty_days_is_drawn() -> None:
    start_s = np.arange(43_200) * 60
    value = np.sin(start_s / 9000)
    value[31_337] = 99.0
    bins = drawing.Bins.of(start_s, value, np.zeros(43_200, np.int64), 0, 43_200 * 60, 640)
    assert bins.high.max() == 99.0 and bins.high.argmax() == 31_337 * 640 // 43_200
    axis = drawing.scale(-1.0, 99.0, 120)
    assert "V" in drawing.band(bins, axis) and drawing.line(bins, axis).count("M") == 1
    assert drawing.line(bins, axis).count("L") == 639


def test_readings_that_nobody_shall_use_are_bands_and_not_part_of_the_line() -> None:
    start_s, value = np.arange(100) * 60, np.full(100, 5.0)
    flags = np.zeros(100, np.int64)
    flags[20:30], value[25] = quality.FAULT, 500.0
    flags[60:70] = quality.WARM_UP
    bins = drawing.Bins.of(start_s, value, flags, 0, 6000, 100)
    assert bins.bounds() == (5.0, 5.0)
    assert bins.runs() == [drawing.Run(20, 29, quality.FAULT), drawing.Run(60, 69, quality.WARM_UP)]
    assert drawing.line(bins, drawing.scale(5, 5, 120)).count("M") == 3


def test_a_channel_without_a_usable_value_draws_nothing() -> None:
    bins = drawing.Bins.of(np.array([0, 60]), np.array([np.nan, np.nan]), np.zeros(2, np.int64), 0, 120, 10)
    axis = drawing.scale(0, 1, 120)
    assert (bins.bounds(), drawing.line(bins, axis), drawing.band(bins, axis)) == (None, "", "")


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.2, 47.9), (1012.1, 1012.2), (7.0, 7.0), (0.0, 1e6)])
def test_an_axis_holds_its_values_between_round_ticks(low: float, high: float) -> None:
    axis = drawing.scale(low, high, 120)
    assert axis.low <= low and axis.high >= high and 2 <= len(axis.ticks) <= 8
    assert 0 <= axis.y(np.array([high]))[0] <= axis.y(np.array([low]))[0] <= 120


def test_time_ticks_are_round_where_people_live() -> None:
    ticks = drawing.time_ticks(1_700_000_000, 1_700_086_400, 3600)
    assert 4 <= len(ticks) <= 8 and all((tick + 3600) % 10_800 == 0 for tick in ticks)


def test_tiles_cover_the_frame_and_lie_where_their_server_has_them() -> None:
    x, y = cartography.project(47.7267, 10.3168)
    frame = cartography.around([(x, y)])
    found = cartography.tiles(frame, 1000)
    left, right = min(t.frame.x for t in found), max(t.frame.x + t.frame.width for t in found)
    assert left <= frame.x and right >= frame.x + frame.width and len(found) <= cartography.MOST_TILES
    (z,) = {tile.z for tile in found}
    column, row = (x / (40_075_016.69 / 2**z), y / (40_075_016.69 / 2**z))
    assert (int(column), int(row)) in {(tile.column, tile.row) for tile in found}
    assert cartography.project(0, -180)[0] == 0  # the usual numbering of tiles begins there


def test_the_outlines_hold_the_city_and_say_that_they_are_approximate() -> None:
    districts, rivers = cartography.base()
    assert len(districts) >= 10 and len(rivers) == 1
    assert "Approximate" in (WEB / "city.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        *(("de-AT,de;q=0.9,en;q=0.5", "de"), ("en-US,en", "en"), ("fr,de;q=0.2,en;q=0.8", "en"), ("", "en")),
        *(("fr", "en"), ("de;q=0,en;q=0.1", "en"), ("de;q=abc", "en"), ("," * 5000, "en")),
    ],
)
def test_the_browsers_language_is_taken(header: str, language: str) -> None:
    assert choose(header) == language
    assert choose(header, "de") == "de"


def test_every_text_of_the_pages_has_its_german_and_none_is_left_over() -> None:
    written = {
        match[1]
        for path in [*WEB.glob("templates/*.html"), *WEB.rglob("*.py")]
        for match in re.findall(r"""\b(?:_|words|self)\((["'])(.*?)\1[,)]""", path.read_text("utf-8"))
    }
    domain = {
        *(*liveness.__dict__.get("STATES", WORST_FIRST), *ROLES, *COMMANDS, *quality.NAMES.split(",")),
        *(quantity.title for quantity in quantities().values()),
        *(rule.title for rule in rules.shipped().values()),
        *(name for _, name, _ in PAGES),
        *(*states.ROLLOUT.values(), *states.UPDATE_STATES, "draft"),
        *(f"gate {verdict}" for verdict in ("good", "bad", "unknown")),
    }
    missing = {text for text in written | domain if text not in german() and not text.startswith("{n} ")}
    assert missing - {"clock unsynced"} == set()


def test_german_has_the_same_places_for_values_and_no_line_twice() -> None:
    for english, text in german().items():
        assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", text)), english
    tomllib.loads((WEB / "german.toml").read_text("utf-8"))


def test_numbers_and_times_are_written_as_each_language_does() -> None:
    german_words, english = Words("de"), Words("en")
    assert (german_words.number(1234.56), english.number(1234.56)) == ("1.234,6", "1,234.6")
    assert (german_words.number(12.0), english.number(None)) == ("12", "–")
    assert (german_words.time(1_700_000_000), english.time(1_700_000_000)) == ("14.11.2023 23:13", "2023-11-14 23:13")
    assert (german_words.age(7), english.age(300), english.age(10**6)) == ("vor 7 s", "5 min ago", "11 days ago")
