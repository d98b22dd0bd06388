"""Readings -> frames, as nodes encode them: the columns of a trace are encoded once, heads are put before them.

    trace = Trace(values, records=10)
    payload = trace.frame(log=7, seq=3, t0=1_772_319_600, at=12)

The bytes are those of `firmware.wire.frame`, a test compares them. A trace as a CSV file has a quantity a column
(`hardware/quantities.toml`) and whole numbers in its resolution; `at` chooses the window, so that nodes differ.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

from device_manager.errors import UsageError
from firmware.wire import VERSION, records
from firmware.wire.quantities import QUANTITIES


class Trace:
    """`values` are rows of whole numbers, a column a channel; a frame holds `records` rows, `record_s` apart."""

    def __init__(self, values: Sequence[Sequence[int]], records: int = 10, record_s: int = 60) -> None:
        starts = range(0, len(values) - records + 1, records)
        self._bodies = [_body(values[at : at + records]) for at in starts]
        self._tail = _uint(record_s) + _uint(records)

    def frame(self, log: int, seq: int, t0: int, at: int) -> bytes:
        """Return frame `seq` of a log that begins at `t0` (Unix s), with window `at` of the trace."""
        body = self._bodies[at % len(self._bodies)]
        return _HEAD + _uint(log) + _uint(seq) + b"\x00" + _uint(t0) + self._tail + body


def channels(quantities: Sequence[str], log: int, record_s: int = 60) -> bytes:
    """Return the channels record that epoch 0 of a log begins with."""
    rows = [[name, *QUANTITIES[name][:2], "gate" if name.startswith("footfall") else "air"] for name in quantities]
    fields = {"firmware": "load", "configuration": 1, "interval_s": record_s, "channels": rows}
    return records.encode_channels(log, 0, fields)


def read(file: Path) -> tuple[list[str], list[list[int]]]:
    """Return (quantities, rows) of a CSV trace; UsageError when it is none."""
    try:
        head, *rows = csv.reader(file.read_text("utf-8").splitlines())
        values = [[int(cell) for cell in row] for row in rows]
    except (OSError, ValueError) as error:
        todo = "write a line of quantities, then whole numbers"
        raise UsageError(expected=f"a trace in {file}", got=str(error), todo=todo) from error
    if strangers := [name for name in head if name not in QUANTITIES]:
        raise UsageError(expected="quantities as columns", got=strangers[0], todo="see hardware/quantities.toml")
    return head, values


def _uint(value: int) -> bytes:
    """Return a CBOR integer (RFC 8949, 3.1), negative ones too."""
    major, value = (0x20, -1 - value) if value < 0 else (0, value)
    if value < 24:
        return bytes((major | value,))
    for extra, size in enumerate((1, 2, 4, 8)):
        if value < 1 << 8 * size:
            return bytes((major | 24 + extra,)) + value.to_bytes(size, "big")
    raise OverflowError(f"expected a number of at most 64 bits, got {value}")


def _body(rows: Sequence[Sequence[int]]) -> bytes:
    """Return the last item of a frame: column after column, each value as the difference to the one before."""
    flat = [row[column] for column in range(len(rows[0])) for row in rows]
    differences = [value - before for value, before in zip(flat, [0, *flat], strict=False)]
    length = _uint(len(differences))
    return bytes((length[0] | 0x80,)) + length[1:] + b"".join(map(_uint, differences))


_HEAD = b"\x88" + _uint(VERSION)
