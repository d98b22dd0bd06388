"""A counting gate: one direction's pulses, drawn from real hourly counts.

The hourly counts of `footfall` know neither moments nor directions. Each direction takes half of the hour's rate, and
pulses come at exponentially distributed distances (people who do not know each other), drawn from the site's seed.
"""

import math

from firmware.virtual.models import Draws
from firmware.virtual.trace import Trace

HOUR_MS = 3600000


def make(board: object, part: str) -> object:
    """The pulses of `part` ('footfall_in' or 'footfall_out') on `board`."""
    return Pulses(board, part)


class Pulses:
    """A growing count; the street is the same for both directions of a site."""

    def __init__(self, board: object, part: str) -> None:
        self._board = board
        self._part = part
        self._trace = Trace("footfall")
        self._street = int(Draws(board.seed, 3).uniform() * self._trace.columns)
        self._draws = Draws(board.seed, 4 if part == "footfall_in" else 5)
        self._count = 0
        self._frozen_at = None
        self._next_ms = board.trace_ms()
        self._advance()

    def pulses(self) -> int:
        """Pulses until now; a frozen gate gives the count at which it froze."""
        now_ms = self._board.trace_ms()
        while self._next_ms <= now_ms:
            self._count += 1
            self._advance()
        if self._board.fault(self._part) != "frozen":
            self._frozen_at = None
            return self._count
        if self._frozen_at is None:
            self._frozen_at = self._count
        return self._frozen_at

    def _advance(self) -> None:
        """Draw the moment of the next pulse, at the rate of the hour in which it falls."""
        while True:
            an_hour = self._trace.nearest(self._next_ms)[self._street]
            end_ms = (self._next_ms // HOUR_MS + 1) * HOUR_MS
            wait_ms = -math.log(self._draws.uniform()) * 2 * HOUR_MS / an_hour if an_hour else HOUR_MS
            if self._next_ms + wait_ms < end_ms:
                self._next_ms += max(1, int(wait_ms))
                return
            self._next_ms = end_ms  # the exponential distribution has no memory: draw again at the new rate
