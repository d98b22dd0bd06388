"""Which part of the sensor's array a zone looks through: all of it, or one half when something stands in the other.

A door leaf or a lamp at the edge of a zone hides people below it, because the sensor reports the nearest echo. As the
region of interest is free, a zone with an obstacle looks through one half across the passage, then through the other.
When all three hold an obstacle the zone is blocked; after HOPELESS turns without a free moment the floor itself is
learnt anew, for that is what a wrong floor looks like. Every RETRY_MS it tries the whole again while nobody is there.
"""

from firmware.sensing.footfall.zone import Zone

WHOLE, LEFT, RIGHT = 0, 1, 2
RETRY_MS = 300000
FREE_MS = 3000
HOPELESS = 12  # about a minute


class View:
    """The view of one zone: `part` is what the driver sets for its next range."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._since_ms = self._free_ms = self._turns = 0
        self.part = WHOLE

    @property
    def blocked(self) -> bool:
        """True while every part holds an obstacle, so that passages may be missed."""
        return self._turns > RIGHT

    def step(self, elapsed_ms: int) -> None:
        """Look elsewhere if something stands in the way; call it after each step of the counter."""
        self._since_ms += elapsed_ms
        self._free_ms = 0 if self._zone.occupied else self._free_ms + elapsed_ms
        if self._free_ms > FREE_MS:
            self._turns = 0
        if self._zone.obstacle_mm:
            self._turns += 1
            if self._turns % HOPELESS == 0:
                self._zone.learn_anew()
            self._turn((self.part + 1) % 3)
        elif self.part != WHOLE and self._since_ms > RETRY_MS and not self._zone.occupied:
            self._turn(WHOLE)

    def _turn(self, part: int) -> None:
        self.part = part
        self._since_ms = self._free_ms = 0
        self._zone.look_elsewhere()
