"""Invalidation by people: a period of a site's readings that nobody shall calculate with, with its reason.

The readings stay, with the bit `flags.INVALID`; taking the word back takes the bit away.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from device_manager.series.flags import INVALID

Ints = npt.NDArray[np.int64]


class Invalidation(NamedTuple):
    """Readings that touch [since_s, until_s) at a site (or of a node, wherever it hangs); `quantity` None: all."""

    invalidation_id: int
    site_id: int | None
    node_id: int | None
    quantity: str | None
    since_s: int
    until_s: int
    reason: str

    def concerns(self, node_id: int, quantity: str) -> bool:
        """True when it may hold for that channel."""
        return self.quantity in (None, quantity) and self.node_id in (None, node_id)

    def covers(self, site_id: Ints, start_s: Ints, end_s: Ints) -> npt.NDArray[np.bool_]:
        """True for the readings that it names, of a channel that it concerns."""
        inside = (start_s < self.until_s) & (end_s > self.since_s)
        return inside if self.site_id is None else inside & (site_id == self.site_id)


def invalidated(flags: Ints, site_id: Ints, start_s: Ints, end_s: Ints, invalidations: Iterable[Invalidation]) -> Ints:
    """Return the flags with INVALID where one of the `invalidations`, which concern the channel, holds."""
    for invalidation in invalidations:
        flags = flags | np.where(invalidation.covers(site_id, start_s, end_s), INVALID, 0)
    return flags
