"""Pushes against strict doubles that fail: the cursor neither skips nor repeats. No real server was met."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_manager.adapters.push_httpx import HttpExchange
from device_manager.adapters.store_cursors import SqlCursors
from device_manager.adapters.store_operations import Operations
from device_manager.twin.public import FULL, View
from device_manager.twin.push import frost as frost_module
from device_manager.twin.push.frost import Frost
from device_manager.twin.push.http import NoAnswer, PushError
from device_manager.twin.push.ngsi import Ngsi
from device_manager.twin.service import Twin
from device_manager.twin_side import open_twin
from tests.fakes.derived import Derived
from tests.fakes.frost import FakeFrost
from tests.fakes.ngsi import FakeBroker
from tests.fakes.open_city import NOW_S, city
from tests.fakes.speaker import START_S, Speaker


class FakeCursors:
    """Cursors in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}

    def get(self, name: str) -> int | None:
        return self.kept.get(name)

    def put(self, name: str, number: int) -> None:
        self.kept[name] = number


@pytest.fixture(scope="module")
def derived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Derived]:
    derived = city(tmp_path_factory.mktemp("push"), frames=4)
    yield derived
    derived.close()


@pytest.fixture(scope="module")
def twin(derived: Derived) -> Iterator[Twin]:
    with open_twin(derived.bench.path) as twin:
        yield twin


def pushed(twin: Twin, server: FakeFrost, cursors: FakeCursors, tries: int = 60) -> int:
    """Push until there is no more, a new pusher after each failure, as a timer would; return how often it failed."""
    failures, pusher = 0, Frost(server, cursors, "frost")
    for _ in range(tries):
        catalogue, observed, _newests = twin.sight(FULL, NOW_S)
        try:
            if not pusher.step(catalogue, observed):
                return failures
        except PushError:
            failures += 1
            pusher = Frost(server, cursors, "frost")
    raise AssertionError("the push does not end")


def expected(twin: Twin) -> list[int]:
    catalogue, observed, _ = twin.sight(FULL, NOW_S)
    return sorted(observed.between(catalogue, 1, observed.last_number()).number.tolist())


def test_everything_is_pushed_once_and_a_second_push_sends_nothing(twin: Twin) -> None:
    server, cursors = FakeFrost(), FakeCursors()
    assert pushed(twin, server, cursors) == 0
    assert sorted(server.numbers()) == expected(twin)
    assert pushed(twin, server, cursors) == 0
    assert sorted(server.numbers()) == expected(twin)
    assert len(server.entities["Things"]) == 1


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["500", "lost", "timeout", "partial", ""]), max_size=12))
def test_push_neither_skips_nor_repeats_whatever_fails(twin: Twin, faults: list[str]) -> None:
    server, cursors = FakeFrost(), FakeCursors()
    server.faults = list(faults)
    failures = pushed(twin, server, cursors)
    used = faults[: len(faults) - len(server.faults)]
    assert failures == len([fault for fault in used if fault])
    assert sorted(server.numbers()) == expected(twin)


def test_cursor_stays_where_it_was_when_observations_were_refused(twin: Twin) -> None:
    server, cursors = FakeFrost(), FakeCursors()
    server.faults = ["partial"]
    catalogue, observed, _ = twin.sight(FULL, NOW_S)
    with pytest.raises(PushError, match="without one"):
        Frost(server, cursors, "frost").step(catalogue, observed)
    assert cursors.get("frost") is None
    assert cursors.get("frost/tried") == min(frost_module.BATCH, observed.last_number())


def test_correction_takes_the_place_of_what_it_corrects(tmp_path: Path) -> None:
    """Corrected twice between two pushes, so that the number in between was never there."""
    derived, server, cursors = Derived(tmp_path), FakeFrost(), FakeCursors()
    speaker = Speaker()
    rows: list[list[int | None]] = [[100, 200, 5]] * 10
    begin_s = START_S // 3600 * 3600 + 3600
    first = [speaker.channels(), speaker.frame(rows, begin_s), speaker.frame(rows, begin_s + 1800)]
    with open_twin(derived.bench.path) as twin:
        derived.bench.committer.commit(first)
        derived.keeper.advance()
        pushed(twin, server, cursors)
        for log, late_s in ((9, 600), (10, 720)):
            other = Speaker(log=log)
            derived.bench.committer.commit([other.channels(), other.frame([[300, 200, 5]], begin_s + late_s)])
            derived.keeper.advance()
        assert sorted(server.numbers()) != expected(twin)
        server.refuses_delete = True
        with pytest.raises(PushError, match="the deletion of Observation .*, which was corrected"):
            Frost(server, cursors, "frost").step(*twin.sight(FULL, NOW_S)[:2])
        server.refuses_delete = False
        pushed(twin, server, cursors)
        assert sorted(server.numbers()) == expected(twin)
    derived.close()


