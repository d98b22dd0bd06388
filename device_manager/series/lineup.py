"""The lines of a node with everything that people and places say about them: corrected, flagged, by site."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from device_manager.series import flags as bits
from device_manager.series.calibration import NONE, correct
from device_manager.series.channels import Key, Line, lines
from device_manager.series.decisions import State
from device_manager.series.deployments import Deployments
from device_manager.series.epochs import Epochs
from device_manager.series.invalidation import invalidated
from device_manager.series.rows import FrameRows

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Reading:
    """A line as it is read: `line` with its flags and raw values, `corrected` values (raw where nothing corrects),
    `site_id` and `calibration` (its id, NONE) of each reading."""

    node_id: int
    line: Line
    corrected: npt.NDArray[np.float64]
    site_id: Ints
    calibration: Ints

    def best(self) -> Line:
        """Return the line with corrected values."""
        return replace(self.line, value=self.corrected)


def line_up(
    node_id: int,
    rows: FrameRows,
    epochs: Epochs,
    loads: Callable[[bytes], object],
    deployments: Deployments,
    state: State,
    only: Callable[[Key], bool] | None = None,
) -> dict[Key, Reading]:
    """Return the channels of a node from its frames, as `lines` does, with what holds for them."""
    found = lines(rows, epochs, loads, only)
    sites: dict[int, tuple[Ints, Ints]] = {}  # channels of one frame share one axis: look its sites up once
    return {key: _reading(node_id, key, line, deployments, state, sites) for key, line in found.items()}


def _reading(
    node_id: int, key: Key, line: Line, deployments: Deployments, state: State, sites: dict[int, tuple[Ints, Ints]]
) -> Reading:
    known = sites.get(len(line))
    if known is None or not np.array_equal(known[0], line.start_s):
        nodes = np.full(len(line), node_id, dtype=np.int64)
        known = sites[len(line)] = line.start_s, deployments.sites(nodes, line.start_s)
    site_id = known[1]
    calibrations, invalidations = state.for_channel(node_id, *key)
    flags = invalidated(line.flags, site_id, line.start_s, line.end_s, invalidations)
    if not calibrations:
        none = np.full(len(line), NONE, dtype=np.int64)
        return Reading(node_id, replace(line, flags=flags), line.value, site_id, none)
    corrected, made_by = correct(line.value, site_id, line.start_s, calibrations)
    flags = flags | np.where(made_by != NONE, bits.CALIBRATED, 0)
    return Reading(node_id, replace(line, flags=flags), corrected, site_id, made_by)
