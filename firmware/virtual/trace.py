"""Reads a trace: rows of 16-bit integers at a fixed step, from disk by seek, so that a node keeps two rows in RAM.

File: u16 columns, u16 step in s, u32 rows, then the rows, all little-endian, values signed. It is replayed in a circle.
What the columns mean is written in traces/SOURCE.md.
"""

import struct

from micropython import const

_HEAD = "<HHI"
_HEAD_BYTES = const(8)
_DIRECTORY = __file__.rsplit("/", 1)[0] + "/traces/"


class Trace:
    """The trace of that name; `columns` values a row."""

    def __init__(self, name: str) -> None:
        self._file = open(_DIRECTORY + name + ".bin", "rb")
        self.columns, step_s, self.rows = struct.unpack(_HEAD, self._file.read(_HEAD_BYTES))
        self.step_ms = step_s * 1000
        self._format = "<%dh" % self.columns
        self._row_bytes = 2 * self.columns
        self._cached = {}

    def nearest(self, at_ms: int) -> tuple:
        """The row whose interval holds the moment `at_ms`."""
        return self._row(at_ms // self.step_ms)

    def at(self, at_ms: int) -> list:
        """The values at the moment `at_ms`, on the straight line between the rows around it."""
        index, rest_ms = at_ms // self.step_ms, at_ms % self.step_ms
        before, after = self._row(index), self._row(index + 1)
        return [a + (b - a) * rest_ms // self.step_ms for a, b in zip(before, after)]

    def _row(self, index: int) -> tuple:
        index %= self.rows
        if index not in self._cached:
            if len(self._cached) > 1:
                self._cached.clear()
            self._file.seek(_HEAD_BYTES + index * self._row_bytes)
            self._cached[index] = struct.unpack(self._format, self._file.read(self._row_bytes))
        return self._cached[index]
