"""SensorThings 1.1 over real stores: the service root, the eight collections, navigation, ids that stay."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from device_manager.twin.service import Twin
from device_manager.twin.times import iso
from device_manager.twin_side import open_twin
from tests.fakes.derived import SITE, Derived
from tests.fakes.speaker import START_S, Speaker

BASE = "http://city.example/v1.1"
NOW_S = START_S + 90_000
COLLECTIONS = ["Things", "Locations", "HistoricalLocations", "Datastreams", "Sensors", "ObservedProperties",
               "Observations", "FeaturesOfInterest"]  # fmt: skip


@pytest.fixture
def derived(tmp_path: Path) -> Iterator[Derived]:
    derived = Derived(tmp_path)
    yield derived
    derived.close()


@pytest.fixture
def twin(derived: Derived) -> Iterator[Twin]:
    with open_twin(derived.bench.path) as twin:
        yield twin


def get(twin: Twin, path: str, *options: tuple[str, str], status: int = 200) -> Any:
    answer = twin.answer(path, options, BASE, NOW_S)
    assert answer.status == status, answer.body
    return json.loads(answer.body)


def fill(derived: Derived, frames: int = 3) -> Speaker:
    speaker = Speaker()
    speak = [speaker.channels(), *(speaker.frame(start_s=START_S + 180 * i) for i in range(frames))]
    derived.bench.committer.commit(speak)
    derived.keeper.advance()
    return speaker


def test_service_root_lists_eight_collections_and_only_what_is_true(twin: Twin) -> None:
    root = get(twin, "")
    assert [entry["name"] for entry in root["value"]] == COLLECTIONS
    assert all(entry["url"] == f"{BASE}/{entry['name']}" for entry in root["value"])
    conformance = root["serverSettings"]["conformance"]
    assert "http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel" in conformance
    assert not any("create" in claim or "batch" in claim or "multi-datastream" in claim for claim in conformance)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_every_collection_of_an_empty_fleet_answers(twin: Twin, collection: str) -> None:
    assert isinstance(get(twin, collection, ("$orderby", "id desc"))["value"], list)
    get(twin, f"{collection}(999)", status=404)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_every_entity_and_every_link_of_it_can_be_followed(derived: Derived, twin: Twin, collection: str) -> None:
    fill(derived)
    first = get(twin, collection, ("$top", "1"))["value"][0]
    assert get(twin, first["@iot.selfLink"].removeprefix(BASE + "/")) == first
    for name, link in first.items():
        if name.endswith("@iot.navigationLink"):
            found = get(twin, link.removeprefix(BASE + "/"))
            assert "@iot.id" in (found["value"][0] if "value" in found else found)


def test_time_of_datastreams_stays_when_something_else_in_the_register_changes(derived: Derived, twin: Twin) -> None:
    fill(derived)
    before = {d["@iot.id"]: d["phenomenonTime"] for d in get(twin, "Datastreams")["value"] if "phenomenonTime" in d}
    derived.add_site(5, "residenz")
    after = {d["@iot.id"]: d.get("phenomenonTime") for d in get(twin, "Datastreams")["value"]}
    assert before
    assert {number: after[number] for number in before} == before


def test_page_behind_a_link_is_read_at_once(derived: Derived, twin: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(derived, frames=80)
    stream = get(twin, "Datastreams", ("$filter", "name eq 'pm2_5 raw, Rathausplatz'"))["value"][0]["@iot.id"]
    path = f"Datastreams({stream})/Observations"
    link = get(twin, path, ("$top", "61"))["@iot.nextLink"]
    reads = []
    monkeypatch.setattr(twin.reader, "rows", lambda *a, read=twin.reader.rows: reads.append(a[2:]) or read(*a))
    second = get(twin, path, *parse_qsl(urlsplit(link).query))["value"]
    assert [o["phenomenonTime"][:20] for o in second] == [iso(START_S + 60 * i) for i in range(61, 122)]
    assert len(reads) == 1, reads


def test_ids_stay_when_the_service_starts_again_and_when_the_node_is_replaced(derived: Derived, twin: Twin) -> None:
    fill(derived)
    before = {d["name"]: d["@iot.id"] for d in get(twin, "Datastreams")["value"]}
    derived.bench.register("kempten-02")
    derived.bench.write("UPDATE deployment SET until_s = ?", (START_S + 3600,))
    derived.bench.write(f"INSERT INTO deployment VALUES (2, 2, {SITE}, {START_S + 3600}, NULL)")
    other = Speaker("kempten-02", log=8)
    derived.bench.committer.commit([other.channels(), other.frame(start_s=START_S + 7200)])
    derived.keeper.advance()
    with open_twin(derived.bench.path) as again:
        after = {d["name"]: d["@iot.id"] for d in get(again, "Datastreams")["value"]}
        observed = get(again, f"Datastreams({after['pm2_5 raw, Rathausplatz']})/Observations")["value"]
    assert after == before
    assert [o["parameters"]["node"] for o in observed] == ["kempten-01"] * 9 + ["kempten-02"] * 3
