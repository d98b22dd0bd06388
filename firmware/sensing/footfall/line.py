"""Tracks -> full crossings of a line on the ground, in and out.

The line goes from point A to point B (mm, the radar's axes); IN is from its right to its left as seen from A to B. A
track has a side only while it is more than MARGIN_MM from the line (the radar's position wanders by a hand's breadth,
and people stop in doors), and crosses when its side changes within the line's length. One who comes back before having
left the margin on the other side has crossed nothing, and what the radar only extrapolates crosses nothing.
"""

from array import array

from firmware.sensing.footfall.tracks import MOST, Tracks

MARGIN_MM = 500
SPAN_MM = 400  # beyond the ends of the line that still counts


class LineCounter:
    """`line` is (ax, ay, bx, by) in mm; `entered` and `left` only grow."""

    def __init__(self, line: tuple) -> None:
        ax, ay, bx, by = line
        self._a = ax, ay
        self._dx, self._dy = bx - ax, by - ay
        self._length = _root(self._dx * self._dx + self._dy * self._dy)
        if self._length < 200:
            raise ValueError("expected a line of at least 200 mm, got %d: ax, ay, bx, by in mm" % self._length)
        self.entered = self.left = 0
        self.tracks = Tracks()
        self._sides = array("b", bytes(MOST))

    def step(self, count: int, xs: array, ys: array, speeds: array, frame_ms: int) -> None:
        """Take a frame of `count` targets at xs, ys (mm) with radial speeds (cm/s), `frame_ms` after the last."""
        self.tracks.step(count, xs, ys, speeds, frame_ms)
        for i in range(MOST):
            if self.tracks.fresh[i]:
                self._sides[i] = 0
            if self.tracks.live(i):
                self._look(i)

    def _look(self, i: int) -> None:
        x, y = self.tracks.x[i] - self._a[0], self.tracks.y[i] - self._a[1]
        across = (self._dx * y - self._dy * x) // self._length
        if abs(across) < MARGIN_MM:
            return
        side = 1 if across > 0 else -1
        along = (self._dx * x + self._dy * y) // self._length
        if self._sides[i] == -side and -SPAN_MM <= along <= self._length + SPAN_MM:
            if side > 0:
                self.entered += 1
            else:
                self.left += 1
        self._sides[i] = side


def _root(square: int) -> int:
    """The integer square root, rounded down."""
    root = 1 << 15
    while root * root > square:
        root = (root + square // root) // 2
    return root
