"""Updates end to end: real manager, real mosquitto, real nodes; kept, taken back, put off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from device_manager.adapters.mosquitto import find
from device_manager.settings import Timing
from firmware.wire import releases
from tests.fleet.fleet import Fleet, change_json, read_json
from tests.fleet.ordering import make_cheap
from tests.fleet.updating import build, make_quick, offer, sources, version, wait_for_state
from tests.waiting import wait_for

pytestmark = [pytest.mark.skipif(find() is None, reason="mosquitto is not installed"), pytest.mark.slow]
QUICK = Timing(record_s=1, frame_s=2)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path, 1, QUICK)
    make_cheap(made)
    make_quick(made)
    with made:
        wait_for(lambda: min(made.committed().values()) > 2)
        yield made


def test_node_is_updated_from_what_it_was_provisioned_with_and_then_by_a_difference(
    fleet: Fleet, tmp_path: Path
) -> None:
    first = build(fleet, sources(tmp_path / "1", {"__init__.py": version("1.0.0")}))
    offer(fleet, first.number)
    (shadow,) = wait_for_state(fleet, releases.SUCCEEDED, 1).values()
    assert (shadow.release, shadow.firmware, shadow.family) == (1, "1.0.0", "x64")
    second = build(fleet, sources(tmp_path / "2", {"__init__.py": version("1.0.1")}))
    offer(fleet, second.number)
    (shadow,) = wait_for_state(fleet, releases.SUCCEEDED, 2).values()
    assert (shadow.release, shadow.firmware) == (2, "1.0.1")


def test_release_that_crashes_is_taken_back_by_the_node_itself_and_not_tried_again(
    fleet: Fleet, tmp_path: Path
) -> None:
    crash = sources(tmp_path / "1", {"app.py": lambda text: text.replace("asyncio.run(node.run())", "node.no_such()")})
    offer(fleet, build(fleet, crash).number)
    (shadow,) = wait_for_state(fleet, releases.ROLLED_BACK, 1).values()
    assert shadow.update["reason"] == "started 3 times and was not confirmed"
    assert (shadow.release, shadow.firmware) == (0, "0.1.0")
    resets = fleet.nodes[0].resets
    before = fleet.committed()["node-00"]
    wait_for(lambda: fleet.tend() or fleet.committed()["node-00"] > before + 3)
    assert fleet.nodes[0].resets == resets


def test_dead_sensor_and_a_manager_that_is_away_fail_nobody(fleet: Fleet, tmp_path: Path) -> None:
    node = fleet.nodes[0]
    sensors = [*read_json(node.directory / "node.json")["sensors"], {"name": "air", "driver": "sen55", "bus": 0}]
    change_json(node.directory / "node.json", sensors=sensors, trial_s=15)
    change_json(node.directory / "virtual.json", faults={"sen55": "nack"}, i2c={"0": {"105": "sen55"}}, heap_kb=384)
    fleet.kill_node(0)
    node.start()
    offer(fleet, build(fleet, sources(tmp_path / "1", {"__init__.py": version("1.0.0")})).number)
    wait_for(lambda: (fleet.tend(), (node.directory / "slot.try").exists())[1])
    fleet.kill_manager()
    wait_for(lambda: fleet.tend() or (node.directory / "slot.wait").exists())
    fleet.start_manager()
    (shadow,) = wait_for_state(fleet, releases.SUCCEEDED, 1).values()
    assert shadow.release == 1
