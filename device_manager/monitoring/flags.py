"""What nodes themselves say of their newest records, as facts of each channel. Pure."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from device_manager.series import Observations
from firmware.wire import quality

BAD = quality.OUT_OF_RANGE | quality.STUCK | quality.FAULT
EXPLAINED = quality.WARM_UP | quality.MAINTENANCE
STARTED_S = 180
"""Every sensor of the catalogue has settled so long after its node started (the slowest: 30 readings)."""
Shares = dict[tuple[int, str], float]


def channel_facts(found: Observations) -> Shares:
    """Return {(node id, "sensor/quantity"): percent of its records that are no measurement} of the newest frames.

    A record counts that is flagged out of range, stuck or faulty, or missing without a reason (warm-up, maintenance).
    """
    missing = np.isnan(found.value) & ((found.flags & EXPLAINED) == 0)
    return _percent(found, missing | (((found.flags & BAD) != 0) & ((found.flags & quality.MAINTENANCE) == 0)))


def resettled(found: Observations, boots_s: Mapping[int, float]) -> Shares:
    """Return {(node id, "sensor/quantity"): percent of its records in which a sensor settles though its node did not
    start}; `boots_s` says when nodes started (Unix s), those that are not in it are left out.

    A sensor whose supply dips for a moment starts anew without an error: its records only say that it warms up.
    """
    known = np.isin(found.node_id, list(boots_s))
    found = found.where(known)
    began_s = np.array([boots_s[node_id] + STARTED_S for node_id in found.node_id.tolist()])
    return _percent(found, ((found.flags & EXPLAINED) == quality.WARM_UP) & (found.start_s > began_s))


def _percent(found: Observations, counts: npt.NDArray[np.bool_]) -> Shares:
    keys, row_of = np.unique(np.stack([found.node_id, found.channel]), axis=1, return_inverse=True)
    row_of = row_of.reshape(-1)
    share = np.bincount(row_of, weights=counts, minlength=keys.shape[1]) / np.maximum(1, np.bincount(row_of))
    names = [f"{channel.sensor}/{channel.quantity}" for channel in found.channels]
    rows = zip(keys[0].tolist(), keys[1].tolist(), share.tolist(), strict=True)
    return {(node_id, names[channel]): 100.0 * percent for node_id, channel, percent in rows}
