"""30 days of one channel at a minute, 43,200 observations, all pages as dataArray, over HTTP and parsed.

The median over different sites. Short form: a smaller store, see `twin_store`.
"""

from __future__ import annotations

import itertools
import statistics
import time

import httpx
import orjson

from tests.benchmarks.city_store import FIRST_S
from tests.benchmarks.row import Row, at_most
from tests.benchmarks.twin_store import MINUTE_DAYS, TwinStore, served, twin_stores
from tests.fakes.naive_twin import iso

OBSERVATIONS = MINUTE_DAYS * 1440
REPEATS = 9


def run(short: bool) -> list[Row]:
    """Return a row for the time until all pages are there, from each store."""
    return [_measured(where, store) for where, store in twin_stores(short)]


def _measured(where: str, store: TwinStore) -> Row:
    with served(store) as server, server.client() as client:
        options = {"$filter": "properties/quantity eq 'pm2_5' and properties/aggregate eq 'raw'", "$select": "@iot.id"}
        streams = [d["@iot.id"] for d in client.get(server.base + "/Datastreams", params=options).json()["value"]]
        times = [_read(client, server.base, stream) for stream in itertools.islice(itertools.cycle(streams), REPEATS)]
    pages = -(-OBSERVATIONS // 10_000)
    name = f"sta_series, 43,200 observations{where}"
    return at_most(name, statistics.median(times), "ms", 500, f"{pages} pages", store.form)


def _read(client: httpx.Client, base: str, stream: int) -> float:
    """Return the ms that all pages take; checks that nothing is missing or twice."""
    since, until = iso(FIRST_S), iso(FIRST_S + MINUTE_DAYS * 86_400)
    link: str | None = (
        f"{base}/Datastreams({stream})/Observations?$resultFormat=dataArray&$top=10000"
        f"&$select=phenomenonTime,result&$filter=phenomenonTime ge {since} and phenomenonTime lt {until}"
    )
    began, found = time.perf_counter(), []
    while link is not None:
        body = orjson.loads(client.get(link).content)
        found += [row for group in body["value"] for row in group["dataArray"]]
        link = body.get("@iot.nextLink")
    took_ms = 1000 * (time.perf_counter() - began)
    assert len({begin for begin, _ in found}) == len(found) == OBSERVATIONS
    return took_ms
