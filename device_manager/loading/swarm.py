"""Which simulated node has which frames to send at a moment. Pure: a function of time, and of what was sent.

Every node makes a frame each `frame_s`, at a moment of its own. Once in `outage_every_s` it is away for `outage_s`, at
a time of its own too, or all at once (`together`: a storm, when they come back with their backlog). Numbers go on
from 1; 0 is the record of its channels.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Habits(NamedTuple):
    """How nodes behave; `outage_every_s` 0 is never."""

    frame_s: float = 600.0
    outage_every_s: float = 0.0
    outage_s: float = 0.0
    together: bool = False


class Due(NamedTuple):
    """Frames `first`..`last` of node number `node` (from 0)."""

    node: int
    first: int
    last: int


class Swarm:
    """`count` nodes from second 0 on; `seed` says who is when."""

    def __init__(self, count: int, habits: Habits, seed: int = 1) -> None:
        chance = np.random.default_rng(seed)
        self._habits = habits
        self._phase_s = chance.uniform(0, habits.frame_s, count)
        spread_s = 0.0 if habits.together else habits.outage_every_s
        self._away_s = chance.uniform(0, spread_s, count) if spread_s else np.zeros(count)
        self.sent = np.zeros(count, dtype=np.int64)

    def due(self, now_s: float) -> Iterator[Due]:
        """Yield what nodes that are there have to send at `now_s`, and count it as sent."""
        made = np.floor((now_s - self._phase_s) / self._habits.frame_s).astype(np.int64) + 1
        waiting = (made > self.sent) & self.there(now_s)
        for node in np.flatnonzero(waiting).tolist():
            first, last = int(self.sent[node]) + 1, int(made[node])
            self.sent[node] = last
            yield Due(node, first, last)

    def there(self, now_s: float) -> "np.typing.NDArray[np.bool_]":
        """Return which nodes are not away: an outage ends each period of a node."""
        habits = self._habits
        if not habits.outage_every_s:
            return np.ones(len(self.sent), dtype=np.bool_)
        within = (now_s + self._away_s) % habits.outage_every_s
        return np.asarray(within < habits.outage_every_s - habits.outage_s)
