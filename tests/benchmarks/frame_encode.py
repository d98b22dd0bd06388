"""Encoding on real MicroPython: a whole frame with head and CRC against json.dumps of the same integers."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.benchmarks.row import Row, at_most
from tests.benchmarks.tools import on_micropython
from tests.data import real_day


def run(short: bool) -> list[Row]:
    """Return the ratio of the times and the growth of the heap, for frames of 10 and of 30 records."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.json"
        path.write_text(json.dumps(real_day.records()[600:640]))
        for size in (10, 30):
            got = json.loads(on_micropython("on_micropython/encode.py", str(path), str(size)))
            beside = (
                f"frame {got['encode_us']:.1f} us, json.dumps {got['json_us']:.1f} us; filling the batch, spread over "
                f"its records, {got['fill_us']:.0f} us"
            )
            ratio = got["encode_us"] / got["json_us"]
            rows.append(at_most(f"frame_encode, {size} records", ratio, "x json.dumps", 0.5, beside))
            growth = at_most(f"frame_encode, {size} records, heap growth", got["growth"], "byte in 10,000 frames", 0)
            rows.append(growth)
    return rows
