"""100,000 connections to a broker that sends random, cut, oversized, repeated and out-of-order packets.

The real client on MicroPython with a transport in memory, under a heap of 256 kB; short form: 4,000 connections. The
same over real sockets is in tests/firmware/test_link_broker.py.
"""

from __future__ import annotations

import json

from tests.benchmarks.row import Row, at_least, at_most
from tests.benchmarks.tools import on_micropython

CASES, SHORT_CASES, PROCESSES = 100_000, 4_000, 4


def run(short: bool) -> list[Row]:
    """Return rows for the cases that ended with a reason and for the growth of the heap over the second half."""
    each = (SHORT_CASES if short else CASES) // PROCESSES
    ends = [
        json.loads(on_micropython("on_micropython/fuzz_client.py", str(each), str(seed), heap="256k", timeout_s=1800))
        for seed in range(1, PROCESSES + 1)
    ]
    cases = sum(end["cases"] for end in ends)
    beside = f"{max(end['reasons'] for end in ends)} different reasons; no hang, no other exception"
    return [
        at_least("fuzzed_broker, connections that ended with a reason", cases, "cases", each * PROCESSES, beside),
        at_most(
            "fuzzed_broker, heap growth", max(end["growth"] for end in ends), "byte", 512, f"over {each // 2} cases"
        ),
    ]
