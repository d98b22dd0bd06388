"""What a frame costs when the register grows: 100 nodes send, of 100, 1,000, 10,000 and 100,000 that are registered.

PostgreSQL, batches of 1,000 frames, the four databases in turn, medians of a commit's wall time. What a batch holds
is the same everywhere, so that only the register differs; the nodes that send are spread over it.

Short form: 7 rounds instead of 25.
"""

from __future__ import annotations

import time
from statistics import median

import psycopg

from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_engine import create_database, open_store
from device_manager.ingest.commit import Committer
from device_manager.loading.trace import Trace
from device_manager.ports import Incoming
from device_manager.shadow import JsonFold
from tests.benchmarks.city_store import FIRST_S, channels_payload
from tests.benchmarks.ingest_postgres import copied
from tests.benchmarks.ingest_sqlite import _name
from tests.benchmarks.row import Row, at_most
from tests.data import real_day
from tests.fakes import postgres

SIZES = (100, 1_000, 10_000, 100_000)
SENDING, EACH = 100, 10


def run(short: bool) -> list[Row]:
    """Return one row."""
    rounds = 7 if short else 25
    trace = Trace([[int(value) for value in row] for row in real_day.records()])
    with postgres.server(form=postgres.STOCK) as server:
        cities = [City(server, size) for size in SIZES]
        taken: dict[int, list[float]] = {size: [] for size in SIZES}
        for at in range(rounds + 1):
            for city in cities:
                seconds = city.commit(trace, at)
                if at:  # the first round reads what the others remember
                    taken[city.size].append(1e6 * seconds / (SENDING * EACH))
        for city in cities:
            city.store.close()
    costs = [median(taken[size]) for size in SIZES]
    beside = ", ".join(f"{size}: {cost:.1f} us" for size, cost in zip(SIZES, costs, strict=True))
    form = f"{rounds} rounds instead of 25" if short else "full"
    return [at_most("registry_growth, dearest to cheapest", max(costs) / min(costs), "x", 1.3, beside, form)]


class City:
    """A database with `size` registered nodes, of which every `size` / 100th sends."""

    def __init__(self, server: postgres.Postgres, size: int) -> None:
        self.size = size
        database = server.database(f"growth{size}")
        create_database(database)
        with psycopg.connect(database.url) as raw:
            names = [(n, _name(n), "accepted", 0) for n in range(1, size + 1)]
            copied(raw, "node (id, name, admission, added_ms)", names)
            copied(raw, "log (id, node_id, log, next, ahead)", [(n, n, n, 0, "[]") for n in range(1, size + 1)])
        with psycopg.connect(database.url, autocommit=True) as raw:
            raw.execute("ANALYZE")
        self.store = open_store(database)
        self._committer = Committer(self.store, Cbor2Codec(), JsonFold())
        self._nodes = range(1, size + 1, size // SENDING)
        self._committer.commit([_message(node, "channels", channels_payload(node), FIRST_S) for node in self._nodes])

    def commit(self, trace: Trace, at: int) -> float:
        """Commit one batch and return what it took in seconds."""
        batch = []
        for seq in range(1 + at * EACH, 1 + (at + 1) * EACH):
            t0 = FIRST_S + 600 * seq
            batch += [_message(n, "frame", trace.frame(n, seq, t0, n + seq), t0 + 600) for n in self._nodes]
        began = time.perf_counter()
        outcome = self._committer.commit(batch)
        seconds = time.perf_counter() - began
        assert outcome.stored == len(batch)
        return seconds


def _message(node: int, kind: str, payload: bytes, received_s: int) -> Incoming:
    return Incoming(f"citynode/1/{_name(node)}/up/{kind}", payload, 1000 * received_s, False, None)
