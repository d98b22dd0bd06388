"""Updates end to end: real manager, real mosquitto, real nodes; kept, taken back, put off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from device_manager.adapters.mosquitto import find
from device_manager.settings import Timing
from firmware.wire import releases
from tests.fleet.fleet import Fleet
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
        wait_for(lambda: min(made.committed().values()) > 2, 60)
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
