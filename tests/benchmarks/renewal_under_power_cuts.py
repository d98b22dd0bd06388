"""Renew the certificate of every node of a fleet while its power is cut at random; count who is reachable afterwards.

Full form: 20 virtual nodes. Short form: 4.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

from device_manager import upkeep
from device_manager.fleet import local
from device_manager.orders.spool import DONE
from device_manager.settings import Timing
from tests.benchmarks.row import Row, at_most
from tests.fleet.fleet import Fleet
from tests.fleet.ordering import make_cheap, settled
from tests.waiting import wait_for

NODES, SHORT_NODES = 20, 4
WITHIN_S = 60
CUTS_PER_NODE = 3


def run(short: bool) -> list[Row]:
    """Return rows for nodes that are unreachable afterwards, and those that kept their old certificate."""
    nodes, rng = (SHORT_NODES if short else NODES), random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder), nodes, Timing(record_s=2, frame_s=4))
        make_cheap(fleet)
        with fleet:
            wait_for(lambda: min(fleet.committed().values()) > 1, 180)
            service = upkeep.open_orders(fleet.settings)
            names = [node.name for node in fleet.nodes]
            made = [service.renew(name, time.time(), scope=local(), within_s=WITHIN_S) for name in names]
            for _ in range(CUTS_PER_NODE * nodes):
                time.sleep(rng.uniform(0.0, 0.6))
                fleet.tend()
                index = rng.randrange(nodes)
                fleet.kill_node(index)
                fleet.nodes[index].start()
            states = [settled(fleet, order, 300).state for order in made]
            unreachable = _unreachable(fleet, 120)
            beside = f"{fleet.done['node']} power cuts, {states.count(DONE)} of {nodes} took the new certificate"
    form = f"{nodes} nodes"
    kept = sum(state != DONE for state in states)
    return [
        at_most("renewal_under_power_cuts, unreachable afterwards", unreachable, "nodes", 0, beside, form),
        Row("renewal_under_power_cuts, old certificate kept", kept, "nodes", beside=beside, form=form),
    ]


def _unreachable(fleet: Fleet, timeout_s: float) -> int:
    """Return how many nodes deliver nothing new within `timeout_s`."""
    before, until_s = fleet.committed(), time.monotonic() + timeout_s
    silent = set(before)
    while silent and time.monotonic() < until_s:
        fleet.tend()
        time.sleep(0.5)
        now = fleet.committed()
        silent = {name for name in silent if now[name] <= before[name]}
    return len(silent)
