"""What pages are made of: plots, the map's geometry, words."""

from __future__ import annotations

import re
import tomllib

import numpy as np
import pytest

from device_manager.monitoring import rules
from device_manager.monitoring.facts import FACTS
from device_manager.orders.service import COMMANDS
from device_manager.quality import Channel, before_and_after
from device_manager.rollouts import states
from device_manager.scopes import ROLES
from device_manager.series.epochs import Channel as EpochChannel
from device_manager.shadow import Shadow, judge, liveness
from device_manager.shadow.alerts import suspicion
from device_manager.web import cartography, drawing, health_card, plotting
from device_manager.web.states import WORST_FIRST
from device_manager.web.visit import PAGES, code
from device_manager.web.words import Words, choose, german, german_sentences
from firmware.wire import messages, quality
from hardware.catalog import quantities
from provisioning.progress import STEPS
from tests.conftest import ROOT
from tests.fakes.said_errors import node_errors, pieces_of

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


@pytest.mark.parametrize(
    ("high", "labels"), [(9.0, ["0", "2,5", "5", "7,5", "10"]), (0.9, ["0", "0,25", "0,50", "0,75", "1"])]
)
def test_labels_of_an_axis_say_what_its_ticks_are(high: float, labels: list[str]) -> None:
    start_s = np.arange(100) * 60
    reading = plotting._drawn(
        EpochChannel("pm2_5", "ug/m3", 10, "air"), "Air temperature", start_s, np.linspace(0, high, 100),
        np.zeros(100, np.int64), (0, 6000), Words("de"),
    )  # fmt: skip
    assert [label for _, label in reading.ticks_y] == labels


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
        *(text for rule in rules.shipped().values() for text in (rule.title, rule.next_step)),
        *({fact.unit for fact in FACTS.values()} - {"", "s", "mV", "dBm", "%", "Cel"}),
        *(title for title, _ in health_card.FIELDS.values()),
        *(health_card.short(quantity) for quantity in quantities() if not quantity.startswith("la")),
        *(name for _, name, _ in PAGES),
        *(step.replace("_", "-") for step in STEPS),
        *(*states.ROLLOUT.values(), *states.UPDATE_STATES, "draft"),
        *(f"gate {verdict}" for verdict in ("good", "bad", "unknown")),
    }
    missing = {text for text in written | domain if text not in german() and not text.startswith("{n} ")}
    assert missing - {"clock unsynced"} == set()


def test_german_has_the_same_places_for_values_and_no_line_twice() -> None:
    for english, text in german().items():
        assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", text)), english
    tomllib.loads((WEB / "german.toml").read_text("utf-8"))


def _made_elsewhere() -> list[str]:
    """Sentences of all forms that liveness, suspicion and the comparison before and after make."""
    times = (None, 10_000, 400_000, 100_000_000)
    shadows = [
        Shadow("n", last_seen_ms=0 if at else None, online=online, connected_ms=connected, head=head, next=next_, log=1)
        for at in (0, 1) for online in (True, False) for connected in (0, -2_000_000)
        for head, next_ in ((1, 1), (99, 9))
    ]  # fmt: skip
    found = [judge(shadow, at or 0).reason for shadow in shadows for at in times]
    found += [reason for before in ([[1, 1], [2, 2]], [[2, 2]]) if (reason := (suspicion(before, 1, 1) or ("", ""))[1])]
    hours = np.arange(24 * 9) * 3600
    for value in (np.arange(24.0 * 9) % 24, np.full(24 * 9, np.nan)):
        for quantity in ("laeq", "temperature"):
            channel = Channel("n", quantity, hours, value)
            found += [one.text for one in before_and_after(channel, 8 * 86_400, 9 * 86_400)]
    return sorted({*found})


@pytest.mark.parametrize("text", _made_elsewhere())
def test_sentence_made_elsewhere_is_german_on_german_pages(text: str) -> None:
    said = Words("de").sentence(text)
    assert said != text
    assert re.findall(r"\d+", said) == re.findall(r"\d+", text)
    assert not re.search(r"\b(the|and|of|with|allowed|hours|before|expected|ago)\b", said)
    assert Words("en").sentence(text) == text


