"""The latest value of 500 Datastreams in one request: `Datastreams?$top=500&$expand=Observations($top=1;..desc)`.

The median of requests over HTTP to a process of its own, with the whole answer read and parsed. Short form: a smaller
store, see `twin_store`.
"""

from __future__ import annotations

import statistics
import time

import httpx
import orjson

from tests.benchmarks.row import Row, at_most
from tests.benchmarks.twin_store import TwinStore, served, twin_stores

DATASTREAMS = 500
REPEATS = 15
OPTIONS = {
    "$top": str(DATASTREAMS),
    "$select": "@iot.id,name",
    "$expand": "Observations($top=1;$orderby=phenomenonTime desc)",
}


def run(short: bool) -> list[Row]:
    """Return a row for the plain request to each store, with whole Datastreams beside it."""
    return [_measured(where, store) for where, store in twin_stores(short)]


def _measured(where: str, store: TwinStore) -> Row:
    with served(store) as server, server.client() as client:
        lean = _median(client, server.base, OPTIONS)
        whole = _median(client, server.base, {name: value for name, value in OPTIONS.items() if name != "$select"})
    beside = f"with everything that Datastreams say {whole:.0f} ms"
    return at_most(f"sta_latest, 500 datastreams{where}", lean, "ms", 100, beside, store.form)


def _median(client: httpx.Client, base: str, options: dict[str, str]) -> float:
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        value = orjson.loads(client.get(base + "/Datastreams", params=options).content)["value"]
        times.append(1000 * (time.perf_counter() - began))
        assert len(value) == DATASTREAMS
        assert all(len(d["Observations"]) == 1 for d in value)
    return statistics.median(times)
