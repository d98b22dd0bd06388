"""Two zones side by side -> people who went all the way through, in and out.

A person who walks through gives one passage in each zone, and leads in the same zone at the beginning and at the end:

    in      zone 0  ----------            out     zone 0      ----------      turned back   zone 0  --------------
            zone 1      ----------                zone 1  ----------                        zone 1      ------

So a crossing is a pair of passages of which one begins before and ends before the other. One of the two leads may be
short of nothing by SLACK_MS, since a zone is ranged only every other step, if the other is a walker's (BRISK_MS) and
both make at least LEAD_MS. A passage inside another is a person who leans over and goes back. A passage
that meets none in the other zone within GAP_MS is somebody at the edge.

Follower or return? When the first zone is occupied again before the second is free, either the next person has come or
the same one turns round. What comes next tells: the follower enters the second zone too, the other one does not. One
who turns round twice would look like two followers; but a walker takes about as long to leave as to enter, and as long
in one zone as in the other, and who turns stops first. SLOWER times as long (plus SLACK_MS) is no walker, and then the
two passages of the first zone are one.

    >>> counter = PathCounter()
    >>> counter.step(0, 1420, 25)  # zone, range in mm or None, ms since the last step
    >>> counter.entered, counter.left
"""

from firmware.sensing.footfall.zone import FALL, NOTHING, SPLIT, Zone

SLACK_MS = 30
LEAD_MS = 50
BRISK_MS = 500
GAP_MS = 150
SLOWER = 2


class PathCounter:
    """`entered` counts crossings from zone 0 to zone 1, `left` the others; both only grow."""

    def __init__(self, floor_mm: int = 0) -> None:
        self.zones = (Zone(floor_mm), Zone(floor_mm))
        self.entered = self.left = 0
        self._now_ms = 0
        self._waits = [False, False]  # a passage of that zone has ended and seeks its partner
        self._began = [0, 0]
        self._ended = [0, 0]
        self._undecided = -1  # first zone of a crossing that may be a return
        self._undecided_began = 0
        self._walker = False

    def step(self, zone: int, range_mm, elapsed_ms: int) -> None:
        """Take the next range of `zone`, in mm or None, `elapsed_ms` after the last step of either zone."""
        self._now_ms += elapsed_ms
        event = self.zones[zone].step(range_mm, self._now_ms)
        if event != NOTHING:
            if event == FALL or event == SPLIT:
                self._passage(zone, self.zones[zone].began, self.zones[zone].off)
            if event != FALL and self._undecided == 1 - zone:
                self._decide()
        self._expire()

    def _passage(self, zone: int, began: int, ended: int) -> None:
        other = 1 - zone
        running = self.zones[other]
        if self._waits[zone] and running.occupied and self._began[zone] < running.on < began:
            return  # leans back from the other zone: who came first still counts
        if self._waits[other] and self._settle(zone, began, ended):
            return
        self._waits[zone] = True
        self._began[zone] = began
        self._ended[zone] = ended

    def _settle(self, zone: int, began: int, ended: int) -> bool:
        """Compare the passage that has just ended in `zone` with the one that waits in the other; True when done."""
        other = 1 - zone
        self._waits[other] = False
        if began - self._ended[other] > GAP_MS:
            return False
        lag_on = began - self._began[other]
        lag_off = ended - self._ended[other]
        if _leads(lag_on, lag_off):
            self._crossed(other, lag_on, lag_off, ended - began)
            return True
        if _leads(-lag_on, -lag_off):
            self._count(zone)
            return True
        return lag_on > 0  # it lies inside the other: both are done

    def _crossed(self, first: int, lag_on: int, lag_off: int, stay: int) -> None:
        if not self.zones[first].occupied:
            return self._count(first)
        first_stay = self._ended[first] - self._began[first]
        self._undecided = first
        self._undecided_began = self._began[first]
        self._walker = lag_off <= SLOWER * lag_on + SLACK_MS and stay <= SLOWER * first_stay + SLACK_MS

    def _decide(self) -> None:
        """The second zone is entered again: by the follower, or by the one who turned round twice."""
        first = self._undecided
        self._undecided = -1
        if self._walker:
            self._count(first)
        elif self.zones[first].occupied:
            self.zones[first].on = self._undecided_began
        else:
            self._began[first] = self._undecided_began

    def _count(self, first: int) -> None:
        if first == 0:
            self.entered += 1
        else:
            self.left += 1

    def _expire(self) -> None:
        """Let go of passages that found no partner; begin time anew while nobody is there."""
        for zone in (0, 1):
            other_free = not self.zones[1 - zone].occupied
            if self._waits[zone] and other_free and self._now_ms - self._ended[zone] > GAP_MS:
                self._waits[zone] = False
        first = self._undecided
        if first >= 0 and not self._waits[first] and not self.zones[first].occupied:
            self._undecided = -1
        if not (self._waits[0] or self._waits[1] or self.zones[0].occupied or self.zones[1].occupied):
            self._now_ms = 0


def _leads(lag_on: int, lag_off: int) -> bool:
    if lag_on + lag_off < LEAD_MS or lag_on < -SLACK_MS or lag_off < -SLACK_MS:
        return False
    return (lag_on > 0 and lag_off > 0) or lag_on + lag_off <= BRISK_MS
