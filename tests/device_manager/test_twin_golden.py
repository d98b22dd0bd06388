"""What QGIS, VC Map, Masterportal, pysta and aio-sensorthings send, as their sources say, with the answers checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from device_manager.twin.service import Twin
from device_manager.twin_side import open_twin
from tests.fakes.derived import SITE, Derived
from tests.fakes.naive_twin import iso
from tests.fakes.speaker import START_S, Speaker

BASE = "http://city.example/v1.1"
QUARTER_S = START_S // 900 * 900 + 900  # the first whole quarter of an hour
MINUTES = 75
INSIDE = "geography'POLYGON((10.2 47.6,10.4 47.6,10.4 47.8,10.2 47.8,10.2 47.6))'"
OUTSIDE = "geography'POLYGON ((11 48,12 48,12 49,11 49,11 48))'"


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    """A site whose PM2.5 is 1.0, 1.1, 1.2 .. from QUARTER_S on, a value a minute."""
    derived = Derived(tmp_path_factory.mktemp("golden"))
    speaker = Speaker()
    rows: list[list[int | None]] = [[10 + i, 200, i] for i in range(MINUTES)]
    messages = [speaker.channels()]
    messages += [speaker.frame(rows[i : i + 25], QUARTER_S + 60 * i) for i in range(0, MINUTES, 25)]
    derived.bench.committer.commit(messages)
    derived.keeper.advance()
    with open_twin(Path(derived.bench.path)) as twin:
        yield twin
    derived.close()


def ask(twin: Twin, request: str) -> Any:
    """Send a request string as a client writes it, `/Things?..`, through the same reading of the URL as the server."""
    path, _, query = request.removeprefix("/").partition("?")
    answer = twin.answer(path, parse_qsl(query, keep_blank_values=True), BASE, QUARTER_S + 90_000)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def minute(index: int) -> str:

    return iso(QUARTER_S + 60 * index)


def stream(twin: Twin, name: str) -> int:
    (found,) = ask(twin, f"/Datastreams?$filter=name eq '{name}, Rathausplatz'")["value"]
    return int(found["@iot.id"])


# QGIS 3.38 and later


def test_qgis_finds_collections_and_the_version_in_the_service_root(twin: Twin) -> None:
    root = ask(twin, "")
    assert {"name": "Datastreams", "url": f"{BASE}/Datastreams"} in root["value"]
    conformance = root["serverSettings"]["conformance"]
    assert any(c.endswith("/datamodel") and "/1.1/" in c for c in conformance)
    assert not any("multi-datastream" in c for c in conformance)


def test_qgis_counts_before_it_reads(twin: Twin) -> None:
    assert ask(twin, "/Locations?$top=0&$count=true") == {"@iot.count": 1, "value": []}
    assert (
        ask(twin, f"/Datastreams({stream(twin, 'pm2_5 raw')})/Observations?$top=0&$count=true")["@iot.count"] == MINUTES
    )
    assert "@iot.count" not in ask(twin, "/Locations?$top=200&$count=false")


def test_qgis_reads_what_lies_in_the_map(twin: Twin) -> None:
    (found,) = ask(twin, f"/Locations?$top=200&$count=false&$filter=geo.intersects(location, {INSIDE})")["value"]
    assert found["location"] == {"type": "Point", "coordinates": [10.3, 47.7, 3.0]}
    assert ask(twin, f"/Locations?$filter=geo.intersects(location, {OUTSIDE})")["value"] == []
    kind = "location/type eq 'Point' or location/geometry/type eq 'Point'"
    assert len(ask(twin, f"/Locations?$top=1&$count=false&$filter={kind}")["value"]) == 1
    assert ask(twin, "/Locations?$top=1&$filter=location/type eq 'Polygon'")["value"] == []


def test_qgis_expands_observations_of_datastreams_of_things(twin: Twin) -> None:
    inner = "Observations($orderby=phenomenonTime desc;$top=100)"
    query = f"/Things?$top=10&$expand=Datastreams($orderby=name;$top=10;$expand={inner})"
    (thing,) = ask(twin, query)["value"]
    names = [d["name"] for d in thing["Datastreams"]]
    assert names == sorted(names)
    assert len(names) == 10
    assert "$top=10&$skip=10" in thing["Datastreams@iot.nextLink"]
    of = {d["name"]: [o["result"] for o in d["Observations"]] for d in thing["Datastreams"]}
    assert of["pm2_5 raw, Rathausplatz"] == [(10 + i) / 10 for i in reversed(range(MINUTES))]


# VC Map, plugin map-sensorthings


def test_vc_map_finds_things_by_property_and_place(twin: Twin) -> None:
    condition = f"Datastreams/ObservedProperty/name eq 'pm2_5' and st_within(Locations/location, {INSIDE})"
    query = f"/Things?\n      $top=1000\n  & $filter={condition}\n  &\n  $expand=Locations($top=1)"
    (thing,) = ask(twin, query)["value"]
    assert thing["Locations"][0]["location"]["coordinates"][:2] == [10.3, 47.7]
    assert ask(twin, query.replace("'pm2_5'", "'no2'"))["value"] == []
    assert ask(twin, query.replace(INSIDE, OUTSIDE))["value"] == []


def test_vc_map_reads_the_newest_value(twin: Twin) -> None:
    query = (
        f"/Datastreams?$filter=ObservedProperty/name eq 'pm2_5' and Thing/id eq {SITE}"
        "&$orderby=Observations/phenomenonTime desc&$top=1"
        "&$expand=Observations($top=1;$orderby=phenomenonTime desc)"
    )
    (found,) = ask(twin, query)["value"]
    assert found["name"] == "pm2_5 raw, Rathausplatz"
    assert [o["result"] for o in found["Observations"]] == [(10 + MINUTES - 1) / 10]


def test_vc_map_reads_a_stretch_of_time(twin: Twin) -> None:
    window = f"$filter=phenomenonTime ge {minute(10)} and phenomenonTime lt {minute(20)}"
    inner = f"{window};$top=1000;$orderby=phenomenonTime asc"
    query = f"/Things({SITE})/Datastreams?$filter=ObservedProperty/name eq 'pm2_5'&$expand=Observations({inner})"
    found = {d["properties"]["aggregate"]: d["Observations"] for d in ask(twin, query)["value"]}
    assert [o["result"] for o in found["raw"]] == [(20 + i) / 10 for i in range(10)]
    assert [o["phenomenonTime"] for o in found["raw"]][0] == f"{minute(10)}/{minute(11)}"
    assert [o["phenomenonTime"] for o in found["15min"]] == [f"{minute(15)}/{minute(30)}"]


# Masterportal


def test_masterportal_finds_things_by_name_and_place(twin: Twin) -> None:
    condition = f"startswith(Things/name,'Rat') and st_within(Locations/location,{INSIDE})"
    assert [t["name"] for t in ask(twin, f"/Things?$filter={condition}&$expand=Locations")["value"]] == ["Rathausplatz"]
    assert ask(twin, f"/Things?$filter={condition.replace('Rat', 'Rot')}&$expand=Locations")["value"] == []


def test_masterportal_selects_a_layer_and_follows_the_link_within(twin: Twin) -> None:
    window = f"phenomenonTime ge {minute(0)} and phenomenonTime lt {minute(60)}"
    inner = f"$filter=properties/layerName eq 'pm2_5_15-Min';$expand=Observations($filter={window};$top=3)"
    thing = ask(twin, f"/Things({SITE})?$expand=Datastreams({inner})")
    (found,) = thing["Datastreams"]
    assert [o["result"] for o in found["Observations"]] == pytest.approx([1.7, 3.2, 4.7])
    link = found["Observations@iot.nextLink"]
    assert "$top=3&$skip=3" in link
    (rest,) = ask(twin, urlsplit(link).path.removeprefix("/v1.1") + "?" + urlsplit(link).query)["value"]
    assert rest["phenomenonTime"] == f"{minute(45)}/{minute(60)}"
    assert rest["result"] == pytest.approx(6.2)


def test_masterportal_expands_by_path(twin: Twin) -> None:
    body = ask(twin, "/Things?$expand=Locations,Datastreams/Observations&$count=true")
    assert body["@iot.count"] == 1
    (thing,) = body["value"]
    assert len(thing["Locations"]) == 1
    assert all("Observations" in d for d in thing["Datastreams"])


# pysta and aio-sensorthings


def test_pysta_orders_by_id_always(twin: Twin) -> None:
    (last,) = ask(twin, "/Datastreams?$orderby=id desc&$top=1")["value"]
    names = [d["@iot.id"] for d in ask(twin, "/Datastreams?$orderby=id asc")["value"]]
    assert names == sorted(names)
    assert last["@iot.id"] == names[-1]
    assert (
        len(ask(twin, "/Things?$orderby=id asc&$filter=name eq 'Rathausplatz'&$top=1&$expand=Datastreams")["value"])
        == 1
    )


def test_aio_sensorthings_reads_ids_only(twin: Twin) -> None:
    expand = "Thing($select=@iot.id),Sensor($select=@iot.id),ObservedProperty($select=@iot.id)"
    query = f"/Datastreams?$top=1000&$expand={expand}"
    for datastream in ask(twin, query)["value"]:
        for name in ("Thing", "Sensor", "ObservedProperty"):
            assert list(datastream[name]) == ["@iot.id"]
            assert isinstance(datastream[name]["@iot.id"], int)
    assert ask(twin, "/Things?$top=1000&$expand=Locations($select=@iot.id)")["value"][0]["Locations"] == [
        {"@iot.id": 1}
    ]
    assert ask(twin, "/Things?$filter=name eq 'St. Mang''s'&$orderby=@iot.id asc")["value"] == []


def test_form_encoded_requests_of_frost_sta_client_are_read(twin: Twin) -> None:
    found = ask(twin, "/Things?%24filter=name+eq+%27Rathausplatz%27&%24expand=Locations&%24count=true&%24top=1")
    assert found["@iot.count"] == 1
    early = f"phenomenonTime+lt+{minute(5).replace('Z', '+00:00')}"  # a + that nobody encoded
    observed = ask(twin, f"/Datastreams({stream(twin, 'pm2_5 raw')})/Observations?$filter={early}")
    assert len(observed["value"]) == 5
