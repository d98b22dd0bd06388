"""Following by number: late, backfilled and corrected observations come exactly once, in the right intervals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from device_manager.database import ServerDatabase
from device_manager.series.calibration import Calibration, Target
from device_manager.series.decisions import document_of
from device_manager.series.invalidation import Invalidation
from device_manager.twin.service import Twin
from device_manager.twin_side import open_twin
from tests.fakes.derived import SITE, Derived
from tests.fakes.naive_twin import iso
from tests.fakes.speaker import START_S, Speaker

BASE = "http://city.example/v1.1"
HOUR_S = START_S // 3600 * 3600 + 3600
NOW_S = HOUR_S + 10 * 86_400
EXPAND = ("$expand", "Datastream($select=name)")


@pytest.fixture
def derived(tmp_path: Path, server_or_file: ServerDatabase | None) -> Iterator[Derived]:
    derived = Derived(tmp_path, server=server_or_file)
    yield derived
    derived.close()


@pytest.fixture
def twin(derived: Derived) -> Iterator[Twin]:
    with open_twin(derived.bench.path) as twin:
        yield twin


def ask(twin: Twin, path: str, *options: tuple[str, str]) -> Any:
    answer = twin.answer(path, options, BASE, NOW_S)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


class Follower:
    """Keeps one observation for each Datastream, interval, node and sensor, as the README tells followers to."""

    def __init__(self, twin: Twin, top: int = 7) -> None:
        self.twin = twin
        self.top = str(top)
        self.last = 0
        self.held: dict[tuple[str, ...], dict[str, Any]] = {}
        self.ever: list[int] = []

    def follow(self) -> list[dict[str, Any]]:
        """Read everything above the last number, a few a page; returns what came."""
        came: list[dict[str, Any]] = []
        path, options = (
            "Observations",
            [("$filter", f"id gt {self.last}"), ("$orderby", "id"), ("$top", self.top), EXPAND],
        )
        while True:
            body = ask(self.twin, path, *options)
            came += body["value"]
            link = body.get("@iot.nextLink")
            if link is None:
                break
            path, options = urlsplit(link).path.removeprefix("/v1.1/"), parse_qsl(urlsplit(link).query)
        for observation in came:
            self.held[self._key(observation)] = observation
            self.last = observation["@iot.id"]
            self.ever.append(self.last)
        return came

    @staticmethod
    def _key(observation: dict[str, Any]) -> tuple[str, ...]:
        made_by = observation["parameters"]
        return observation["Datastream"]["name"], observation["phenomenonTime"], made_by["node"], made_by["sensor"]

    def holds_what_is_there(self) -> bool:
        """True when it holds exactly what the API has now, and read no number twice."""
        everything = ask(self.twin, "Observations", ("$top", "10000"), EXPAND)["value"]
        held = sorted(self.held.values(), key=lambda observation: int(observation["@iot.id"]))
        return held == everything and len(self.ever) == len(set(self.ever))


def say(derived: Derived, speaker: Speaker, *starts: int, value: int = 100, first: bool = False) -> None:
    """Send frames of 15 readings of one value each, a minute apart, from `starts` (minutes after HOUR_S)."""
    rows: list[list[int | None]] = [[value, 200, 5]] * 15
    messages = [speaker.channels()] if first else []
    derived.bench.committer.commit([*messages, *(speaker.frame(rows, HOUR_S + 60 * m) for m in starts)])
    derived.keeper.advance()


def quarters(twin: Twin) -> dict[str, dict[str, Any]]:
    """The 15-minute values of PM2.5 by the begin of their interval."""
    query = f"name eq 'pm2_5 15min, Rathausplatz' and Thing/id eq {SITE}"
    (stream,) = ask(twin, "Datastreams", ("$filter", query), ("$expand", "Observations"))["value"]
    return {o["phenomenonTime"].partition("/")[0]: o for o in stream["Observations"]}


def test_backfilled_frames_come_once_and_into_their_own_intervals(derived: Derived, twin: Twin) -> None:
    speaker, follower = Speaker(), Follower(twin)
    say(derived, speaker, 0, 30, 45, first=True)
    follower.follow()
    assert iso(HOUR_S + 900) not in quarters(twin)
    say(derived, speaker, 15, value=300)  # the gap, an hour late
    came = follower.follow()
    raw = [o for o in came if o["parameters"]["firmware"] is not None]
    assert len(raw) == 3 * 15
    assert {o["phenomenonTime"].partition("/")[0] for o in raw} == {iso(HOUR_S + 60 * m) for m in range(15, 30)}
    assert quarters(twin)[iso(HOUR_S + 900)]["result"] == 30.0
    assert follower.holds_what_is_there()


def test_late_reading_corrects_the_rollup_under_a_new_id_that_names_the_old(derived: Derived, twin: Twin) -> None:
    speaker, other, follower = Speaker(), Speaker(log=9), Follower(twin)
    rows: list[list[int | None]] = [[100, 200, 5]] * 10
    derived.bench.committer.commit(
        [speaker.channels(), speaker.frame(rows, HOUR_S), speaker.frame(rows, HOUR_S + 1800)]
    )
    derived.keeper.advance()
    follower.follow()
    before = quarters(twin)[iso(HOUR_S)]
    late: list[list[int | None]] = [[200, 200, 5]] * 5
    derived.bench.committer.commit([other.channels(), other.frame(late, HOUR_S + 600)])
    derived.keeper.advance()
    follower.follow()
    after = quarters(twin)[iso(HOUR_S)]
    assert before["result"] == 10.0
    assert after["result"] == pytest.approx((10 * 10 + 5 * 20) / 15)
    assert after["@iot.id"] > before["@iot.id"]
    assert after["parameters"]["replaces"] == before["@iot.id"]
    assert twin.answer(f"Observations({before['@iot.id']})", (), BASE, NOW_S).status == 404
    assert follower.holds_what_is_there()


def test_corrected_twice_between_two_looks_comes_once_and_leaves_nothing_old(derived: Derived, twin: Twin) -> None:
    """The number in between was never seen: what is held is known by Datastream, interval, node and sensor."""
    speaker, follower = Speaker(), Follower(twin)
    rows: list[list[int | None]] = [[100, 200, 5]] * 10
    derived.bench.committer.commit(
        [speaker.channels(), speaker.frame(rows, HOUR_S), speaker.frame(rows, HOUR_S + 1800)]
    )
    derived.keeper.advance()
    follower.follow()
    for log, minute in ((9, 600), (10, 720)):
        other = Speaker(log=log)
        derived.bench.committer.commit([other.channels(), other.frame([[300, 200, 5]], HOUR_S + minute)])
        derived.keeper.advance()
    follower.follow()
    assert follower.holds_what_is_there()


def test_decisions_of_people_come_as_new_ids(derived: Derived, twin: Twin) -> None:
    speaker, follower = Speaker(), Follower(twin)
    say(derived, speaker, 0, 15, 30, first=True)
    follower.follow()
    calibration = Calibration(0, Target("pm2_5", site_id=SITE), HOUR_S, None, offset=1.0, gain=0.5)
    derived.decide("calibrate", document_of(calibration))
    derived.decide("invalidate", document_of(Invalidation(0, SITE, None, "temperature", HOUR_S, HOUR_S + 900, "paint")))
    derived.keeper.advance()
    came = follower.follow()
    corrected = [o for o in came if o["parameters"]["calibration"] == 1]
    assert {o["result"] for o in corrected} == {1.0 + 0.5 * 10.0}
    invalid = [o for o in came if "invalidated" in o["resultQuality"]["flags"] and o["parameters"]["firmware"]]
    assert len(invalid) == 15
    assert all(not o["resultQuality"]["usable"] and o["parameters"]["replaces"] for o in invalid)
    assert follower.holds_what_is_there()


def test_raw_and_corrected_are_two_datastreams(derived: Derived, twin: Twin) -> None:
    say(derived, Speaker(), 0, 15, first=True)
    assert ask(twin, "Datastreams", ("$filter", "properties/aggregate eq 'corrected'"))["value"] == []
    calibration = Calibration(0, Target("pm2_5", site_id=SITE), HOUR_S + 900, None, offset=1.0, gain=0.5)
    derived.decide("calibrate", document_of(calibration))
    derived.keeper.advance()
    expand = ("$expand", "Observations($select=result)")
    found = ask(twin, "Datastreams", ("$filter", "properties/quantity eq 'pm2_5'"), expand)["value"]
    results = {d["properties"]["aggregate"]: [o["result"] for o in d["Observations"]] for d in found}
    assert results["raw"] == [10.0] * 30
    assert results["corrected"] == [6.0] * 15  # from the time on in which the calibration holds


def test_derived_quantities_are_datastreams_and_late_readings_correct_them(derived: Derived, twin: Twin) -> None:
    """A night with an hour missing; the hour comes a day late, and loud."""
    speaker, other, follower = Speaker(), Speaker(log=9), Follower(twin, top=1000)
    begin_s = HOUR_S // 86_400 * 86_400 - 4 * 86_400 + 5 * 3600  # 6:00 in Kempten
    derived.bench.write("UPDATE deployment SET since_s = 0")
    say_levels(derived, speaker, 500, [begin_s + 1800 * half for half in range(52) if half not in (36, 37)])
    follower.follow()
    before = newest_of(twin)
    assert before["lden"]["result"] == pytest.approx(56.4, abs=0.1)  # 50 dB day and night
    assert before["lnight"]["result"] == pytest.approx(50.0)
    assert before["lnight"]["phenomenonTime"] == f"{iso(begin_s + 16 * 3600)}/{iso(begin_s + 86_400)}"
    assert before["air_quality_index"]["result"] == 2
    say_levels(derived, other, 900, [begin_s + 1800 * half for half in (36, 37)])
    came = {o["@iot.id"]: o for o in follower.follow()}
    after = newest_of(twin)
    for name, result in (("lden", 86.3), ("lnight", 81.0)):
        assert after[name]["result"] == pytest.approx(result, abs=0.1)
        assert came[after[name]["@iot.id"]]["parameters"]["replaces"] == before[name]["@iot.id"]
        assert twin.answer(f"Observations({before[name]['@iot.id']})", (), BASE, NOW_S).status == 404
    assert follower.holds_what_is_there()


def say_levels(derived: Derived, speaker: Speaker, level: int, starts: list[int]) -> None:
    """Send half hours of one sound level (tenths of dB) and clean air."""
    channels = (["laeq", "dB", 10, "mic"], ["pm2_5", "ug/m3", 10, "air"])
    rows: list[list[int | None]] = [[level, 100]] * 30
    messages = [speaker.channels(channels), *(speaker.frame(rows, start_s) for start_s in starts)]
    derived.bench.committer.commit(messages)
    derived.keeper.advance()


def newest_of(twin: Twin) -> dict[str, dict[str, Any]]:
    """The newest observation of each derived quantity."""
    expand = ("$expand", "Observations($top=1;$orderby=phenomenonTime desc)")
    found = ask(twin, "Datastreams", ("$filter", "properties/method ne null"), expand)["value"]
    return {d["properties"]["quantity"]: d["Observations"][0] for d in found}
