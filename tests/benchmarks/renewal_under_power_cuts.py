"""Renew every certificate of a fleet, then roll its CA over, while power is cut at random; count who is reachable.

Full form: 20 virtual nodes. Short form: 4.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

from device_manager import rolling_over, upkeep
from device_manager.fleet import local
from device_manager.orders.spool import DONE, Order
from device_manager.settings import Timing
from tests.benchmarks.row import Row, at_most
from tests.fleet.fleet import Fleet
from tests.fleet.ordering import make_cheap, settled
from tests.waiting import wait_for

NODES, SHORT_NODES = 20, 4
WITHIN_S = 60
CUTS_PER_NODE = 3


def run(short: bool) -> list[Row]:
    """Return rows for renewal and then for a roll-over of the CA on the same fleet."""
    nodes, rng = (SHORT_NODES if short else NODES), random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder), nodes, Timing(record_s=2, frame_s=4))
        make_cheap(fleet)
        with fleet:
            wait_for(lambda: min(fleet.committed().values()) > 1, 180)
            return [*_renewal(fleet, rng, f"{nodes} nodes"), *_roll_over(fleet, rng, f"{nodes} nodes")]


def _renewal(fleet: Fleet, rng: random.Random, form: str) -> list[Row]:
    service = upkeep.open_orders(fleet.settings)
    names = [node.name for node in fleet.nodes]
    made = [service.renew(name, time.time(), scope=local(), within_s=WITHIN_S) for name in names]
    done = _cut_until_settled(fleet, rng, made)
    beside = f"{fleet.done['node']} power cuts, {done} of {len(names)} took the new certificate"
    unreachable = _unreachable(fleet, 120)
    return [
        at_most("renewal_under_power_cuts, unreachable afterwards", unreachable, "nodes", 0, beside, form),
        Row("renewal_under_power_cuts, old certificate kept", len(names) - done, "nodes", beside=beside, form=form),
    ]


def _roll_over(fleet: Fleet, rng: random.Random, form: str) -> list[Row]:
    """Roll over to a new root: two anchors under power cuts, those that went back ordered again, then the new alone."""
    settings, before = fleet.settings, fleet.done["node"]
    fleet.stop_manager()
    rolling_over.start(settings, time.time(), scope=local())
    made = rolling_over.order_due(settings, time.time(), scope=local(), within_s=WITHIN_S)
    fleet.start_manager()
    taken = _cut_until_settled(fleet, rng, made)
    for order in rolling_over.order_due(settings, time.time(), scope=local(), within_s=WITHIN_S):
        settled(fleet, order, 300)
    fleet.stop_manager()
    rolling_over.finish(settings, time.time(), scope=local())
    made = rolling_over.order_due(settings, time.time(), scope=local(), within_s=WITHIN_S)
    fleet.start_manager()
    forgot = _cut_until_settled(fleet, rng, made)
    cuts = fleet.done["node"] - before
    beside = f"{cuts} power cuts, {taken} of {len(made)} took both roots and {forgot} the new one alone at once"
    name = "renewal_under_power_cuts, unreachable after roll-over"
    return [at_most(name, _unreachable(fleet, 120), "nodes", 0, beside, form)]


def _cut_until_settled(fleet: Fleet, rng: random.Random, made: list[Order]) -> int:
    """Cut the power of nodes at random while they carry out orders; return how many orders were done."""
    for _ in range(CUTS_PER_NODE * len(fleet.nodes)):
        time.sleep(rng.uniform(0.0, 0.6))
        fleet.tend()
        index = rng.randrange(len(fleet.nodes))
        fleet.kill_node(index)
        fleet.nodes[index].start()
    return [settled(fleet, order, 300).state for order in made].count(DONE)


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
