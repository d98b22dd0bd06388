"""Updates of real virtual nodes that are killed at random moments."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import NamedTuple

from device_manager.settings import Timing
from firmware.wire import releases
from tests.fleet.fleet import Fleet
from tests.fleet.ordering import make_cheap
from tests.fleet.updating import build, make_quick, offer, shadows, sources, version
from tests.waiting import wait_for

GIVE_UP_S = 240


class Killed(NamedTuple):
    """`new` and `old`: on which release the updates ended; `silent`: nodes that do not run and report at the end."""

    updates: int
    kills: int
    new: int
    old: int
    silent: int


def kill_in_updates(folder: Path, nodes: int, rounds: int) -> Killed:
    """Update `nodes` nodes `rounds` times, each killed once or twice on the way."""
    fleet, rng = Fleet(folder, nodes, Timing(record_s=1, frame_s=2)), random.Random(7)
    make_cheap(fleet)
    make_quick(fleet, 60)
    new = old = 0
    with fleet:
        wait_for(lambda: min(fleet.committed().values()) > 2)
        for number in range(1, rounds + 1):
            root = sources(folder / f"source-{number}", {"__init__.py": version(f"1.0.{number}")})
            offer(fleet, build(fleet, root).number)
            _kill(fleet, rng, number)
            ends = [shadow.release for shadow in shadows(fleet).values()]
            new, old = new + ends.count(number), old + len(ends) - ends.count(number)
        silent = _silent(fleet)
    return Killed(nodes * rounds, fleet.done["node"], new, old, silent)


def _kill(fleet: Fleet, rng: random.Random, number: int) -> None:
    """Kill nodes until everyone has ended the update."""
    left = {index: rng.choice((1, 2)) for index in range(len(fleet.nodes))}
    until_s = time.monotonic() + GIVE_UP_S
    while not _ended(fleet, number) and time.monotonic() < until_s:
        fleet.tend()
        time.sleep(rng.uniform(0.0, 0.5))
        index = rng.randrange(len(fleet.nodes))
        if left[index]:
            left[index] -= 1
            fleet.kill_node(index)
            fleet.nodes[index].start()


def _ended(fleet: Fleet, number: int) -> bool:
    told = [shadow.update for shadow in shadows(fleet).values()]
    return all(update.get("number") == number and update["state"] in releases.ENDS for update in told)


def _silent(fleet: Fleet) -> int:
    """Return how many nodes deliver nothing new within a minute."""
    before, until_s = fleet.committed(), time.monotonic() + 60
    while time.monotonic() < until_s:
        fleet.tend()
        if all(count > before[name] for name, count in fleet.committed().items()):
            return 0
        time.sleep(0.5)
    return sum(count <= before[name] for name, count in fleet.committed().items())
