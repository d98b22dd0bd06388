"""A follower reads 10 million observations through `Observations?$filter=id gt N`, page after page, in another process.

It takes whole observations (times, result, quality, lineage) as dataArray, parses them, and checks that the numbers
grow and that none of those given is missing. Short form: 1 million, and a smaller store, see `twin_store`.
"""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import orjson

from tests.benchmarks.row import Row, at_least
from tests.benchmarks.twin_store import served, twin_store

TOP = 10_000


def run(short: bool) -> list[Row]:
    """Return a row for the observations a second."""
    store, wanted = twin_store(short), 1_000_000 if short else 10_000_000
    with served(store) as server, server.client() as client, ThreadPoolExecutor(1) as ahead:
        began, read, base = time.perf_counter(), 0, server.base
        served_s, followed_s = server.cpu_s(), time.process_time()
        coming = ahead.submit(_page, client, base, 0)
        while read < wanted:
            body = coming.result()
            coming = ahead.submit(_page, client, base, _last(body))  # while this page is looked through
            numbers = _numbers(body)
            assert len(numbers) == TOP
            assert (numbers == np.arange(read + 1, read + TOP + 1)).all()  # nothing was corrected, so none is missing
            read += TOP
        rate = read / (time.perf_counter() - began)
        coming.result()
        served_s, followed_s = server.cpu_s() - served_s, time.process_time() - followed_s
    form = store.form if not short else f"{wanted:,} observations; {store.form}"
    beside = f"{TOP} a page; processor time: {served_s:.1f} s serving, {followed_s:.1f} s following"
    return [at_least("sta_replay", rate, "observations/s", 1e5, beside, form)]


def _page(client: httpx.Client, base: str, after: int) -> bytes:
    query = f"{base}/Observations?$filter=id gt {after}&$orderby=id&$top={TOP}&$resultFormat=dataArray"
    return client.get(query).content


def _last(body: bytes) -> int:
    """Return the last number of a page, which its nextLink names."""
    found = re.search(rb"\$cursor=(\d+)", body)
    assert found is not None
    return int(found[1])


def _numbers(body: bytes) -> np.ndarray:
    """Return the numbers of a page, growing."""
    groups = orjson.loads(body)["value"]
    return np.sort(np.array([row[0] for group in groups for row in group["dataArray"]], dtype=np.int64))