def test_push_at_public_grain_sends_nothing_finer(twin: Twin) -> None:
    server, cursors = FakeFrost(), FakeCursors()
    catalogue, observed, _ = twin.sight(View(), NOW_S)
    pusher = Frost(server, cursors, "frost")
    while pusher.step(catalogue, observed):
        pass
    assert {d["properties"]["aggregate"] for d in server.entities["Datastreams"]} <= {"15min", "1h", "1d"}
    counts = [i for i, d in enumerate(server.entities["Datastreams"], 1) if "footfall" in d["name"]]
    results = [o["result"] for i in counts for o in server.observations[i]]
    assert results
    assert all(result is None or result >= 5 for result in results)


def ngsi(twin: Twin, broker: FakeBroker, cursors: FakeCursors) -> bool:
    return Ngsi(broker, cursors, "ngsi").step(*twin.sight(FULL, NOW_S))


def test_ngsi_ld_entities_have_the_models_names_and_units(twin: Twin) -> None:
    broker, cursors = FakeBroker(), FakeCursors()
    assert ngsi(twin, broker, cursors) is False
    kinds = {entity["type"] for entity in broker.entities.values()}
    assert kinds == {"AirQualityObserved", "NoiseLevelObserved", "CrowdFlowObserved", "Device"}
    air = broker.entities["urn:ngsi-ld:AirQualityObserved:citynode:rathausplatz"]
    assert (air["pm25"]["unitCode"], air["temperature"]["unitCode"]) == ("GQ", "CEL")
    assert air["location"]["value"]["coordinates"][:2] == [10.3, 47.7]
    crowd = broker.entities["urn:ngsi-ld:CrowdFlowObserved:citynode:rathausplatz"]
    sides = crowd["peopleCountTowards"]["value"] + crowd["peopleCountAway"]["value"]
    assert crowd["peopleCount"]["value"] == sides
    device = broker.entities["urn:ngsi-ld:Device:citynode:kempten-01"]
    assert "pm2_5" in device["controlledProperty"]["value"]


@pytest.mark.parametrize("fault", ["500", "timeout", "partial"])
def test_ngsi_ld_cursor_moves_only_when_all_was_taken(twin: Twin, fault: str) -> None:
    broker, cursors = FakeBroker(), FakeCursors()
    broker.faults = [fault]
    with pytest.raises(PushError):
        ngsi(twin, broker, cursors)
    assert cursors.get("ngsi") is None
    ngsi(twin, broker, cursors)
    assert len(broker.entities) == 4
    requests = broker.requests
    assert ngsi(twin, broker, cursors) is False
    assert broker.requests == requests


def test_cursor_survives_the_process(tmp_path: Path) -> None:
    for number in (7, 9):
        operations = Operations(tmp_path / "citynode.db")
        SqlCursors(operations).put("frost", number)
        operations.close()
    operations = Operations(tmp_path / "citynode.db")
    assert SqlCursors(operations).get("frost") == 9
    assert SqlCursors(operations).get("other") is None
    operations.close()


def test_exchange_says_what_is_known_of_a_request() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("slow"):
            raise httpx.ReadTimeout("slow", request=request)
        kind = request.headers["content-type"]
        return httpx.Response(201, json=[kind, request.headers["authorization"]], headers={"Location": "http://a/T(7)"})

    exchange = HttpExchange("http://a/v1.1", "Bearer x", httpx.MockTransport(answer))
    assert exchange("POST", "Things", [{"@context": []}]).body == ["application/ld+json", "Bearer x"]
    assert exchange("POST", "Things", {}).location == "http://a/T(7)"
    with pytest.raises(NoAnswer):
        exchange("GET", "slow")
    exchange.close()
