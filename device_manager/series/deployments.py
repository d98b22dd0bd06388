"""Which site a reading belongs to: the node's deployment at the reading's begin."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from device_manager.ports import Deployment

NO_SITE = -1
_TIME_BITS = 36  # Unix seconds far beyond 2106, so that node and time fit one sortable integer


class Deployments:
    """All deployments, searchable for many readings at once."""

    def __init__(self, rows: Sequence[Deployment]) -> None:
        ordered = sorted(rows)
        self._keys = np.array([row.node_id << _TIME_BITS | row.since_s for row in ordered], dtype=np.int64)
        self._nodes = np.array([row.node_id for row in ordered], dtype=np.int64)
        self._sites = np.array([row.site_id for row in ordered], dtype=np.int64)
        forever = 1 << _TIME_BITS
        untils = [forever if row.until_s is None else row.until_s for row in ordered]
        self._untils = np.array(untils, dtype=np.int64)

    def sites(self, node_ids: npt.NDArray[np.int64], start_s: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the site id of each (node, Unix s), NO_SITE where the node hung nowhere."""
        if not len(self._keys):
            return np.full(len(node_ids), NO_SITE, dtype=np.int64)
        at = np.searchsorted(self._keys, node_ids << _TIME_BITS | start_s, side="right") - 1
        known = (at >= 0) & (self._nodes[at] == node_ids) & (start_s < self._untils[at])
        return np.where(known, self._sites[at], NO_SITE)
