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

from device_manager import fleet, twin_out
from device_manager.errors import UsageError
from device_manager.settings import Settings
from device_manager.twin.catalogue import Catalogue
from device_manager.twin.export import citygml, files, sumo
from device_manager.twin.observations import Rows
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


@pytest.mark.parametrize("edges", [sumo.Edges("e1", "e2"), sumo.Edges("e1", "e1")], ids=["two edges", "one edge"])
def test_sumo_has_the_public_counts_and_no_small_one(twin: Twin, edges: sumo.Edges) -> None:
    """edgeData and detectors say the same; a sum that misses a direction is left out."""
    catalogue, observed, _ = twin.sight(View(), NOW_S)
    streams = [s for s in catalogue.streams.values() if s.aggregate == "15min"]
    rows = observed.rows(catalogue, streams, *EVER)
    gates = sumo.gates(catalogue, {SITE: edges})
    found = sumo.passed(catalogue, rows, gates)
    wanted = counted(rows, [catalogue.by_key[SITE, name, "15min"] for name in sumo.COUNTS], together=len(gates) == 1)
    since_s = EVER[0] // 900 * 900
    data = ET.fromstring(sumo.edge_data(found, since_s))
    assert wanted
    assert [(int(i.get("begin", "")) + since_s, int(e.get("entered", ""))) for i in data for e in i] == wanted
    assert all(int(i.get("end", "")) - int(i.get("begin", "")) == 900 for i in data)
    counts = list(csv.DictReader(io.StringIO(sumo.detector_counts(found, since_s)), delimiter=";"))
    assert [(60 * int(c["Time"]) + since_s, int(c["qPKW"])) for c in counts] == wanted
    lanes = {d.get("id"): d.get("lane") for d in ET.fromstring(sumo.detectors(gates))}
    assert {c["Detector"] for c in counts} <= set(lanes)
    assert sorted(lanes.values()) == sorted({f"{edge}_0" for edge in edges})


def counted(rows: Rows, streams: list[int], *, together: bool) -> list[tuple[int, int]]:
    """(begin, count) of every quarter: of each direction, or of both together where both are there."""
    found = []
    for start_s in sorted(set(rows.start_s.tolist())):
        values = [rows.value[(rows.stream == i) & (rows.start_s == start_s)] for i in streams]
        known = [int(value[0]) for value in values if len(value) and value[0] >= 5]
        if together:
            found += [(start_s, sum(known))] if len(known) == len(streams) else []
        else:
            found += [(start_s, count) for count in known]
    return found


@pytest.mark.parametrize(
    ("aggregates", "edges", "said"),
    [
        ({"raw"}, {"rathausplatz": "e1"}, "expected one of 15min, 1h, 1d, got raw"),
        ({"15min", "1h"}, {"rathausplatz": "e1"}, "expected one of 15min, 1h, 1d, got 15min, 1h"),
        (set(), {"nowhere": "e1"}, "expected --edge SITE=EDGE of known sites, got the unknown nowhere"),
        (set(), {}, "expected --edge SITE=EDGE of known sites, got none"),
    ],
)
def test_sumo_export_that_would_mix_or_miss_counts_is_refused(
    derived: Derived, tmp_path: Path, aggregates: set[str], edges: dict[str, str], said: str
) -> None:
    """A total of passages, or counts of a quarter beside those of its hour, would count people twice."""
    choice = twin_out.Choice(frozenset(), frozenset(), frozenset(aggregates), *EVER)
    settings = Settings(Path(str(derived.bench.path)).parent)
    with pytest.raises(UsageError, match=said):
        twin_out.export(settings, "sumo", tmp_path / "out", choice, public=True, edges=edges, scope=fleet.local())


def test_sumo_export_writes_counts_and_definitions(derived: Derived, tmp_path: Path) -> None:
    choice = twin_out.Choice(frozenset(), frozenset(), frozenset(), *EVER)
    settings, edges = Settings(Path(str(derived.bench.path)).parent), {"rathausplatz": "e1,e2"}
    for form, name in (("sumo", "edges.xml"), ("sumo-detectors", "counts.csv")):
        twin_out.export(settings, form, tmp_path / name, choice, public=True, edges=edges, scope=fleet.local())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["counts.csv", "counts.detectors.xml", "edges.xml"]
    assert len((tmp_path / "counts.csv").read_text("utf-8").splitlines()) > 1
