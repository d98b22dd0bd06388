"""Updates and rollouts end to end: real manager, real mosquitto, real nodes; a good release reaches all, a bad one the
canary, and neither a dead sensor nor a manager that is away fails anybody.

People do no more than `citynode rollout create` and `start`; the running manager does the rest. The gate needs six
hours of readings after an update and is off here; `tests/device_manager/test_rolling_out.py` asks it on a real store,
the benchmark `bad_release_halt` on a city. One fleet for all tests, in their order: a restart costs most of the time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device_manager import updates
from device_manager.adapters.mosquitto import find
from device_manager.releases.offering import NodeOffer
from device_manager.rolling_out import open_rollouts
from device_manager.rollouts import states
from device_manager.settings import Timing
from device_manager.shadow.fold import CRASHED, ORDERED
from firmware.wire import releases
from tests.fleet.fleet import Fleet, change_json, read_json
from tests.fleet.ordering import make_cheap
from tests.fleet.updating import build, make_quick, shadows, sources, version
from tests.waiting import wait_for

pytestmark = [
    pytest.mark.skipif(find() is None, reason="mosquitto is not installed"),
    pytest.mark.slow,
]
QUICK = Timing(record_s=1, frame_s=2)
CITYNODE = [sys.executable, "-c", "from device_manager.cli import main; main()", "rollout"]
LITTLE = 20_000  # bytes; a whole app is 100 kB
SECONDS = ["--soak-hours", "0.0005", "--minimum", "1", "--no-gate"]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    made = Fleet(tmp_path_factory.mktemp("rollouts"), 3, QUICK)
    make_cheap(made)
    make_quick(made)
    with made:
        wait_for(lambda: min(made.committed().values()) > 2)
        yield made


def citynode(fleet: Fleet, *arguments: str) -> str:
    """Run `citynode rollout` on the fleet; return what it prints."""
    command = [*CITYNODE, *arguments, "--data", str(fleet.settings.directory)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=180).stdout


def status(fleet: Fleet, number: int) -> dict[str, Any]:
    """What `citynode rollout status` says."""
    found: dict[str, Any] = json.loads(citynode(fleet, "status", str(number), "--json"))
    return found


def begin(fleet: Fleet, release: int, *options: str) -> int:
    """Create a rollout with one canary and start it."""
    arguments = [str(release), "--stage", "1", "--stage", "all", *SECONDS, *options, "--json"]
    number = int(json.loads(citynode(fleet, "create", *arguments))["rollout"])
    citynode(fleet, "start", str(number))
    return number


def canary_of(fleet: Fleet, number: int) -> str:
    """The one node of the first stage."""
    (name,) = [row["node"] for row in json.loads(citynode(fleet, "plan", str(number), "--json")) if row["stage"] == 1]
    return str(name)


def wait_for_rollout(fleet: Fleet, number: int, state: str) -> list[dict[str, int | None]]:
    """Wait for a state of the rollout; return the releases that nodes ran meanwhile, whenever they changed."""
    seen: list[dict[str, int | None]] = []

    def there() -> bool:
        fleet.tend()
        running = {name: shadow.release for name, shadow in shadows(fleet).items()}
        if running not in seen:
            seen.append(running)
        return opened.rollouts.show(number).state == state

    try:
        with open_rollouts(fleet.settings) as opened:
            wait_for(there, 240, every_s=0.5)
    except AssertionError as error:
        logs = "\n".join(node.log.read_text()[-1500:] for node in fleet.nodes)
        raise AssertionError(f"{json.dumps(status(fleet, number), indent=1)}\n{logs}") from error
    return seen


def test_good_release_goes_through_canary_and_second_stage_by_itself(fleet: Fleet, tmp_path: Path) -> None:
    release = build(fleet, sources(tmp_path, {"__init__.py": version("1.0.0")})).number
    crashes = [shadow.resets.get(CRASHED) for shadow in shadows(fleet).values()]
    number = begin(fleet, release)
    canary = canary_of(fleet, number)
    seen = wait_for_rollout(fleet, number, states.FINISHED)
    assert set(seen[-1].values()) == {release}
    alone = [running for running in seen if list(running.values()).count(release) == 1]
    assert alone and all(running[canary] == release for running in alone)
    assert {shadow.firmware for shadow in shadows(fleet).values()} == {"1.0.0"}
    wait_for(lambda: fleet.tend() or all(shadow.resets.get(ORDERED) for shadow in shadows(fleet).values()))
    assert [shadow.resets.get(CRASHED) for shadow in shadows(fleet).values()] == crashes  # a restart into it is none
    found = status(fleet, number)
    assert [stage[releases.SUCCEEDED] for stage in found["stages"]] == [1, 2]
    assert found["bytes_sent"] > 0 and not found["remarks"]


def test_release_that_crashes_at_start_stops_at_the_canary_which_goes_back(fleet: Fleet, tmp_path: Path) -> None:
    crash = {"app.py": lambda text: text.replace("asyncio.run(node.run())", "node.no_such()")}
    before = {name: shadow.release for name, shadow in shadows(fleet).items()}
    release = build(fleet, sources(tmp_path, crash)).number
    number = begin(fleet, release)
    canary = canary_of(fleet, number)
    seen = wait_for_rollout(fleet, number, states.PAUSED)
    wait_for(lambda: fleet.tend() or all(shadow.online for shadow in shadows(fleet).values()))
    now = shadows(fleet)
    assert {name: shadow.release for name, shadow in now.items()} == before == seen[0]
    assert [name for name, shadow in now.items() if shadow.update.get("number") == release] == [canary]
    found = status(fleet, number)
    assert found["reason"] == "stage 1: 1 rolled_back of 1; stops at 1"
    assert found["remarks"] == {canary: "rolled_back: started 3 times and was not confirmed"}
    assert [stage.get(states.QUEUED, 0) for stage in found["stages"]] == [0, 2]
    citynode(fleet, "abort", str(number))
    resets, before = [node.resets for node in fleet.nodes], fleet.committed()
    wait_for(lambda: fleet.tend() or all(count > before[name] + 3 for name, count in fleet.committed().items()))
    assert [node.resets for node in fleet.nodes] == resets  # nobody tries it again


def test_dead_sensor_and_a_manager_that_is_away_fail_nobody(fleet: Fleet, tmp_path: Path) -> None:
    node = fleet.nodes[0]
    sensors = [*read_json(node.directory / "node.json")["sensors"], {"name": "air", "driver": "sen55", "bus": 0}]
    change_json(node.directory / "node.json", sensors=sensors, trial_s=25)
    change_json(node.directory / "virtual.json", faults={"sen55": "nack"}, i2c={"0": {"105": "sen55"}}, heap_kb=384)
    fleet.kill_node(0)
    node.start()
    number = build(fleet, sources(tmp_path, {"__init__.py": version("1.0.1")})).number
    updates.open_offers(fleet.settings).offer(NodeOffer(node.name, number))
    wait_for(lambda: (fleet.tend(), (node.directory / "slot.try").exists())[1])
    fleet.kill_manager()
    wait_for(lambda: fleet.tend() or (node.directory / "slot.wait").exists())
    fleet.start_manager()

    def told() -> bool:
        fleet.tend()
        shadow = shadows(fleet)[node.name]
        return (shadow.update["state"], shadow.release) == (releases.SUCCEEDED, number)

    wait_for(told, what=lambda: node.log.read_text()[-1500:])
    sent = updates.open_offers(fleet.settings).traffic([number])[node.name]
    assert sent.sent_bytes < LITTLE < sent.whole_bytes  # it came as a difference
