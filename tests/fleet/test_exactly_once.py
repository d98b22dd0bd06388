"""Exactly once, end to end: whatever is killed, the store holds what the outboxes took, each record once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from device_manager.settings import Timing
from tests.fleet.fleet import RARELY, Fleet, compare

SECONDS = 40


@pytest.mark.slow
def test_kills_at_random_moments_lose_and_repeat_nothing(tmp_path: Path) -> None:
    with Fleet(tmp_path, 8, Timing(record_s=1, frame_s=2, frame_records=30, resend_s=3)) as fleet:
        rng = random.Random(20261123)
        fleet.torment(SECONDS, rng)
        while min(fleet.done[victim] for victim in ("broker", "manager", "node")) < 3:  # a busy machine kills slowly
            fleet.torment(5, rng)
        fleet.retime(RARELY)
        fleet.wait_until_delivered(180)
        for node in fleet.nodes:
            node.kill()
        outcome = compare(fleet)
    assert min(fleet.done["broker"], fleet.done["manager"], fleet.done["node"]) >= 3, fleet.done
    assert outcome["frames"] > SECONDS
    assert {k: outcome[k] for k in ("lost", "repeated", "changed", "invented")} == {
        "lost": 0, "repeated": 0, "changed": 0, "invented": 0
    }, outcome  # fmt: skip
