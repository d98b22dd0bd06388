"""Has the release on trial proved itself: pure, asked about once a second.

Proved: joined, the first frame of this boot committed, and a plausible reading of every channel that had one before the
update. What was dead before need not live now. The limit counts from the start:

    a channel without a reading          rolled back: no network is needed to know it
    no broker was reached                put off: the confirmed release runs until the manager answers it, then the
                                         trial begins again; when it reaches nobody for the STRIKES_MAX-th time, it is
                                         rolled back
    a broker, and no word of a manager   the manager is away: the trial goes on for as long as it takes
    the manager answers, no frame        rolled back, when it has answered for the whole limit
"""

from collections import namedtuple

GO_ON, CONFIRM, ROLL_BACK, PUT_OFF, WAIT = "go on", "confirm", "roll back", "put off", "wait"
STRIKES_MAX = 3

Facts = namedtuple("Facts", ("uptime_s", "connected", "answered", "committed"))
"""Seconds since the start; is there a broker now, has the manager answered on this connection, is the frame in."""


class Proof:
    """`good` are the names of the channels that must have a reading, `strike` how often the trial was put off."""

    def __init__(self, good, limit_s: int, strike: int) -> None:
        self._missing = set(good)
        self._limit_s = limit_s
        self._strike = strike
        self._met = False  # a broker was reached
        self._answered_s = 0  # the manager has answered for so long, in sum
        self._last_s = 0

    def see(self, name: str) -> None:
        """A channel has a plausible reading."""
        self._missing.discard(name)

    def judge(self, facts: Facts) -> tuple:
        """Return (one of the words above, the reason)."""
        self._met = self._met or facts.connected
        if facts.answered:
            self._answered_s += facts.uptime_s - self._last_s
        self._last_s = facts.uptime_s
        if facts.committed and not self._missing:
            return CONFIRM, ""
        if facts.uptime_s < self._limit_s:
            return GO_ON, ""
        if self._missing:
            return ROLL_BACK, "no reading of %s within %d s" % (", ".join(sorted(self._missing))[:120], self._limit_s)
        if not self._met and self._strike + 1 >= STRIKES_MAX:
            return ROLL_BACK, "no connection in %d trials of %d s" % (STRIKES_MAX, self._limit_s)
        if not self._met:
            return PUT_OFF, "no connection within %d s" % self._limit_s
        if self._answered_s >= self._limit_s:
            return ROLL_BACK, "no frame committed, though the manager answered for %d s" % self._limit_s
        return WAIT, "the manager does not answer"
