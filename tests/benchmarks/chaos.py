"""Torment a fleet with every fault at once and compare outboxes and store afterwards.

Full form: 20 virtual nodes, 30 minutes. Short form: 6 nodes, 60 s, faults half as long.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

from device_manager.settings import Timing
from tests.benchmarks.row import Row, at_most
from tests.fleet.chaos import Chaos
from tests.fleet.fleet import RARELY, Fleet, compare

NODES, SECONDS = 20, 1800
SHORT_NODES, SHORT_SECONDS = 6, 60
BACK_S = 120  # the longest rest of a node's ladder is 60 s


def run(short: bool) -> list[Row]:
    """Print the table of faults on standard error; return rows for records lost, repeated, and nodes not back."""
    nodes, seconds = (SHORT_NODES, SHORT_SECONDS) if short else (NODES, SECONDS)
    timing = Timing(record_s=2, frame_s=4, frame_records=30, resend_s=5)
    with tempfile.TemporaryDirectory() as folder, Fleet(Path(folder), nodes, timing, proxied=True) as fleet:
        chaos = Chaos(fleet, random.Random(3), slower=0.5 if short else 1.0)
        chaos.run(seconds)
        chaos.heal()
        missing = chaos.wait_until_back(BACK_S)
        fleet.retime(RARELY)
        fleet.wait_until_delivered(180)
        for node in fleet.nodes:
            node.kill()
        outcome = compare(fleet)
    print(chaos.table(), file=sys.stderr)
    print(f"manager that ended by itself and was started again: {chaos.manager_restarts} x", file=sys.stderr)
    for name, words in chaos.not_running.items():
        print(f"{name} does not run: {words}", file=sys.stderr)
    beside = (
        f"{len(chaos.faults)} faults of {len({f.kind.name for f in chaos.faults})} kinds, {outcome['taken']} records"
        f" of {nodes} outboxes, {outcome['refused']} of them refused and kept"
    )
    form = f"{nodes} nodes, {seconds} s"
    wrong = outcome["repeated"] + outcome["changed"] + outcome["invented"]
    return [
        at_most("chaos, lost within capacity", outcome["lost"], "records", 0, beside, form),
        at_most("chaos, duplicates, changed or invented", wrong, "records", 0, beside, form),
        at_most("chaos, nodes not back without help", missing, "nodes", 0, beside, form),
    ]
