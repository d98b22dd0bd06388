"""How much one request may read, and how long it may take.

What it reads is counted in observations, so that this limit is the same on every machine. Time is looked at between
stretches of reading and between entities; what lies between two looks takes a second at most.
"""

from collections.abc import Callable

from device_manager.twin.query.syntax import Late, Unsupported

MOST_READ = 2_000_000
SITE_COST = 4000  # what opening one site for one stretch of time costs, in observations
TIME_LIMIT_S = 10.0


class Budget:
    """Counts down; whoever asks for more is told to narrow the question."""

    def __init__(self, left: int = MOST_READ, clock: Callable[[], float] = lambda: 0.0) -> None:
        """`clock` gives seconds that only grow; without one there is no limit in time."""
        self.limit = left
        self.left = left
        self._clock = clock
        self._until_s = clock() + TIME_LIMIT_S

    def charge(self, observations: int) -> None:
        """Take some; Unsupported when there are not that many left, Late when it is."""
        self.left -= observations
        if self.left < 0:
            raise Unsupported(
                f"this would read more than {self.limit} observations: "
                "narrow it by phenomenonTime or id, or leave out $count, $skip and other orders"
            )
        self.look()

    def look(self) -> None:
        """Look at the clock; Late when time is over."""
        if self._clock() > self._until_s:
            raise Late(
                f"this took longer than {TIME_LIMIT_S:.0f} s: ask for fewer entities or expand less ($top, $filter, "
                "$select), or come again when there is less to do"
            )
