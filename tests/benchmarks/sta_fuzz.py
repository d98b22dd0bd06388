"""Broken and odd requests: cut, doubled, swapped and mixed from good ones, on a store of 2 nodes and 2 days.

Every answer must be 200, 400 (with the option and, for what has a grammar, the position), 404 or 501, and come within
TIME_LIMIT_S. Full: 100,000 requests; short form: 2,000.
"""

from __future__ import annotations

import json
import random
import time
from urllib.parse import parse_qsl

from device_manager.twin.service import Twin
from device_manager.twin_side import open_twin
from tests.benchmarks.city_store import city_store
from tests.benchmarks.row import Row, at_most

CASES, SHORT_CASES = 100_000, 2_000
TIME_LIMIT_S = 10.0
ALLOWED = (200, 400, 404, 501)
PATHS = (
    "Things",
    "Datastreams",
    "Observations",
    "Locations",
    "HistoricalLocations",
    "Sensors",
    "ObservedProperties",
    "FeaturesOfInterest",
    "Things(1)",
    "Datastreams(3)",
    "Observations(77)",
    "Things(1)/Datastreams",
    "Datastreams(2)/Observations",
    "Datastreams(2)/Observations(5)/Datastream/Thing",
    "Observations(9)/FeatureOfInterest",
    "Things(1)/name",
    "Things('x')",
    "FeaturesOfInterest(1)/Observations",
    "Things(99999999999999999999)",
    "Nothing",
    "Things(1)/Things",
    "Things/$ref",
    "",
)
_AREA = "geography'POLYGON((10 47,11 47,11 48,10 47))'"
QUERIES = (
    "$filter=result gt 5 and phenomenonTime ge 2026-03-01T00:00:00Z&$orderby=result desc&$top=5&$count=true",
    f"$filter=Datastreams/ObservedProperty/name eq 'pm2_5' and st_within(Locations/location,{_AREA})",
    "$expand=Datastreams($filter=startswith(name,'pm');$expand=Observations($top=2);$top=3),Locations",
    "$expand=Locations,Datastreams/Observations&$top=2",
    "$filter=id gt 1000&$orderby=id&$resultFormat=dataArray&$top=20",
    "$filter=not (name eq 'x''y' or contains(tolower(name),'a')) and id le 7&$select=@iot.id,name&$skip=2",
    "$filter=geo.distance(location,geography'POINT(10.3 47.7)') lt 0.5&$resultFormat=GeoJSON",
    "$filter=phenomenonTime eq 2026-03-01T00:00:00Z/2026-03-01T00:01:00+01:00 or resultTime lt now()&$resultFormat=CSV",
    "$filter=parameters/q eq 0 and Datastream/Thing/name ne null&$cursor=1,2,3&$orderby=phenomenonTime",
    "$orderby=Thing/name desc,Observations/phenomenonTime asc&$filter=length(name) add 1 gt 2",
    "$filter=result eq 1e400 or id eq -1 or result lt -0.0&$top=0&$count=true",
)
PIECES = [*"'()$=,;/%&-", " and ", " not ", "eq", " 5 ", "null", "@iot.id", "\n", "\x00", "é", "geography'", "(" * 10]
PIECES += ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1e999", "9" * 20, "Observations", "Datastreams/"]


def run(short: bool) -> list[Row]:
    """Return a row for answers that may not be, and one for the slowest."""
    store, cases = city_store(2, 2), SHORT_CASES if short else CASES
    randomly, wrong, slowest = random.Random(8), [], 0.0
    with open_twin(store.path) as twin:
        twin.answer("Things", [], "http://city.example/v1.1", time.time())
        for _ in range(cases):
            path, query = case(randomly)
            began = time.perf_counter()
            problem = problem_with(twin, path, query)
            slowest = max(slowest, time.perf_counter() - began)
            wrong += [problem] if problem else []
    form = "full" if not short else f"{cases:,} requests instead of {CASES:,}"
    beside = wrong[0] if wrong else f"{cases:,} requests"
    return [
        at_most("sta_fuzz, answers that may not be", len(wrong), "answers", 0, beside, form),
        at_most("sta_fuzz, slowest answer", slowest, "s", TIME_LIMIT_S, form=form),
    ]


def case(randomly: random.Random) -> tuple[str, str]:
    """Return a path and a query string."""
    path, query = randomly.choice(PATHS), randomly.choice(QUERIES)
    for _ in range(randomly.choice((0, 0, 1, 1, 2, 4))):
        at, to = sorted((randomly.randrange(len(query) + 1), randomly.randrange(len(query) + 1)))
        to = min(to, at + 12)
        changes = (query[:at] + query[to:], query[:to] + query[at:], query[:at] + randomly.choice(PIECES) + query[to:],
                   query[:at] + randomly.choice(QUERIES)[:20] + query[at:])  # fmt: skip
        query = randomly.choice(changes)
    return path, query


def problem_with(twin: Twin, path: str, query: str) -> str:
    """Return what is wrong with the answer, "" for nothing."""
    asked = f"{path}?{query}"
    try:
        answer = twin.answer(
            path, parse_qsl(query, keep_blank_values=True), "http://city.example/v1.1", 1_772_600_000.0
        )
    except Exception as error:
        return f"{asked}: {type(error).__name__} {error}"
    if answer.status not in ALLOWED:
        return f"{asked}: {answer.status}"
    if answer.status == 400:
        said = json.loads(answer.body)
        if said.get("option") in ("$filter", "$orderby", "$select", "$expand") and "position" not in said:
            return f"{asked}: 400 without its position: {said['message']}"
    return ""
