"""Tracks -> full crossings of a line on the ground, in and out.

The line goes from point A to point B (mm, the radar's axes); IN is from its right to its left as seen from A to B. A
track has a side only while it is more than MARGIN_MM from the line (the radar's position wanders by a hand's breadth,
and people stop in doors), and crosses when its side changes within the line's length. One who comes back before having
left the margin on the other side has crossed nothing, and what the radar only extrapolates crosses nothing.

The radar loses who stands still. A track that ends inside the margin leaves its side there for PARK_FRAMES; the next
track that begins within PARK_MM of it takes it up: it is the same person, who moves again.
"""

from array import array

from firmware.sensing.footfall.tracks import MOST, Tracks

MARGIN_MM = 600
PARKED, PARK_MM, PARK_FRAMES = 4, 1000, 700
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
        self._parked = [array("i", bytes(16)) for _ in range(PARKED)]  # x, y, side, frames left

    def step(self, count: int, xs: array, ys: array, speeds: array, frame_ms: int) -> None:
        """Take a frame of `count` targets at xs, ys (mm) with radial speeds (cm/s), `frame_ms` after the last."""
        self.tracks.step(count, xs, ys, speeds, frame_ms)
        for place in self._parked:
            place[3] -= place[3] > 0
        for i in range(MOST):
            if self.tracks.ended[i] and self._sides[i]:
                self._park(i)
            if self.tracks.fresh[i]:
                self._sides[i] = 0
            if self.tracks.live(i):
                self._look(i)

    def _park(self, i: int) -> None:
        """Leave the side of an ended track at the place that has been free or kept for longest."""
        x, y = self.tracks.x[i], self.tracks.y[i]
        if abs(self._across(x, y)) < MARGIN_MM:
            place = min(self._parked, key=_left)
            place[0], place[1], place[2], place[3] = x, y, self._sides[i], PARK_FRAMES

    def _take_up(self, x: int, y: int) -> int:
        """The side that was left near this point, 0 when there is none."""
        for place in self._parked:
            if place[3] and abs(place[0] - x) < PARK_MM and abs(place[1] - y) < PARK_MM:
                place[3] = 0
                return place[2]
        return 0

    def _across(self, x: int, y: int) -> int:
        return (self._dx * (y - self._a[1]) - self._dy * (x - self._a[0])) // self._length

    def _look(self, i: int) -> None:
        x, y = self.tracks.x[i], self.tracks.y[i]
        across = self._across(x, y)
        if not self._sides[i]:
            self._sides[i] = self._take_up(x, y)
        if abs(across) < MARGIN_MM:
            return
        side = 1 if across > 0 else -1
        along = (self._dx * (x - self._a[0]) + self._dy * (y - self._a[1])) // self._length
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


def _left(place: array) -> int:
    return place[3]
