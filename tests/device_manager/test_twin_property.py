"""For random fleets and random questions the API's answer, page by page, is that of a naive look through everything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_manager.twin.service import Twin
from device_manager.twin_side import open_twin
from tests.fakes.naive_twin import Naive, Time, text_of
from tests.fakes.random_fleet import BASE, NOW_S, RandomFleet
from tests.fakes.speaker import START_S

SEEDS = (1, 2)
Fleets = list[tuple[Twin, Naive]]
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def fleets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleets]:
    with ExitStack() as stack:
        found = []
        for seed in SEEDS:
            fleet = RandomFleet(tmp_path_factory.mktemp(f"fleet{seed}"), seed)
            stack.callback(fleet.close)
            fleet.fill()
            twin = stack.enter_context(open_twin(Path(fleet.derived.bench.path)))
            found.append((twin, fleet.naive(twin)))
        yield found


def pages(twin: Twin, path: str, options: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return all bodies from the first page to the last."""
    bodies = []
    while True:
        answer = twin.answer(path, options, BASE, NOW_S)
        assert answer.status == 200, (path, options, answer.body)
        bodies.append(json.loads(answer.body))
        link = bodies[-1].get("@iot.nextLink")
        if link is None or len(bodies) > 2000:
            return bodies
        assert link.startswith(BASE)
        path, options = urlsplit(link).path.removeprefix("/v1.1/"), parse_qsl(urlsplit(link).query)
        assert {"$top", "$skip"} <= {name for name, _ in options}


operators = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])
times = st.integers(-100, 40_000).map(lambda s: Time(START_S + s))
texts = st.sampled_from(
    ["kempten-01", "kempten-02", "pm2_5", "raw", "1h", "Hofgarten", "atz", "temperature", "x'y", ""]
)
of_observations = st.one_of(
    st.tuples(st.just("compare"), operators, st.just("id"), st.integers(-5, 9000)),
    st.tuples(st.just("compare"), operators, st.just("result"),
              st.one_of(st.integers(-10, 60), st.floats(-10, 60).map(lambda x: round(x, 1)), st.none(), texts)),
    st.tuples(st.just("compare"), operators,
              st.sampled_from(["phenomenonTime", "resultTime"]), times),
    st.tuples(st.just("compare"), st.sampled_from(["eq", "ne"]), st.sampled_from([
        "parameters/node", "parameters/sensor", "parameters/firmware", "Datastream/properties/aggregate",
        "Datastream/ObservedProperty/name", "Datastream/Thing/name", "FeatureOfInterest/name", "Datastream/name"]),
        st.one_of(texts, st.none())),
    st.tuples(st.just("compare"), st.sampled_from(["eq", "ne", "gt"]), st.sampled_from([
        "parameters/q", "parameters/replaces", "parameters/calibration", "Datastream/id", "FeatureOfInterest/id"]),
        st.one_of(st.integers(0, 40), st.none())),
    st.tuples(st.just("call"), st.sampled_from(["startswith", "endswith", "contains"]),
              st.sampled_from(["Datastream/name", "parameters/node", "Datastream/Thing/name"]), texts),
)  # fmt: skip
of_datastreams = st.one_of(
    st.tuples(st.just("compare"), st.sampled_from(["eq", "ne", "lt", "ge"]), st.sampled_from([
        "name", "properties/quantity", "properties/aggregate", "Thing/name", "ObservedProperty/name", "Sensor/name",
        "Thing/Locations/name", "unitOfMeasurement/symbol", "Thing/Datastreams/name"]), texts),
    st.tuples(st.just("compare"), st.sampled_from(["eq", "ne", "gt", "le"]), st.just("id"), st.integers(0, 40)),
    st.tuples(st.just("compare"), st.sampled_from(["gt", "le"]), st.just("phenomenonTime"), times),
    st.tuples(st.just("call"), st.sampled_from(["startswith", "endswith", "contains"]),
              st.sampled_from(["name", "Thing/name", "properties/layerName", "Thing/Datastreams/name"]), texts),
)  # fmt: skip


