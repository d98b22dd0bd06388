"""Kill broker, manager and nodes at random for ten minutes while eight nodes report; compare outboxes and store.

Short form: one minute.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from device_manager.settings import Timing
from tests.benchmarks.row import Row, at_most
from tests.fleet.fleet import RARELY, Fleet, compare

SECONDS, SHORT_SECONDS = 600, 60


def run(short: bool) -> list[Row]:
    """Return a row for records lost and one for records repeated, changed or invented."""
    seconds = SHORT_SECONDS if short else SECONDS
    timing = Timing(record_s=1, frame_s=2, frame_records=30, resend_s=3)
    with tempfile.TemporaryDirectory() as folder, Fleet(Path(folder), 8, timing) as fleet:
        fleet.torment(seconds, random.Random(1))
        fleet.retime(RARELY)
        fleet.wait_until_delivered(120)
        for node in fleet.nodes:
            node.kill()
        outcome = compare(fleet)
    kills = ", ".join(f"{count} x {what}" for what, count in sorted(fleet.done.items()))
    beside = f"{outcome['taken']} records taken by 8 outboxes, SIGKILL {kills}"
    form = f"{seconds} s"
    wrong = outcome["repeated"] + outcome["changed"] + outcome["invented"]
    return [
        at_most("exactly_once, lost", outcome["lost"], "records", 0, beside, form),
        at_most("exactly_once, repeated, changed or invented", wrong, "records", 0, beside, form),
    ]
