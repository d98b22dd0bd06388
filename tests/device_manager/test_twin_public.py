"""What leaves without an account: public grain below every query, tokens, limits."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from device_manager.adapters.clock import SystemClock
from device_manager.adapters.store_accounts import SqlAccounts
from device_manager.adapters.store_audit import SqlAudit
from device_manager.adapters.store_operations import Operations
from device_manager.audit import Audit
from device_manager.errors import UsageError
from device_manager.scopes import TECHNICIAN, Forbidden, Scope
from device_manager.series.calendar import NOISE_DAY
from device_manager.twin import accounts as tokens
from device_manager.twin.accounting import Accounting
from device_manager.twin.admitting import Door
from device_manager.twin.limits import Limiter
from device_manager.twin.public import COUNTS, FULL, MINUTES, Grain, View
from device_manager.twin.service import Twin
from device_manager.twin_side import open_twin
from device_manager.web.open import application
from tests.fakes.derived import SITE, Derived
from tests.fakes.open_city import NOW_S, city

BASE = "http://city.example/v1.1"
ANNA = Scope("anna")


@pytest.fixture(scope="module")
def derived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Derived]:
    derived = city(tmp_path_factory.mktemp("public"))
    yield derived
    derived.close()


@pytest.fixture(scope="module")
def twin(derived: Derived) -> Iterator[Twin]:
    with open_twin(derived.bench.path) as twin:
        yield twin


def get(twin: Twin, path: str, options: dict[str, str], view: View) -> Any:
    answer = twin.answer(path, list(options.items()), BASE, NOW_S, view=view)
    return answer.status, json.loads(answer.body) if answer.media_type == "application/json" else answer.body


def every(found: Any) -> Iterator[dict[str, Any]]:
    """Walk through everything in an answer that is an entity."""
    if isinstance(found, dict):
        yield found
        for inner in found.values():
            yield from every(inner)
    elif isinstance(found, list):
        for inner in found:
            yield from every(inner)


def truth_of(twin: Twin) -> dict[int, tuple[str, str, float]]:
    """(quantity, aggregate, value) of every observation by number, as an account sees them."""
    catalogue, observed, _ = twin.sight(FULL, NOW_S)
    rows = observed.between(catalogue, 1, observed.last_number())
    named = (catalogue.streams[i] for i in rows.stream.tolist())
    return {n: (s.quantity, s.aggregate, v) for n, s, v in zip(rows.number.tolist(), named, rows.value.tolist(),
                                                               strict=True)}  # fmt: skip


FILTERS = (
    "result ge 0", "result lt 5", "result eq null", "result ne null", "id gt 100", "id lt 2000", "not (result gt 4)",
    "Datastream/properties/aggregate eq 'raw'", "Datastream/ObservedProperty/name eq 'footfall_in'",
    "phenomenonTime ge 2026-02-02T00:00:00Z", "Datastream/Thing/id eq 4", "parameters/q eq 0",
)  # fmt: skip
PATHS = ("Observations", "Things(4)/Datastreams", "Datastreams", "Things", "ObservedProperties", "Sensors",
         *(f"Datastreams({n})/Observations" for n in range(1, 25)), "FeaturesOfInterest(1)/Observations",
         "Sensors(1)/Datastreams")  # fmt: skip
EXPANDS = ("Observations", "Datastreams/Observations", "Datastream", "Datastreams($expand=Observations($top=500))",
           "Observations($filter=result lt 5;$orderby=result)", "Datastreams($expand=Observations($top=1;$orderby="
           "phenomenonTime desc))", "Datastream($expand=Observations)")  # fmt: skip
QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "$filter": st.lists(st.sampled_from(FILTERS), min_size=1, max_size=3).map(" and ".join)
        | st.lists(st.sampled_from(FILTERS), min_size=2, max_size=3).map(" or ".join),
        "$expand": st.sampled_from(EXPANDS),
        "$orderby": st.sampled_from(("id desc", "result", "result desc", "phenomenonTime desc", "id")),
        "$top": st.sampled_from(("0", "7", "1000", "10000")),
        "$skip": st.sampled_from(("0", "3", "50")),
        "$count": st.just("true"),
        "$select": st.sampled_from(("id,result", "result,phenomenonTime", "id")),
        "$resultFormat": st.sampled_from(("dataArray", "CSV", "GeoJSON")),
    },
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), options=QUERIES)
def test_no_query_without_an_account_brings_out_fine_grain_or_small_counts(
    twin: Twin, path: str, options: dict[str, str]
) -> None:
    truth = truth_cache(twin)
    status, body = get(twin, path, options, View())
    assert status in (200, 400, 404, 501), body
    if isinstance(body, bytes):
        assert b",raw," not in body
        return
    for entity in every(body):
        properties = entity.get("properties") or {}
        assert properties.get("aggregate", "15min") in MINUTES
        number = entity.get("@iot.id") if "result" in entity else None
        if number is not None:
            allowed(truth[number], entity["result"])
        if "dataArray" in entity and {"id", "result"} <= set(entity["components"]):
            at = [entity["components"].index(name) for name in ("id", "result")]
            for row in entity["dataArray"]:
                allowed(truth[row[at[0]]], row[at[1]])


_TRUTH: dict[int, dict[int, tuple[str, str, float]]] = {}


def truth_cache(twin: Twin) -> dict[int, tuple[str, str, float]]:
    return _TRUTH.setdefault(id(twin), truth_of(twin))


def allowed(true: tuple[str, str, float], shown: float | None) -> None:
    """Fail unless an observation may be seen as it was."""
    quantity, aggregate, _ = true
    assert aggregate in MINUTES
    if quantity in COUNTS:
        assert aggregate == "15min"
        assert shown is None or shown >= 5


def test_counts_that_a_filter_asks_for_are_the_shown_ones(twin: Twin) -> None:
    """A filter must not answer about what is kept back: that would bring the value out one comparison at a time."""
    asked = {"$filter": "Datastream/ObservedProperty/name eq 'footfall_in' and result lt 5", "$count": "true"}
    assert get(twin, "Observations", asked, View())[1]["@iot.count"] == 0
    assert get(twin, "Observations", asked, FULL)[1]["@iot.count"] > 0


def test_hidden_observation_and_datastream_are_not_there(twin: Twin) -> None:
    raw = next(n for n, (_, aggregate, _) in truth_of(twin).items() if aggregate == "raw")
    assert get(twin, f"Observations({raw})", {}, View())[0] == 404
    assert get(twin, f"Observations({raw})/Datastream", {}, View())[0] == 404
    hidden = {d["@iot.id"] for d in get(twin, "Datastreams", {}, FULL)[1]["value"]} - {
        d["@iot.id"] for d in get(twin, "Datastreams", {}, View())[1]["value"]
    }
    assert hidden
    for number in hidden:
        assert get(twin, f"Datastreams({number})/Observations", {}, View())[0] == 404


def test_counts_of_an_hour_are_not_public_so_that_no_quarter_can_be_calculated(twin: Twin) -> None:
    names = [d["name"] for d in get(twin, "Datastreams", {"$top": "1000"}, View())[1]["value"]]
    assert [n for n in names if n.startswith("footfall_in")] == ["footfall_in 15min, Rathausplatz"]
    assert "pm2_5 1h, Rathausplatz" in names


@pytest.mark.parametrize("minutes", [60, 1440])
def test_coarser_grain_leaves_only_coarser_aggregates(twin: Twin, minutes: int) -> None:
    found = get(twin, "Datastreams", {"$top": "1000"}, View(Grain(minutes)))[1]["value"]
    assert {d["properties"]["aggregate"] for d in found} == {
        n for n, m in MINUTES.items() if m >= minutes and n != NOISE_DAY
    }


def test_account_of_a_site_sees_all_of_it_and_the_rest_as_the_public(twin: Twin) -> None:
    for view, everything in ((View(sites=frozenset({SITE})), True), (View(sites=frozenset({99})), False)):
        found = {d["properties"]["aggregate"] for d in get(twin, "Datastreams", {"$top": "99"}, view)[1]["value"]}
        assert ("raw" in found) is everything


# Tokens and limits over HTTP


@pytest.fixture
def accounting(derived: Derived) -> Iterator[Accounting]:
    operations = Operations(derived.bench.path)
    accounts = SqlAccounts(operations)
    yield Accounting(accounts, Audit(SqlAudit(operations), SystemClock()), ["rathausplatz"], lambda: None)
    operations.close()


def client(twin: Twin, accounting: Accounting, per_minute: int = 600) -> TestClient:
    return TestClient(application(twin, door=Door(accounting.all, Grain(), lambda: {"rathausplatz": SITE}, per_minute)))


def raw_seen(http: TestClient, secret: str | None, scheme: str = "Bearer") -> tuple[int, bool]:
    value = base64.b64encode(f"x:{secret}".encode()).decode() if scheme == "Basic" else secret
    headers = {"Authorization": f"{scheme} {value}"} if secret else {}
    answer = http.get("/v1.1/Datastreams?$top=100", headers=headers)
    return answer.status_code, "pm2_5 raw" in answer.text


def random_of(seed: int) -> Any:
    return lambda count: bytes((seed + i) % 256 for i in range(count))


def test_token_opens_fine_grain_and_is_refused_at_once_when_revoked(twin: Twin, accounting: Accounting) -> None:
    http = client(twin, accounting)
    secret = accounting.give("traffic", [], random_of(1), 5, scope=ANNA)
    assert raw_seen(http, None) == (200, False)
    assert raw_seen(http, secret) == (200, True)
    assert raw_seen(http, secret, "Basic") == (200, True)
    assert raw_seen(http, "None", "Basic") == (200, False)  # pysta always sends this
    accounting.revoke("traffic", 6, scope=ANNA)
    assert raw_seen(http, secret) == (401, False)
    assert raw_seen(http, secret, "Basic") == (401, False)
    assert raw_seen(http, "cnt_guessed") == (401, False)


def test_token_is_kept_as_a_hash_only(derived: Derived, accounting: Accounting) -> None:
    secret = accounting.give("planning", ["rathausplatz"], random_of(2), 5, scope=ANNA)
    kept = b"".join(p.read_bytes() for p in derived.bench.path.parent.glob("operations.db*"))
    assert secret.encode() not in kept
    assert tokens.hashed(secret).encode() in kept


@pytest.mark.parametrize(("name", "sites"), [("A b", []), ("x", []), ("fine", ["nowhere"])])
def test_wrong_account_is_refused(accounting: Accounting, name: str, sites: list[str]) -> None:
    with pytest.raises(UsageError):
        accounting.give(name, sites, random_of(3), 5, scope=ANNA)


def test_only_an_admin_gives_and_revokes(accounting: Accounting) -> None:
    with pytest.raises(Forbidden):
        accounting.give("energy", [], random_of(4), 5, scope=Scope("tim", TECHNICIAN))
    with pytest.raises(Forbidden):
        accounting.revoke("energy", 5, scope=Scope("tim", TECHNICIAN))


def test_name_is_given_once_even_after_it_was_revoked(accounting: Accounting) -> None:
    accounting.give("energy", [], random_of(5), 5, scope=ANNA)
    accounting.revoke("energy", 6, scope=ANNA)
    with pytest.raises(UsageError, match="given before"):
        accounting.give("energy", [], random_of(6), 7, scope=ANNA)
    with pytest.raises(UsageError, match="that holds"):
        accounting.revoke("energy", 8, scope=ANNA)


def test_too_many_requests_are_told_when_to_come_again(twin: Twin, accounting: Accounting) -> None:
    http = client(twin, accounting, per_minute=2)
    codes = [http.get("/v1.1").status_code for _ in range(3)]
    late = http.get("/v1.1")
    assert codes == [200, 200, 429]
    assert int(late.headers["Retry-After"]) > 0


def test_limiter_fills_again_and_forgets_whom_it_did_not_see() -> None:
    limiter = Limiter()
    assert [limiter.wait_s("a", 2, 0.0) for _ in range(3)] == [0.0, 0.0, 30.0]
    assert limiter.wait_s("b", 2, 0.0) == 0.0
    assert limiter.wait_s("a", 2, 30.0) == 0.0


def test_writing_is_refused_whoever_asks(twin: Twin, accounting: Accounting) -> None:
    assert client(twin, accounting).post("/v1.1/Things", json={}).status_code == 405
