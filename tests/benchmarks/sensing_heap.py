"""24 accelerated hours of the plaza design's sensors: SEN66, sound at 32 kHz, radar, compiled as on a device.

The whole chain from the bytes of the models to encoded frames runs on MicroPython under a small heap, in a time of its
own (on_micropython/plaza_day.py); the link is not in it (see node_heap). It passes when nothing grows after the
first hour and hardly a value is missing. The heap holds the models and shims too, which a chip does not have.

Short form: two hours.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from device_manager.adapters.firmware_build import compile_firmware
from device_manager.adapters.virtual_files import wiring
from hardware.catalog import designs
from hardware.node_document import bus_rows, sensor_rows
from tests.benchmarks.row import Row, at_least, at_most
from tests.conftest import find_micropython

SCRIPT = Path(__file__).parent / "on_micropython" / "plaza_day.py"
DESIGN = "plaza"
HEAP_KB, STEP_KB, LEAST_KB = 224, 4, 120
GROWTH_BYTES = 1024
TIMEOUT_S = 3 * 3600


def run(short: bool) -> list[Row]:
    """Return rows for growth, missing values and the smallest heap."""
    hours = 2 if short else 24
    with tempfile.TemporaryDirectory() as folder:
        root = compile_firmware(Path(folder))
        day = _run(root, Path(folder), hours, HEAP_KB)
        low, high = LEAST_KB, HEAP_KB
        while day and high - low > STEP_KB:
            middle = (low + high) // 2 // STEP_KB * STEP_KB
            low, high = (low, middle) if _run(root, Path(folder), 0, middle) else (middle, high)
    form = f"{hours} h"
    if not day:
        return [at_least(f"sensing_heap, hours at {HEAP_KB}k", 0, "h", hours, "MemoryError", form)]
    marks = [allocated for _, allocated in day["marks"]]
    beside = f"{marks[-1] / 1000:.0f} kB allocated at the end, {day['frames']} frames of {day['channels']} channels"
    growth = max(marks[1:]) - marks[1]
    apart = "sensors, models and shims, without the link"
    share = 100 * day["missing"] / (day["records"] * day["channels"])
    return [
        at_least(f"sensing_heap, hours at {HEAP_KB}k", hours, "h", hours, beside, form),
        at_most("sensing_heap, growth after the first hour", growth, "byte", GROWTH_BYTES, form=form),
        at_most("sensing_heap, missing values", share, "%", 1, f"{day['faults']} sensor faults", form),
        Row("sensing_heap, smallest heap that starts", high, "kB", beside=apart),
    ]


def _run(root: Path, folder: Path, hours: int, heap_kb: int) -> dict[str, Any] | None:
    """What the script found, None when the heap was too small."""
    design = designs()[DESIGN]
    (folder / "virtual.json").write_text(json.dumps({"seed": 11, "offset_s": 40_000, **wiring(design)}), "utf-8")
    node = {"sensors": sensor_rows(design), "buses": bus_rows(design)}
    (folder / "node.json").write_text(json.dumps(node), "utf-8")
    command = [find_micropython(), "-X", f"heapsize={heap_kb}k", str(SCRIPT), str(hours)]
    environment = {**os.environ, "MICROPYPATH": f"{root}:{root / 'firmware' / 'virtual'}:.frozen"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT_S, cwd=folder, env=environment, check=False
    )
    if done.returncode:
        if "MemoryError" in done.stdout + done.stderr:
            return None
        raise RuntimeError(f"{SCRIPT.name} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
