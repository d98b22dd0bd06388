"""The whole node, TLS and all sensors, under a small heap: 30 minutes at 224k, and the smallest heap that passes.

224k bytes on the unix port stand for an ESP32's heap beside Wi-Fi: objects are twice as large on 64 bits. The goal is
166k, the honest equal of an ESP32 without PSRAM (2 x (112 - 29 kB for a TLS session)). A node passes when it never
reset itself, reported to the end, and the floor of its free heap did not sink after the first third.

Short form: two minutes at 224k; a heap passes after 20 seconds.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from device_manager.adapters.firmware_build import compile_firmware
from device_manager.adapters.store_reader import SqlReader
from device_manager.adapters.virtual_node import VirtualNode
from device_manager.settings import Timing
from tests.benchmarks.row import Row, at_least, at_most
from tests.conftest import find_micropython
from tests.fleet.fleet import Fleet, change_json

TIMING = Timing(record_s=1, frame_s=5, frame_records=30, resend_s=10)
HEAP_KB, GOAL_KB, STEP_KB, LEAST_KB, MOST_KB = 224, 166, 4, 120, 320
SINKING_BYTES = 1024
SENSORS = (
    {"name": "air", "driver": "sen55", "bus": 0},
    {"name": "noise", "driver": "dnms", "bus": 0},
    {"name": "gate", "driver": "pulse_counter", "in_pin": 4, "out_pin": 5},
)


@dataclass
class Outcome:
    """How a run went: `floors` are (seconds, lowest free heap in bytes since boot, frames committed)."""

    resets: int = 0
    floors: list[tuple[float, int, int]] = field(default_factory=list)

    @property
    def sank_bytes(self) -> int:
        """How far the floor sank after the first third of the run."""
        late = [floor for at, floor, _ in self.floors if at >= self.floors[-1][0] / 3]
        return late[0] - late[-1] if late else 1 << 30

    @property
    def passed(self) -> bool:
        return not self.resets and bool(self.floors) and self.sank_bytes <= SINKING_BYTES


def run(short: bool) -> list[Row]:
    """Return rows for resets and sinking at 224k, and for the smallest heap."""
    seconds, each = (120, 20) if short else (1800, 60)
    form = f"{seconds} s"
    with tempfile.TemporaryDirectory() as folder, _fleet(Path(folder)) as fleet:
        fleet.firmware = compile_firmware(Path(folder), lean=True)  # as on every board without PSRAM
        long = _observe(fleet, HEAP_KB, seconds)
        low, high = LEAST_KB, MOST_KB
        while high - low > STEP_KB:
            middle = (low + high) // 2 // STEP_KB * STEP_KB
            low, high = (low, middle) if _observe(fleet, middle, each).passed else (middle, high)
    free = long.floors[-1][1] if long.floors else 0
    frames = long.floors[-1][2] if long.floors else 0
    beside = f"{frames} frames committed, at least {free / 1000:.0f} kB free"
    return [
        at_most(f"node_heap, resets at {HEAP_KB}k", long.resets, "resets", 0, beside, form),
        at_most(f"node_heap, floor sank at {HEAP_KB}k", long.sank_bytes, "byte", SINKING_BYTES, beside, form),
        at_least(f"node_heap, seconds with reports at {HEAP_KB}k", _reported_s(long), "s", 0.9 * seconds, beside, form),
        at_most(
            "node_heap, smallest that passes", high, "kB", GOAL_KB, f"goal; {HEAP_KB}k is required", f"{each} s each"
        ),
    ]


def _fleet(folder: Path) -> Fleet:
    """One node without PSRAM's luxury: sen55, dnms and a counting gate, where the virtual board has them by itself."""
    fleet = Fleet(folder, 1, TIMING)
    directory = fleet.nodes[0].directory
    change_json(directory / "node.json", sensors=SENSORS, buses=[])
    change_json(directory / "virtual.json", i2c=None, uart=None, i2s=None, pins=None)
    return fleet


def _reported_s(outcome: Outcome) -> float:
    return outcome.floors[-1][0] if outcome.floors else 0


def _observe(fleet: Fleet, heap_kb: int, seconds: float) -> Outcome:
    """Run the fleet's one node with that heap; its shadow tells the floor."""
    fleet.nodes[0].kill()
    node = VirtualNode(fleet.nodes[0].directory, Path(find_micropython()), fleet.firmware, f"{heap_kb}k")
    node.log.unlink(missing_ok=True)
    outcome, began, known_boot = Outcome(), time.monotonic(), _health(fleet)[0]
    node.start()
    fleet.nodes[0] = node
    while time.monotonic() - began < seconds and not outcome.resets:
        time.sleep(1)
        outcome.resets += 0 if node.alive() else 1
        boot, floor, frames = _health(fleet)
        if boot != known_boot and floor is not None:
            outcome.floors.append((time.monotonic() - began, floor, frames))
    return outcome


def _health(fleet: Fleet) -> tuple[int | None, int | None, int]:
    reader = SqlReader(fleet.settings.database)
    view = reader.node(fleet.nodes[0].name)
    reader.close()
    shadow = json.loads(view.shadow) if view and view.shadow else {}
    health = shadow.get("health") or {}
    return health.get("boot"), health.get("heap_floor"), shadow.get("frames", 0)
