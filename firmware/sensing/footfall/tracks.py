"""Radar targets -> tracks of persons, whatever slot a target comes in.

The radar gives up to three positions a frame, without names: its slots move up when a target ends. Each frame, tracks
are moved on by their speed and joined with the nearest target inside a gate, nearest pairs first; what is left begins
new tracks. A track without a target coasts for a while (a person who stands is lost by the radar for seconds) and then
ends. A track counts as a person only after HITS targets, so that a stray echo begins nothing.

The radar coasts too, before it ends a target: for up to 17 frames it moves it on in shrinking steps (in the captured
stream, seen by the speed that stays exactly the same). Only a track that is `live` stands on something newer.

Everything is an integer in mm, mm/s and ms; all memory is taken once.
"""

from array import array

MOST = 6
TARGETS = 3
GATE_MM, GATE_GROWTH_MM, GATE_MOST_MM = 600, 70, 1200
HITS = 4
COAST_FRAMES, COAST_NEW_FRAMES = 16, 3
SPEED_MOST_MM_S = 3000
SAME_FRAMES = 4  # of one speed that is not 0 in a row: the radar coasts


class Tracks:
    """`x`, `y`, `vx`, `vy` by track; `hits[i]` is 0 where there is none; `fresh[i]` when the last frame began it,
    `ended[i]` when it ended it (its x and y stay for that frame).
    """

    def __init__(self) -> None:
        self.x, self.y = array("i", bytes(4 * MOST)), array("i", bytes(4 * MOST))
        self.vx, self.vy = array("i", bytes(4 * MOST)), array("i", bytes(4 * MOST))
        self.hits = bytearray(MOST)
        self.missed = bytearray(MOST)
        self._speed = array("h", bytes(2 * MOST))
        self._same = bytearray(MOST)
        self.fresh, self.ended = bytearray(MOST), bytearray(MOST)
        self._taken = bytearray(TARGETS)
        self._joined = bytearray(MOST)

    def live(self, i: int) -> bool:
        """True for a person whom the radar has seen in the last frame."""
        return self.hits[i] >= HITS and not self.missed[i] and self._same[i] < SAME_FRAMES

    def step(self, count: int, xs: array, ys: array, speeds: array, frame_ms: int) -> None:
        """Take a frame of `count` targets at xs, ys (mm) with radial speeds (cm/s), `frame_ms` after the last."""
        self._move_on(frame_ms)
        for i in range(TARGETS):
            self._taken[i] = i >= count
        for i in range(MOST):
            self._joined[i] = self.fresh[i] = self.ended[i] = 0
        for _ in range(count):
            if not self._join_nearest(count, xs, ys, speeds, frame_ms):
                break
        self._forget()
        for target in range(count):
            if not self._taken[target]:
                self._begin(xs[target], ys[target])

    def _move_on(self, frame_ms: int) -> None:
        for i in range(MOST):
            if self.hits[i]:
                self.x[i] += self.vx[i] * frame_ms // 1000
                self.y[i] += self.vy[i] * frame_ms // 1000

    def _join_nearest(self, count: int, xs: array, ys: array, speeds: array, frame_ms: int) -> bool:
        best, track, target = 1 << 29, -1, -1
        for i in range(MOST):
            if not self.hits[i] or self._joined[i]:
                continue
            gate = min(GATE_MOST_MM, GATE_MM + GATE_GROWTH_MM * self.missed[i])
            for k in range(count):
                if self._taken[k]:
                    continue
                dx, dy = xs[k] - self.x[i], ys[k] - self.y[i]
                if abs(dx) <= gate and abs(dy) <= gate and dx * dx + dy * dy < min(best, gate * gate):
                    best, track, target = dx * dx + dy * dy, i, k
        if track < 0:
            return False
        self._join(track, xs[target], ys[target], frame_ms)
        self._taken[target] = self._joined[track] = 1
        same = speeds[target] and speeds[target] == self._speed[track]
        self._same[track] = min(255, self._same[track] + 1) if same else 0
        self._speed[track] = speeds[target]
        return True

    def _join(self, i: int, x: int, y: int, frame_ms: int) -> None:
        """Half the way to the target, and an eighth of the error a frame into the speed."""
        dx, dy = x - self.x[i], y - self.y[i]
        self.x[i] += dx // 2
        self.y[i] += dy // 2
        self.vx[i] = _within(self.vx[i] + dx * 125 // frame_ms, SPEED_MOST_MM_S)
        self.vy[i] = _within(self.vy[i] + dy * 125 // frame_ms, SPEED_MOST_MM_S)
        self.hits[i] = min(255, self.hits[i] + 1)
        self.missed[i] = 0

    def _forget(self) -> None:
        for i in range(MOST):
            if self.hits[i] and not self._joined[i]:
                self.missed[i] += 1
                if self.missed[i] > (COAST_FRAMES if self.hits[i] >= HITS else COAST_NEW_FRAMES):
                    self.hits[i] = 0
                    self.ended[i] = 1

    def _begin(self, x: int, y: int) -> None:
        for i in range(MOST):
            if not (self.hits[i] or self.ended[i]):
                self.x[i], self.y[i] = x, y
                self.vx[i] = self.vy[i] = self.missed[i] = self._same[i] = self._speed[i] = 0
                self.hits[i] = self.fresh[i] = 1
                return


def _within(value: int, most: int) -> int:
    return -most if value < -most else most if value > most else value