def trees(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.recursive(
        leaf,
        lambda inner: st.tuples(st.sampled_from(["and", "or"]), inner, inner) | st.tuples(st.just("not"), inner),
        max_leaves=5,
    )


def orders(names: list[str]) -> st.SearchStrategy[list[tuple[str, bool]]]:
    return st.lists(st.tuples(st.sampled_from(names), st.booleans()), max_size=3)


def asked(tree: Any, keys: list[tuple[str, bool]], top: int, skip: int, count: bool) -> list[tuple[str, str]]:
    found = [("$top", str(top)), ("$skip", str(skip)), ("$count", str(count).lower())]
    found += [("$filter", text_of(tree))] if tree else []
    found += [("$orderby", ",".join(f"{p} {'desc' if d else 'asc'}" for p, d in keys))] if keys else []
    return found


@QUICK
@given(
    number=st.sampled_from(range(len(SEEDS))),
    stream=st.none() | st.integers(0, 20),
    tree=trees(of_observations),
    keys=orders(
        ["id", "phenomenonTime", "resultTime", "result", "parameters/q", "Datastream/id", "Datastream/Thing/name"]
    ),
    top=st.sampled_from([40, 400, 5000]),
    skip=st.sampled_from([0, 0, 7, 300]),
    count=st.booleans(),
)
def test_observations_are_those_of_the_naive_look(
    fleets: Fleets,
    number: int,
    stream: int | None,
    tree: Any,
    keys: list[tuple[str, bool]],
    top: int,
    skip: int,
    count: bool,
) -> None:
    twin, naive = fleets[number]
    datastreams = naive.entities["Datastreams"]
    path, among = "Observations", None
    if stream is not None:
        stream_id = datastreams[stream % len(datastreams)]["@iot.id"]
        path = f"Datastreams({stream_id})/Observations"
        among = [o["@iot.id"] for o in naive.entities["Observations"]
                 if naive.values("Observations", o, "Datastream/id") == [stream_id]]  # fmt: skip
    bodies = pages(twin, path, asked(tree, keys, top, skip, count))
    by_default = [("phenomenonTime", False)] if stream is not None else [("id", False)]
    wanted = naive.ask("Observations", among, tree, keys or by_default)
    known = {o["@iot.id"]: o for o in naive.entities["Observations"]}
    assert [o for body in bodies for o in body["value"]] == [known[i] for i in wanted[skip:]]
    assert all(len(body["value"]) <= top for body in bodies)
    if count:
        assert bodies[0]["@iot.count"] == len(wanted)


@QUICK
@given(
    number=st.sampled_from(range(len(SEEDS))),
    tree=trees(of_datastreams),
    keys=orders(["id", "name", "Thing/name", "properties/aggregate", "Thing/Datastreams/name", "phenomenonTime"]),
    top=st.sampled_from([1, 5, 100]),
    skip=st.sampled_from([0, 3]),
    count=st.booleans(),
)
def test_datastreams_are_those_of_the_naive_look(
    fleets: Fleets,
    number: int,
    tree: Any,
    keys: list[tuple[str, bool]],
    top: int,
    skip: int,
    count: bool,
) -> None:
    twin, naive = fleets[number]
    bodies = pages(twin, "Datastreams", asked(tree, keys, top, skip, count))
    wanted = naive.ask("Datastreams", None, tree, keys)
    assert [d["@iot.id"] for body in bodies for d in body["value"]] == wanted[skip:]
    if count:
        assert bodies[0]["@iot.count"] == len(wanted)


@settings(QUICK, max_examples=12)
@given(
    number=st.sampled_from(range(len(SEEDS))),
    tree=trees(of_observations),
    keys=orders(["phenomenonTime", "id", "result"]),
    top=st.sampled_from([1, 3, 50]),
    skip=st.sampled_from([0, 2]),
    count=st.booleans(),
)
def test_expanded_observations_and_their_links_are_those_of_the_naive_look(
    fleets: Fleets, number: int, tree: Any, keys: list[tuple[str, bool]], top: int, skip: int, count: bool
) -> None:
    twin, naive = fleets[number]
    inner = ";".join(f"{name}={value}" for name, value in asked(tree, keys, top, skip, count))
    (body,) = pages(twin, "Datastreams", [("$expand", f"Observations({inner})"), ("$top", "200")])
    of = observations_of(naive)
    for datastream in body["value"]:
        wanted = naive.ask("Observations", of[datastream["@iot.id"]], tree, keys or [("phenomenonTime", False)])
        assert [o["@iot.id"] for o in datastream["Observations"]] == wanted[skip : skip + top]
        assert datastream.get("Observations@iot.count") == (len(wanted) if count else None)
        assert ("Observations@iot.nextLink" in datastream) == (len(wanted) > skip + top)


@settings(QUICK, max_examples=12)
@given(
    number=st.sampled_from(range(len(SEEDS))),
    outer=trees(of_datastreams),
    keys=orders(["id", "name", "properties/quantity"]),
    top=st.sampled_from([1, 4, 200]),
    skip=st.sampled_from([0, 1]),
    inner=trees(of_observations),
    descending=st.booleans(),
    few=st.sampled_from([1, 5]),
)
def test_what_is_expanded_twice_is_that_of_the_naive_look(
    fleets: Fleets, number: int, outer: Any, keys: list[tuple[str, bool]], top: int, skip: int, inner: Any,
    descending: bool, few: int,
) -> None:  # fmt: skip
    """Things with some of their Datastreams in order, each with some of its observations; and back to the Thing."""
    twin, naive = fleets[number]
    order = [("phenomenonTime", descending)]
    deep = ";".join(f"{name}={value}" for name, value in asked(inner, order, few, 0, False))
    options = ";".join(f"{name}={value}" for name, value in asked(outer, keys, top, skip, True))
    expand = f"Locations,Datastreams({options};$expand=Observations({deep}),Thing($select=name))"
    (body,) = pages(twin, "Things", [("$expand", expand)])
    of = observations_of(naive)
    for thing in body["value"]:
        ids = naive.related("Things", thing["@iot.id"], "Datastreams")
        wanted = naive.ask("Datastreams", ids, outer, keys)
        assert [d["@iot.id"] for d in thing["Datastreams"]] == wanted[skip : skip + top]
        assert thing["Datastreams@iot.count"] == len(wanted)
        assert [p["@iot.id"] for p in thing["Locations"]] == naive.related("Things", thing["@iot.id"], "Locations")
        for datastream in thing["Datastreams"]:
            rows = naive.ask("Observations", of[datastream["@iot.id"]], inner, order)
            assert [o["@iot.id"] for o in datastream["Observations"]] == rows[:few]
            assert datastream["Thing"] == {"name": thing["name"]}


@QUICK
@given(
    number=st.sampled_from(range(len(SEEDS))),
    collection=st.sampled_from(["Observations", "Datastreams", "Things", "Sensors", "ObservedProperties"]),
    data=st.data(),
)
def test_selected_fields_are_those_and_no_others(
    fleets: Fleets, number: int, collection: str, data: st.DataObject
) -> None:
    twin, naive = fleets[number]
    entities = {e["@iot.id"]: e for e in naive.entities[collection]}
    fields = {name: name for name in next(iter(entities.values())) if "@" not in name} | {"id": "@iot.id"}
    fields |= {name.partition("@")[0]: name for name in next(iter(entities.values())) if name.endswith("avigationLink")}
    names = data.draw(st.lists(st.sampled_from(sorted(fields)), min_size=1, max_size=4, unique=True))
    options = [("$select", ",".join(names)), ("$orderby", "id"), ("$top", "20")]
    answer = twin.answer(collection, options, BASE, NOW_S)
    wanted = [{fields[name]: entities[i][fields[name]] for name in names} for i in sorted(entities)[:20]]
    assert json.loads(answer.body)["value"] == wanted


def observations_of(naive: Naive) -> dict[int, list[int]]:
    """The ids of each Datastream's observations."""
    found: dict[int, list[int]] = {d["@iot.id"]: [] for d in naive.entities["Datastreams"]}
    for o in naive.entities["Observations"]:
        found[naive.values("Observations", o, "Datastream/id")[0]].append(o["@iot.id"])
    return found
