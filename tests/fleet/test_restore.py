"""An older copy of the database is restored under a running fleet: what is gone is named, what is left comes again."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from device_manager.fleet import open_fleet
from device_manager.overview import shadow_of
from device_manager.settings import Timing
from device_manager.shadow import Shadow
from tests.fleet.filling import fill
from tests.fleet.fleet import Fleet
from tests.waiting import wait_for

FLASH_BYTES = 6 * 4096  # holds some 150 frames
ROUND_FRAMES = 100


def shadow(fleet: Fleet) -> Shadow:
    with open_fleet(fleet.settings) as opened:
        return shadow_of(opened.registry.node("node-00"))


def deliver(fleet: Fleet) -> int:
    """Let the node measure for a while: more frames stand in its outbox, and all are committed. Returns its head."""
    node = fleet.nodes[0]
    node.kill()
    head = fill(node.directory / "outbox.flash", FLASH_BYTES, ROUND_FRAMES, int(time.time()), 7)
    node.start()
    wait_for(lambda: fleet.committed()["node-00"] >= head)
    return head


@pytest.mark.slow
def test_restore_of_an_older_database_names_what_is_gone_and_gets_back_what_is_held(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, 1, Timing(record_s=3600, frame_s=3600, resend_s=2))
    with fleet:
        first = deliver(fleet)
        fleet.stop_manager()
        backup = tmp_path / "backup.db"
        shutil.copy(fleet.settings.database, backup)
        kept = fleet.committed()["node-00"]
        fleet.start_manager()
        for _ in range(4):
            head = deliver(fleet)
        assert head > first + 3 * ROUND_FRAMES
        fleet.kill_manager()
        for leftover in tmp_path.glob("data/citynode.db-*"):
            leftover.unlink()
        shutil.copy(backup, fleet.settings.database)
        fleet.start_manager()
        wait_for(lambda: fleet.committed()["node-00"] >= head)
        wait_for(lambda: shadow(fleet).lost_by_restore > 0)
        found = shadow(fleet)
    stored = [seq for (_, seq), _ in fleet.stored()]
    missing = sorted(set(range(head)) - set(stored))
    assert missing and missing == list(range(kept, kept + len(missing)))
    assert found.lost_by_restore == found.lost == len(missing)
    assert len(stored) == len(set(stored))
    assert [alert["kind"] for alert in found.alerts] == ["restore"]
    assert f"records {kept} to {missing[-1]}" in str(found.alerts[0]["text"])
