"""What a sample costs: the whole chain on MicroPython's unix port, viper beside plain bytecode of the same source.

The share of a 240 MHz ESP32 is an estimate, not yet run on a chip: 16 instructions for a nanosecond here (80 counted
for a viper stage that takes 4.9 ns on the unix port), 1.5 to 2 cycles an instruction.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from tests.benchmarks.row import Row, at_most
from tests.benchmarks.tools import on_micropython
from tests.conftest import ROOT

SCRIPT = "on_micropython/sound_cost.py"
INSTRUCTIONS_A_NS, CYCLES_AN_INSTRUCTION, CHIP_HZ = 16, (1.5, 2.0), 240e6


def without_viper(folder: Path) -> Path:
    """A copy of the firmware whose kernels are plain bytecode; returns its root."""
    shutil.copytree(ROOT / "firmware", folder / "firmware", ignore=shutil.ignore_patterns("__pycache__", "traces"))
    kernels = folder / "firmware" / "sensing" / "sound" / "kernels.py"
    kernels.write_text(kernels.read_text("utf-8").replace("@micropython.viper\n", ""), "utf-8")
    return folder


def run(short: bool) -> list[Row]:
    """Return nanoseconds a sample, plain bytecode beside it, and the estimated share of a chip."""
    rounds = 11 if short else 51
    got = json.loads(on_micropython(SCRIPT, "32000", "50", str(rounds)))
    with tempfile.TemporaryDirectory() as folder:
        plain = json.loads(on_micropython(SCRIPT, "32000", "1", "5", root=without_viper(Path(folder))))
    form = "11 rounds" if short else "full"
    beside = f"plain bytecode {plain['chain_ns']:.0f} ns, weigh alone {got['weigh_ns']:.1f} ns"
    ns = got["chain_ns"]
    rows = [at_most("sound_cost, whole chain", ns, "ns a sample", 40, beside, form)]
    for rate_hz in (32000, 48000):
        low, high = (100 * ns * INSTRUCTIONS_A_NS * rate_hz * cycles / CHIP_HZ for cycles in CYCLES_AN_INSTRUCTION)
        about = f"{low:.0f}-{high:.0f} %, {ns * INSTRUCTIONS_A_NS:.0f} instructions a sample"
        note = f"{about}; an estimate, not yet run on a chip"
        title = f"sound_cost, share of a 240 MHz core at {rate_hz // 1000} kHz"
        rows.append(Row(title, high, "%", beside=note, form=form))
    rows.append(at_most("sound_cost, heap growth", got["growth"], f"byte in {rounds} s of sound", 0, form=form))
    return rows
