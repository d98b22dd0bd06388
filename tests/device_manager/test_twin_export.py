"""Exports, opened by the programs they are for."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import duckdb
import geopandas
import pytest

from device_manager.twin.catalogue import Catalogue
from device_manager.twin.export import citygml, files, sumo
from device_manager.twin.ports import Terms
from device_manager.twin.public import FULL, View
from device_manager.twin.service import Twin
from device_manager.twin_side import open_twin
from tests.fakes.derived import SITE, Derived
from tests.fakes.open_city import NOW_S, city
from tests.fakes.speaker import START_S

EVER = (START_S - 86_400, NOW_S + 86_400)


@pytest.fixture(scope="module")
def derived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Derived]:
    derived = city(tmp_path_factory.mktemp("export"), frames=20)
    yield derived
    derived.close()


@pytest.fixture(scope="module")
def twin(derived: Derived) -> Iterator[Twin]:
    with open_twin(derived.bench.path) as twin:
        yield twin


def api_sums(twin: Twin, view: View) -> dict[str, tuple[int, float]]:
    """(observations, sum of results) of each Datastream as the API gives them, all pages."""
    found = {}
    listed = json.loads(twin.answer("Datastreams", [("$top", "1000")], "http://c/v1.1", NOW_S, view=view).body)
    for stream in listed["value"]:
        path = f"Datastreams({stream['@iot.id']})/Observations"
        body = json.loads(twin.answer(path, [("$top", "10000")], "http://c/v1.1", NOW_S, view=view).body)
        results = [o["result"] for o in body["value"]]
        if results:
            name = f"{stream['properties']['quantity']} {stream['properties']['aggregate']}"
            found[name] = len(results), sum(r for r in results if r is not None)
    return found


@pytest.mark.parametrize("view", [FULL, View()], ids=["everything", "public"])
def test_duckdb_sums_of_parquet_equal_the_apis(twin: Twin, tmp_path: Path, view: View) -> None:
    catalogue, observed, _ = twin.sight(view, NOW_S)
    wanted = files.Wanted(list(catalogue.streams.values()), *EVER)
    count = files.write_parquet(tmp_path, catalogue, observed, wanted, Terms()._asdict())
    query = (
        f"SELECT quantity || ' ' || aggregate, count(*), coalesce(sum(value), 0) FROM "
        f"read_parquet('{tmp_path}/*/*.parquet', hive_partitioning = true) GROUP BY ALL"
    )
    found = {name: (number, total) for name, number, total in duckdb.sql(query).fetchall()}
    wanted_sums = api_sums(twin, view)
    assert {n: (c, pytest.approx(s)) for n, (c, s) in wanted_sums.items()} == found
    assert sum(number for number, _ in found.values()) == count
    assert len(list(tmp_path.iterdir())) > 1  # a folder a day
    codec = duckdb.sql(f"SELECT DISTINCT compression FROM parquet_metadata('{tmp_path}/*/*.parquet')").fetchall()
    assert codec == [("ZSTD",)]


def test_geopandas_reads_a_day_with_its_points(twin: Twin, tmp_path: Path) -> None:
    catalogue, observed, _ = twin.sight(View(), NOW_S)
    files.write_parquet(tmp_path, catalogue, observed, files.Wanted(list(catalogue.streams.values()), *EVER), {})
    frame = geopandas.read_parquet(next(tmp_path.glob("*/*.parquet")))
    assert (frame.geometry.x.iloc[0], frame.geometry.y.iloc[0], frame.geometry.z.iloc[0]) == (10.3, 47.7, 3.0)
    assert frame.crs == "OGC:CRS84"


def test_csv_has_every_observation_once(twin: Twin) -> None:
    catalogue, observed, _ = twin.sight(FULL, NOW_S)
    wanted = files.Wanted(list(catalogue.streams.values()), *EVER)
    rows = list(csv.DictReader(io.StringIO("".join(files.csv_text(catalogue, observed, wanted)))))
    numbers = [int(row["number"]) for row in rows]
    whole = observed.between(catalogue, 1, observed.last_number())
    assert sorted(numbers) == sorted(whole.number.tolist())
    assert rows[0]["start"].endswith("Z")


def with_wall(catalogue: Catalogue) -> Catalogue:
    """Hang the site's Datastreams at a wall, as a register with gml:ids would."""
    for entity in catalogue.entities["Datastream"].values():
        entity["properties"]["cityObject"] = "wall_17"
    return catalogue


def test_citygml_connects_a_wall_with_each_datastream(derived: Derived) -> None:
    with open_twin(derived.bench.path) as twin:
        catalogue = with_wall(twin.sight(View(), NOW_S)[0])
        text = citygml.dynamizers(catalogue, catalogue.streams, "https://twin.example/v1.1")
    names = {"dyn": citygml.DYN, "core": citygml.CORE}
    found = ET.fromstring(text).findall("core:featureMember/dyn:Dynamizer", names)
    assert len(found) == len(catalogue.streams)
    connection = found[0].find("dyn:sensorConnection/dyn:SensorConnection", names)
    assert connection is not None
    said = {child.tag.partition("}")[2]: child.text for child in connection}
    assert said["baseURL"] == "https://twin.example/v1.1"
    assert int(str(said["datastreamID"])) in catalogue.streams
    assert "wall_17" in str(found[0].findtext("dyn:attributeRef", namespaces=names))


def test_sumo_edges_have_the_public_counts_and_no_small_one(twin: Twin) -> None:
    catalogue, observed, _ = twin.sight(View(), NOW_S)
    rows = observed.rows(catalogue, list(catalogue.streams.values()), *EVER)
    data = ET.fromstring(sumo.edge_data(catalogue, rows, {SITE: "edge7"}, EVER[0]))
    counts = [int(edge.get("entered", "0")) for edge in data.iter("edge") if edge.get("id") == "edge7"]
    stream = catalogue.by_key[SITE, "footfall_in", "15min"]
    there = rows.value[(rows.stream == stream) & (rows.value >= 5)]
    assert sum(counts) == int(there.sum()) > 0
    assert all(int(i.get("end", "0")) - int(i.get("begin", "0")) == 900 for i in data.iter("interval"))
