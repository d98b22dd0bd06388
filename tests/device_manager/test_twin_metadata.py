"""What a twin must know beside the value: intervals, units, lineage, quality, place and its moves, terms."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device_manager.ports import Site
from device_manager.twin.describing import datastream, observed_property
from device_manager.twin.evaluation.budget import TIME_LIMIT_S, Budget
from device_manager.twin.naming import keys_needed
from device_manager.twin.ports import Measured, Terms
from device_manager.twin.service import Twin
from device_manager.twin_side import open_twin, retention
from firmware.wire import quality
from tests.fakes.derived import SITE, Derived
from tests.fakes.naive_twin import iso
from tests.fakes.speaker import START_S, Speaker

BASE = "http://city.example/v1.1"
MOVE_S = START_S + 600
PLACE = Site(SITE, "rathausplatz", "Rathausplatz", 47.7, 10.3, 3.0, "Mitte")


@pytest.fixture
def derived(tmp_path: Path) -> Iterator[Derived]:
    derived = Derived(tmp_path)
    speaker = Speaker()
    derived.bench.committer.commit([speaker.channels(), speaker.frame(flags=quality.WARM_UP)])
    derived.keeper.advance()
    yield derived
    derived.close()


@pytest.fixture
def twin(derived: Derived) -> Iterator[Twin]:
    with open_twin(derived.bench.path) as twin:
        yield twin


def ask(twin: Twin, path: str, *options: tuple[str, str], now_s: float = MOVE_S) -> Any:
    answer = twin.answer(path, options, BASE, now_s)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def test_datastream_says_unit_interval_layer_class_and_terms(twin: Twin) -> None:
    found = ask(twin, "Datastreams", ("$filter", "startswith(name,'pm2_5')"))["value"]
    by_aggregate = {d["properties"]["aggregate"]: d for d in found}
    assert set(by_aggregate) == {"raw", "15min", "1h", "1d"}
    quarter = by_aggregate["15min"]
    assert quarter["unitOfMeasurement"] == {
        "name": "microgram per cubic metre",
        "symbol": "ug/m3",
        "definition": "http://qudt.org/vocab/unit/MicroGM-PER-M3",
    }
    said = quarter["properties"]
    layers = {d["properties"]["layerName"]: d["properties"]["aggregateDuration"] for d in found}
    assert layers == {"pm2_5_Roh": None, "pm2_5_15-Min": "PT15M", "pm2_5_1-Stunde": "PT1H", "pm2_5_1-Tag": "P1D"}
    assert said["serviceName"] == "citynode"
    assert said["sensorClass"] == "CEN/TS 17660-2:2024: not classified, not for regulatory use"
    assert (said["licence"], bool(said["retention"])) == ("dl-de/by-2-0", True)


@pytest.mark.parametrize(
    ("quantity", "aggregate", "layer", "duration", "symbol", "weighting"),
    [
        ("air_quality_index", "1h", "air_quality_index_1-Stunde", "PT1H", "1", None),
        ("heating_degree_days", "1d", "heating_degree_days_1-Tag", "P1D", "K.d", None),
        ("lden", "noise_day", "lden_1-Laermtag", "P1D", "dB", "A"),
        ("lnight", "noise_day", "lnight_1-Laermtag", "PT8H", "dB", "A"),
    ],
)
def test_derived_datastream_says_unit_definition_interval_and_method(
    quantity: str, aggregate: str, layer: str, duration: str, symbol: str, weighting: str | None
) -> None:
    """Each has its one aggregate; what it means stands in ObservedProperty and `method`."""
    (key,) = keys_needed([Measured(4, 1, "air", quantity, symbol)], [])["Datastream"]
    assert key == f"4/{quantity}/{aggregate}"
    made = datastream(PLACE, Measured(4, 1, "air", quantity, symbol), aggregate, None, Terms())
    said = made["properties"]
    assert (said["layerName"], said["aggregateDuration"]) == (layer, duration)
    assert made["unitOfMeasurement"]["symbol"] == symbol
    assert re.search(r"20\d\d|VDI", said["method"])
    observed = observed_property(quantity)
    assert observed["properties"]["frequencyWeighting"] == weighting
    assert observed["definition"].startswith(("http", "urn:"))


def test_retention_is_that_of_the_policy(derived: Derived) -> None:
    policy = "window_days = 400\n[keep_days]\nfootfall_in = 1100\n"
    derived.bench.path.with_name("retention.toml").write_text(policy, "utf-8")
    terms = Terms(retention=retention(derived.bench.path.parent))
    with open_twin(derived.bench.path, terms) as twin:
        said = ask(twin, "Datastreams(1)")["properties"]["retention"]
    assert said == "aggregates are kept without end, and so are records, but for footfall_in after 1100 days"


def test_observation_says_interval_quality_and_lineage(twin: Twin) -> None:
    first = ask(twin, "Datastreams(1)/Observations", ("$top", "1"))["value"][0]
    second = ask(twin, "Observations(2)")
    assert first["phenomenonTime"] == f"{iso(START_S)}/{iso(START_S + 60)}"
    assert first["resultTime"] == iso(START_S + 60)
    lineage = {"node": "kempten-01", "sensor": "air", "firmware": "1.0", "configuration": 1}
    assert lineage.items() <= first["parameters"].items()
    marked = ask(twin, "Observations", ("$filter", f"parameters/q eq {quality.WARM_UP}"))["value"]
    assert [o["resultQuality"] for o in marked] == [{"usable": False, "flags": ["warm-up"]}]
    assert second["resultQuality"] == {"usable": True, "flags": []}


def test_site_that_moves_gets_a_location_and_keeps_the_old_one_for_what_was_measured_there(
    derived: Derived, twin: Twin
) -> None:
    (before,) = ask(twin, f"Things({SITE})/Locations")["value"]
    derived.bench.write("UPDATE site SET longitude = 10.32, height_m = 4.5")
    speaker = Speaker(log=8)
    derived.bench.committer.commit([speaker.channels(), speaker.frame(start_s=MOVE_S + 3600)])
    derived.keeper.advance()
    (after,) = ask(twin, f"Things({SITE})/Locations")["value"]
    assert after["@iot.id"] != before["@iot.id"]
    assert after["location"] == {"type": "Point", "coordinates": [10.32, 47.7, 4.5]}
    history = ask(twin, f"Things({SITE})/HistoricalLocations", ("$expand", "Locations"))["value"]
    assert [h["Locations"][0]["@iot.id"] for h in history] == [before["@iot.id"], after["@iot.id"]]
    assert history[1]["time"] == iso(MOVE_S)
    places = [o["FeatureOfInterest"]["feature"]["coordinates"][0] for o in ask(
        twin, "Datastreams(1)/Observations", ("$expand", "FeatureOfInterest"))["value"]]  # fmt: skip
    assert places == [10.3] * 3 + [10.32] * 3
    assert len(ask(twin, f"FeaturesOfInterest({after['@iot.id']})/Observations")["value"]) == 9
    assert ask(twin, f"Locations({before['@iot.id']})")["location"] == before["location"]


def test_thing_says_how_it_hangs_and_which_nodes_hung_there(derived: Derived, twin: Twin) -> None:
    derived.bench.write("UPDATE site SET heading_deg = 0, fixture = 'lamp post', gml_id = 'DEBY_LOD2_1'")
    said = ask(twin, f"Things({SITE})")["properties"]
    assert said["deviceId"] == "kempten-01"
    north = {"heightAboveGround_m": 3.0, "heightRef": "ground", "azimuth_deg": 0.0, "fixture": "lamp post"}
    assert said["mount"] == north
    assert said["cityObject"] == "DEBY_LOD2_1"
    assert ask(twin, "Datastreams(1)")["properties"]["cityObject"] == "DEBY_LOD2_1"
    assert said["deployments"] == [{"node": "kempten-01", "since": iso(START_S - 86_400), "until": None}]


@pytest.mark.parametrize(
    ("path", "option", "text", "status", "position"),
    [
        ("Things", "$filter", "name eq 'x' and nosuch gt 5", 400, 16),
        ("Things", "$filter", "name eq", 400, 7),
        ("Things", "$filter", "name eq 'open", 400, 8),
        ("Things", "$filter", "sqrt(id) gt 2", 400, 0),
        ("Things", "$filter", "st_within(Locations/location,geography'POLYGON((1')", 400, 29),
        ("Things", "$expand", "Datastreams($filter=nosuch eq 1)", 400, 20),
        ("Things", "$orderby", "id upwards", 400, 3),
        ("Observations", "$filter", "phenomenonTime gt 2026-13-01T00:00:00Z", 400, 18),
        ("Things", "$filter", "id add 1 eq 2", 501, 3),
        ("Things", "$filter", "id lt 3 and length(name) eq 2", 501, 12),
        ("Datastreams", "$filter", "Observations/result gt 5", 501, 0),
        ("Things", "$search", "x", 501, None),
        ("Things", "$nosuch", "x", 400, None),
        ("Things", "$resultFormat", "dataArray", 501, None),
        ("Things(77)", "$top", "1", 404, None),
        ("Nothing", "$top", "1", 404, None),
        ("Things/$ref", "$top", "1", 501, None),
    ],
)
def test_error_says_what_and_where(
    twin: Twin, path: str, option: str, text: str, status: int, position: int | None
) -> None:
    answer = twin.answer(path, [(option, text)], BASE, MOVE_S)
    said = json.loads(answer.body)
    assert (answer.status, said["code"], said.get("position")) == (status, status, position), said
    assert said["type"] == "error"
    assert said["message"]


def test_request_that_would_read_too_much_is_told_to_narrow(twin: Twin) -> None:
    asked = ("Observations", [("$orderby", "result"), ("$count", "true")], BASE, MOVE_S)
    assert twin.answer(*asked).status == 200
    answer = twin.answer(*asked, budget=Budget(5))
    assert answer.status == 501
    assert b"narrow it by phenomenonTime or id" in answer.body


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("Observations", [("$orderby", "result")]),
        ("Datastreams", [("$filter", "startswith(name,'pm')")]),
        ("Things", [("$expand", "Datastreams($expand=Observations($top=5))")]),
    ],
)
def test_request_that_takes_too_long_is_told_so(twin: Twin, path: str, options: list[tuple[str, str]]) -> None:
    clock = itertools.chain([0.0], itertools.repeat(TIME_LIMIT_S + 1))
    answer = twin.answer(path, options, BASE, MOVE_S, Budget(clock=lambda: next(clock)))
    assert answer.status == 503
    assert b"longer than 10 s: ask for fewer" in answer.body
    assert twin.answer(path, options, BASE, MOVE_S, Budget(clock=lambda: 0.0)).status == 200


def test_csv_geojson_and_data_array_say_the_same(twin: Twin) -> None:
    rows = ask(twin, "Observations", ("$top", "4"))["value"]
    array = ask(twin, "Observations", ("$top", "4"), ("$resultFormat", "dataArray"))["value"]
    assert [dict(zip(g["components"], row, strict=True))["id"] for g in array for row in g["dataArray"]] == [1, 2, 3, 4]
    text = twin.answer("Observations", [("$top", "4"), ("$resultFormat", "CSV")], BASE, MOVE_S).body.decode()
    names, *lines = text.splitlines()
    assert names.split(",")[:4] == ["id", "phenomenonTime", "resultTime", "result"]
    assert [line.split(",")[3] for line in lines] == [str(o["result"]) for o in rows]
    features = ask(twin, "Things", ("$resultFormat", "GeoJSON"))["features"]
    assert [f["geometry"]["coordinates"] for f in features] == [[10.3, 47.7, 3.0]]
    features = ask(twin, "Observations", ("$top", "4"), ("$resultFormat", "GeoJSON"))["features"]
    assert [f["properties"]["result"] for f in features] == [o["result"] for o in rows]
