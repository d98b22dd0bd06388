"""Clients from PyPI, unmodified, read a running demo: real nodes, broker, manager, HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import frost_sta_client
import httpx
import pytest
from stapy import Entity, Query
from stapy.common.config import config

from device_manager.adapters.twin_check import Unreachable, check
from device_manager.demo.service import Plan, running
from device_manager.settings import Timing
from tests.waiting import wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a demo in which both nodes report."""
    with running(Plan(nodes=2, timing=Timing(record_s=1, frame_s=3)), lambda _: None) as demo:
        twin = demo.manager.settings.twin
        base = f"http://{twin.host}:{twin.port}/v1.1"
        wait_for(lambda: _observed(base, 1) and _observed(base, 2))
        yield base


def _observed(base: str, thing: int) -> bool:
    query = "$expand=Observations($filter=result ne null)&$filter=startswith(name,'laeq raw')"
    found = httpx.get(f"{base}/Things({thing})/Datastreams?{query}", timeout=60).json().get("value", [])
    return bool(found) and all(len(d["Observations"]) > 5 for d in found)


@pytest.fixture(scope="module")
def frost(url: str) -> Any:
    return frost_sta_client.SensorThingsService(url)


def test_frost_client_reads_things_and_their_places(frost: Any) -> None:
    things = frost.things().query().expand("Locations").orderby("id", "ASC").list().entities
    assert [thing.name for thing in things] == ["Residenzplatz", "Hildegardplatz"]
    longitude, latitude, height_m = things[0].locations.entities[0].location["coordinates"]
    assert (round(longitude, 4), round(latitude, 4), height_m) == (10.3136, 47.7283, 3.5)
    (found,) = frost.things().query().filter("name eq 'Residenzplatz'").list().entities
    assert found.id == things[0].id
    assert frost.things().find(things[1].id).properties["deviceId"] == "kempten-02"


def test_frost_client_reads_datastreams_with_what_they_name(frost: Any) -> None:
    query = frost.datastreams().query().filter("ObservedProperty/name eq 'temperature' and Thing/id eq 1")
    found = query.expand("Thing,Sensor,ObservedProperty,Observations($top=2;$orderby=phenomenonTime desc)").list()
    by_name = {d.properties["aggregate"]: d for d in found.entities}
    assert set(by_name) == {"raw", "15min", "1h", "1d"}
    raw = by_name["raw"]
    assert (raw.thing.name, raw.observed_property.name) == ("Residenzplatz", "temperature")
    assert raw.unit_of_measurement.symbol == "Cel"
    newer, older = raw.observations.entities
    assert newer.phenomenon_time > older.phenomenon_time
    assert all(o.result is None or -30 < o.result < 45 for o in (newer, older))  # a first reading may be missing


def test_frost_client_follows_pages_to_the_end(frost: Any, url: str) -> None:
    (stream,) = frost.datastreams().query().filter("name eq 'laeq raw, Residenzplatz'").list().entities
    since = "phenomenonTime ge 2026-01-01T00:00:00Z"
    last = httpx.get(f"{url}/Datastreams({stream.id})/Observations?$orderby=id desc&$top=1", timeout=60).json()[
        "value"
    ][0]["@iot.id"]
    query = stream.get_observations().query().filter(f"{since} and id le {last}").top(3)
    found = [observation.id for observation in islice(query.list(), 10_000)]
    params = {"$filter": f"id le {last}", "$top": "10000"}
    whole = httpx.get(f"{url}/Datastreams({stream.id})/Observations", params=params).json()["value"]
    assert found == [observation["@iot.id"] for observation in whole]
    assert len(found) > 5


def test_frost_client_reads_the_count_and_an_error(frost: Any) -> None:
    assert frost.things().query().count().list().count == 2
    with pytest.raises(Exception, match="400"):
        frost.things().query().filter("nosuch eq 1").list()


def test_stapy_reads_things_datastreams_observations_filters_expands_and_pages(url: str) -> None:
    config.set(STA_URL=url + "/")
    assert Query(Entity.Thing).select("name").order("name").get_data_sets() == ["Hildegardplatz", "Residenzplatz"]
    aggregates = (
        Query(Entity.Datastream).filter("startswith(name,'laeq ')").expand("Thing($select=name;$orderBy=name asc)")
    )
    names, things = aggregates.select("name", "Thing.name").limit(3).get_data_sets()  # eight, three a page
    assert sorted(name for name in names if "raw" in name) == ["laeq raw, Hildegardplatz", "laeq raw, Residenzplatz"]
    assert len(names) == 8
    assert [name.partition(", ")[2] for name in names] == things
    stream_id = Query(Entity.Datastream).filter("name eq 'laeq raw, Residenzplatz'").select("@iot.id").get_data_sets()
    observations = Query(Entity.Datastream).entity_id(stream_id).sub_entity(Entity.Observation)
    found = observations.filter("result gt 0 and phenomenonTime gt 2026-01-01T00:00:00.000Z").order(
        "phenomenonTime", False
    )
    times, results = found.expand("Datastreams").select("phenomenonTime", "result").limit(4).get_data_sets()
    assert times == sorted(times, reverse=True)
    assert len(times) > 4
    assert all(10 < result < 140 for result in results)


def test_check_reads_everything_and_of_each_datastream_one_observation(url: str) -> None:
    found = {one.what: one for one in check(url, None)}
    assert all(one.ok for one in found.values()), found
    assert found["every page of things"].got == "2"
    present, asked = map(int, re.findall(r"\d+", found["the newest observation of the first Datastreams"].got))
    assert 0 < present <= asked == 20


def test_check_of_a_wrong_token_says_so_and_of_a_silent_address_is_one_line(url: str) -> None:
    wrong = check(url, "cnt_wrong")
    assert all(not one.ok and "401" in one.got for one in wrong)
    with pytest.raises(Unreachable, match="expected an answer at http://127.0.0.1:9/v1.1, got ConnectionError"):
        check("http://127.0.0.1:9/v1.1", None)
