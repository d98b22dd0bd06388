"""Every kind of fault at random moments: nothing is lost, nothing is there twice, everybody comes back."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from device_manager.settings import Timing
from tests.fleet.chaos import KINDS, Chaos
from tests.fleet.fleet import RARELY, Fleet, compare

SECONDS = 25


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the files of a running process")
def test_faults_of_every_kind_lose_and_repeat_nothing_and_all_come_back(tmp_path: Path) -> None:
    timing = Timing(record_s=1, frame_s=2, frame_records=30, resend_s=3)
    with Fleet(tmp_path, 4, timing, proxied=True) as fleet:
        chaos = Chaos(fleet, random.Random(11), slower=0.3, pause_s=1.2)
        chaos.run(SECONDS)
        chaos.heal()
        missing = chaos.wait_until_back(180)
        fleet.retime(RARELY)
        fleet.wait_until_delivered(180)
        for node in fleet.nodes:
            node.kill()
        outcome = compare(fleet)
    assert missing == 0, f"{chaos.table()}\n{chaos.not_running}"
    assert len({fault.kind for fault in chaos.faults}) >= len(KINDS) - 2, chaos.table()
    assert {k: outcome[k] for k in ("lost", "repeated", "changed", "invented")} == {
        "lost": 0, "repeated": 0, "changed": 0, "invented": 0
    }, outcome  # fmt: skip
