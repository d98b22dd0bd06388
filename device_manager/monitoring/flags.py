"""What nodes themselves say of their newest records, as a fact of each channel. Pure."""

import numpy as np

from device_manager.series import Observations
from firmware.wire import quality

BAD = quality.OUT_OF_RANGE | quality.STUCK | quality.FAULT
EXPLAINED = quality.WARM_UP | quality.MAINTENANCE


def channel_facts(found: Observations) -> dict[tuple[int, str], float]:
    """Return {(node id, "sensor/quantity"): percent of its records that are no measurement} of the newest frames.

    A record counts that is flagged out of range, stuck or faulty, or missing without a reason (warm-up, maintenance).
    """
    missing = np.isnan(found.value) & ((found.flags & EXPLAINED) == 0)
    bad = missing | (((found.flags & BAD) != 0) & ((found.flags & quality.MAINTENANCE) == 0))
    keys, row_of = np.unique(np.stack([found.node_id, found.channel]), axis=1, return_inverse=True)
    row_of = row_of.reshape(-1)
    share = np.bincount(row_of, weights=bad, minlength=keys.shape[1]) / np.maximum(1, np.bincount(row_of))
    names = [f"{channel.sensor}/{channel.quantity}" for channel in found.channels]
    rows = zip(keys[0].tolist(), keys[1].tolist(), share.tolist(), strict=True)
    return {(node_id, names[channel]): 100.0 * percent for node_id, channel, percent in rows}
