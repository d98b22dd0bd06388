"""The kernels' own source, run on CPython with any kind of number: this ties a proof to what the node runs.

`load()` executes firmware/sensing/sound/kernels.py with stand-ins for MicroPython's names: `@micropython.viper` leaves
the function as it is, `int(x)` and pointers hand on what they are given. Numbers are then whatever the memories hold.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

KERNELS = Path(__file__).parents[2] / "firmware" / "sensing" / "sound" / "kernels.py"


def load() -> SimpleNamespace:
    """The names of the kernel module; weigh, square, add and follow are plain Python functions."""
    stand_in = ModuleType("micropython")
    stand_in.viper = lambda function: function  # type: ignore[attr-defined]
    stand_in.const = lambda number: number  # type: ignore[attr-defined]
    names: dict[str, Any] = {"ptr32": None, "int": lambda number: number}
    before = sys.modules.get("micropython")
    sys.modules["micropython"] = stand_in
    try:
        exec(compile(KERNELS.read_text("utf-8"), str(KERNELS), "exec"), names)  # noqa: S102 (our own source)
    finally:
        sys.modules.pop("micropython")
        if before is not None:
            sys.modules["micropython"] = before
    return SimpleNamespace(**names)
