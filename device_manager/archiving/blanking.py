"""A frame without the readings of some columns: the law may ask for it, or the policy.

The rest of the frame reads as before; what is taken out reads as missing, with no flag.
"""

from collections.abc import Collection
from typing import Any

from firmware.wire import cbor, frame
from firmware.wire.batch import RUNS


def blank(payload: bytes, columns: Collection[int]) -> bytes:
    """Return the frame with those columns missing; WireError when it is no frame."""
    found = frame.decode(payload)
    items: Any = cbor.decode(payload)
    total = 0
    steps: list[int | None] = []
    for at, value in enumerate(found.values):
        if at // found.count in columns or value is None:
            steps.append(None)
            continue
        steps.append(value - total)
        total = value
    items[7] = steps
    if len(items) == 9:
        items[8] = _extras(items[8], columns)
        if not items[8]:
            del items[8]
    return bytes(cbor.encode(items))


def _extras(extras: dict[int, Any], columns: Collection[int]) -> dict[int, Any]:
    runs = [run for run in extras.get(RUNS, ()) if run[0] not in columns]
    kept = {key: value for key, value in extras.items() if key != RUNS}
    return {RUNS: runs, **kept} if runs else kept
