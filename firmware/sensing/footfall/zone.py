"""One field of view of a time-of-flight sensor that looks down: ranges in, passages out.

The floor is the upper quartile of the first LEARN medians (false ranges lie farther), and then follows slowly while the
zone is free (a mat, snow, a person who stood below at the start). A zone is occupied while the median of its last three
ranges is nearer than NEAR_PERCENT of the floor. The median, where ST's example takes the minimum of the last k, because
a single false range (sun, rain, a fly) must neither begin nor end a passage; dropped ranges are left out of it, until
so many are missing in a row that there is nothing to be seen.

A passage is split in two when the range rises by VALLEY_MM above the nearest (the gap behind a head) and then falls
again by PEAK_MM (the next head): people who walk close behind one another never free the zone. Only within WALK_MS of
its beginning: later it is somebody who stands and moves.

What stays within RIGID_MM for RIGID_MS is furniture, an open door, or a person who stands very still: it becomes the
zone's obstacle, and only ranges that differ from it count from then on, until it has gone. A person who moves on
differs from where they stood, so they lose nothing by it.
"""

from array import array

FAR_MM = 8190
LEARN = 40
FOLLOW_BITS = 7  # 128 ranges, some 6 s
NEAR_PERCENT = 80
HOLD_DROPS = 4
VALLEY_MM = 330
PEAK_MM = 200
RIGID_MM = 20
RIGID_MS = 5000
WALK_MS = 2500
GONE_STEPS = 20  # ranges in a row without the obstacle after which it is forgotten

NOTHING, RISE, FALL, SPLIT = 0, 1, 2, 3


class Zone:
    """`on` is when the running passage began, `began` and `off` are of the last ended one, in the caller's ms.

    `floor_mm` may be given where it is known; `learnt` is False until the floor is known.
    """

    def __init__(self, floor_mm: int = 0) -> None:
        self._floor = floor_mm << FOLLOW_BITS
        self._to_learn = 0 if floor_mm else LEARN
        self._heard = array("H", bytes(2 * LEARN))  # the first medians, in order of size
        self.occupied = False
        self.on = self.off = self.began = 0
        self._a = self._b = self._c = FAR_MM
        self._drops = 0
        self._nearest = self._valley = FAR_MM
        self._valley_at = 0
        self._anchor = self._anchored_at = 0
        self.obstacle_mm = 0
        self._unseen = 0

    @property
    def floor_mm(self) -> int:
        """The distance to the floor, as far as it is known."""
        return self._floor >> FOLLOW_BITS

    @property
    def learnt(self) -> bool:
        """True when the floor is known, and so passages are."""
        return not self._to_learn

    def look_elsewhere(self) -> None:
        """Begin anew with another field of view: what was seen, obstacle and passage too, is of the old one."""
        self.occupied = False
        self.obstacle_mm = self._unseen = 0
        self._a = self._b = self._c = FAR_MM

    def step(self, range_mm, now_ms: int) -> int:
        """Take a range (None: dropped) at `now_ms`; returns NOTHING, RISE, FALL, or SPLIT (a fall and a rise).

        After FALL and SPLIT the ended passage is `began`..`off`; `on` is the beginning of the running one.
        """
        if range_mm is None:
            self._drops += 1
            if self._drops <= HOLD_DROPS:
                return NOTHING
            range_mm = FAR_MM
        else:
            self._drops = 0
        self._a, self._b, self._c = self._b, self._c, range_mm
        range_mm = _median(self._a, self._b, self._c)
        return self._learn(range_mm) if self._to_learn else self._follow(range_mm, now_ms)

    def learn_anew(self) -> None:
        """Forget the floor, which must have been wrong, and take the next LEARN ranges for it."""
        self._to_learn = LEARN

    def _learn(self, range_mm: int) -> int:
        if range_mm < FAR_MM:
            at = LEARN - self._to_learn
            while at and self._heard[at - 1] > range_mm:
                self._heard[at] = self._heard[at - 1]
                at -= 1
            self._heard[at] = range_mm
            self._to_learn -= 1
            self._floor = self._heard[LEARN * 3 // 4] << FOLLOW_BITS
        return NOTHING

    def _follow(self, range_mm: int, now_ms: int) -> int:
        near = range_mm < self.floor_mm * NEAR_PERCENT // 100 and not self._is_obstacle(range_mm)
        if not self.occupied:
            if near:
                return self._rise(range_mm, now_ms)
            if range_mm < FAR_MM and not self.obstacle_mm:
                self._floor += range_mm - self.floor_mm
            return NOTHING
        if not near:
            return self._fall(now_ms)
        if self._rigid(range_mm, now_ms):
            self.obstacle_mm = range_mm
            self.occupied = False
            return NOTHING
        return self._look_for_gap(range_mm, now_ms)

    def _rise(self, range_mm: int, now_ms: int) -> int:
        self.occupied = True
        self.on = self._anchored_at = now_ms
        self._nearest = self._anchor = range_mm
        self._valley = 0
        return RISE

    def _fall(self, now_ms: int) -> int:
        self.occupied = False
        self.began = self.on
        self.off = now_ms
        return FALL

    def _look_for_gap(self, range_mm: int, now_ms: int) -> int:
        if range_mm < self._nearest:
            self._nearest = range_mm
        if range_mm > self._nearest + VALLEY_MM and range_mm > self._valley:
            self._valley = range_mm
            self._valley_at = now_ms
        elif self._valley and range_mm < self._valley - PEAK_MM and now_ms - self.on < WALK_MS:
            self.began = self.on
            self.off = self.on = self._valley_at
            self._nearest = range_mm
            self._valley = 0
            return SPLIT
        return NOTHING

    def _rigid(self, range_mm: int, now_ms: int) -> bool:
        if abs(range_mm - self._anchor) > RIGID_MM:
            self._anchor = range_mm
            self._anchored_at = now_ms
        return now_ms - self._anchored_at > RIGID_MS

    def _is_obstacle(self, range_mm: int) -> bool:
        if not self.obstacle_mm:
            return False
        if abs(range_mm - self.obstacle_mm) <= 2 * RIGID_MM:
            self._unseen = 0
            return True
        self._unseen += 1
        if self._unseen > GONE_STEPS:
            self.obstacle_mm = self._unseen = 0
        return False


def _median(a: int, b: int, c: int) -> int:
    if a > b:
        a, b = b, a
    if b <= c:
        return b
    return a if a > c else c