def test_what_the_cause_of_a_start_is_called_is_german() -> None:
    causes = re.findall(r'\("\w+_RESET", "(.+?)"\)', (ROOT / "firmware" / "hal" / "system.py").read_text("utf-8"))
    assert len(causes) == 5
    assert [cause for cause in causes if Words("de").sentence(cause) == cause] == []


WEB_REACHES = ("scopes", "people/passwords", "people/service", "orders/service", "rollouts/service", "registry/service",
               "registry/visits", "registry/fields", "monitoring/service", "front_desk", "rolling_out")  # fmt: skip


def test_every_error_that_the_web_meets_is_german_on_german_pages() -> None:
    rooms = [ROOT / "device_manager" / f"{name}.py" for name in WEB_REACHES]
    said = {text for path in [*rooms, *WEB.glob("*.py"), *WEB.glob("pages/*.py")] for text in pieces_of(path)}
    assert len(said) > 80
    assert sorted(text for text in said if Words("de").sentence(text) == text) == []
    whole = "expected a registered node, got 'kempten-99'; see `citynode node list`"
    assert Words("de").sentence(whole) == (
        "Erwartet: ein eingetragener Knoten; bekommen: 'kempten-99'; siehe `citynode node list`")  # fmt: skip


def test_every_fault_that_a_sensor_names_is_german_on_german_pages() -> None:
    drivers = (ROOT / "firmware" / "sensing" / "drivers").glob("*.py")
    said = {f"air: {text}" for path in drivers for text in node_errors(path)}
    assert len(said) > 20
    for text in said:
        german_text = Words("de").sentence(text)
        assert not re.search(r"\b(the|a|of|with|every|none|same|expected|got|for)\b", german_text), german_text


def test_unknown_sentence_stays_as_it_is() -> None:
    assert Words("de").sentence("flash: sector 7 burnt {down}") == "flash: sector 7 burnt {down}"


def test_every_german_sentence_has_the_pieces_of_its_english() -> None:
    for form, said in german_sentences():
        assert sorted(form.groupindex) == sorted(re.findall(r"{(\w+)}", said))


def test_what_stands_between_backticks_is_code_and_harmless() -> None:
    assert code("see `<b>`, & `x`") == "see <code>&lt;b&gt;</code>, &amp; <code>x</code>"


def test_health_card_says_what_a_field_is_and_in_which_unit() -> None:
    said = {"heap_free": 90_400, "uptime_s": 7300, "faults": [["air", 3]], "lateness": [["link", 1250]], "rssi": None}
    assert health_card.rows(said, Words("de")) == [
        ("Läuft seit", "2 h"), ("Freier Speicher", "90,4 kB"), ("Fehler von Sensoren", "air 3"),
        ("Längste Verzögerungen", "link 1,2 s"),
    ]  # fmt: skip


def test_health_card_knows_every_field_of_the_message() -> None:
    assert {name for _, name, _, _ in messages.rows(messages.FIELDS["health"])} == set(health_card.FIELDS)


def test_readings_have_the_digits_of_their_quantity() -> None:
    words = Words("de")
    assert (words.reading(1.0, "pm2_5"), words.reading(7185.0, "footfall_in"), words.reading(None, "pm2_5")) == (
        "1,0", "7.185", "–")  # fmt: skip


def test_numbers_and_times_are_written_as_each_language_does() -> None:
    german_words, english = Words("de"), Words("en")
    assert (german_words.number(1234.56), english.number(1234.56)) == ("1.234,6", "1,234.6")
    assert (german_words.number(12.0), english.number(None)) == ("12", "–")
    assert (german_words.time(1_700_000_000), english.time(1_700_000_000)) == ("14.11.2023 23:13", "2023-11-14 23:13")
    assert (german_words.age(7), english.age(300), english.age(10**6)) == ("vor 7 s", "5 min ago", "11 days ago")
