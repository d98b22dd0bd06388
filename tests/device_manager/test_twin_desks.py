"""Answering at the same time: a slow request holds up nobody, and who waits too long is told to come again."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from device_manager.twin.service import Twin
from device_manager.twin_side import open_twin
from device_manager.web.open import application
from device_manager.web.open_desks import Busy, Desks
from tests.fakes.derived import Derived
from tests.fakes.random_fleet import NOW_S, RandomFleet
from tests.fakes.speaker import Speaker

PATHS = [
    "Things",
    "Datastreams?$expand=Observations($top=3)",
    "Observations?$top=50",
    "Observations?$filter=id gt 90",
    "Datastreams?$expand=Observations($top=1;$orderby=phenomenonTime desc)",
]


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    fleet = RandomFleet(tmp_path_factory.mktemp("desks"), 1)
    fleet.fill()
    with open_twin(Path(str(fleet.derived.bench.path))) as twin:
        yield twin
    fleet.derived.close()


def test_request_is_answered_while_another_one_is_at_work(twin: Twin) -> None:
    desks = Desks(twin, 2)
    with desks.take():
        assert TestClient(application(desks)).get("/v1.1/Things").status_code == 200


def test_who_waits_too_long_for_a_desk_is_told_to_come_again(twin: Twin) -> None:
    desks = Desks(twin, 1, wait_s=0.01)
    with desks.take(), pytest.raises(Busy, match="all desks were taken for"), desks.take():
        pass
    with desks.take():
        pass


@pytest.mark.parametrize("path", ["/v1.1/Things", "/", "/download.csv"])
def test_busy_is_503_with_a_time_to_come_again(twin: Twin, path: str) -> None:
    desks = Desks(twin, 1, wait_s=0.01)
    with desks.take():
        answer = TestClient(application(desks)).get(path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert TestClient(application(desks)).get(path).status_code == 200


def test_many_at_once_get_what_one_gets_alone(twin: Twin) -> None:
    """Every desk, again and again."""
    desks = Desks(twin, 3)
    alone = {path: answer(twin, path) for path in PATHS}

    def ask(path: str) -> tuple[str, bytes]:
        with desks.take() as one:
            return path, answer(one, path)

    with ThreadPoolExecutor(6) as pool:
        for path, body in pool.map(ask, PATHS * 8):
            assert body == alone[path]


def answer(twin: Twin, path: str) -> bytes:
    name, _, options = path.partition("?")
    pairs = [tuple(pair.split("=", 1)) for pair in options.split("&") if pair]
    return twin.answer(name, pairs, "http://city.example/v1.1", NOW_S).body  # type: ignore[arg-type]


def test_desks_share_what_they_know(tmp_path: Path) -> None:
    """A site's new Datastreams have the same ids at every desk."""
    derived = Derived(tmp_path)
    with open_twin(derived.bench.path) as twin:
        other = twin.beside()
        assert answer(twin, "Datastreams") == answer(other, "Datastreams")
        speaker = Speaker()
        derived.bench.committer.commit([speaker.channels(), speaker.frame()])
        derived.keeper.advance()
        assert b"pm2_5 raw" in answer(other, "Datastreams")
        assert answer(twin, "Datastreams") == answer(other, "Datastreams")
        assert twin.refresh(NOW_S) is other.refresh(NOW_S)
    derived.close()
