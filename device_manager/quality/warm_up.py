"""Sensors that have just been switched on: they move in one direction, ever more slowly, until they are settled."""

import numpy as np

from device_manager.quality.channel import HOUR_S, Channel, Floats
from device_manager.quality.finding import Finding
from device_manager.quality.limits import Limits

WATCHED_S = HOUR_S
"""A box of a node takes a quarter of an hour to an hour to its own warmth."""

BIN_S = 300
LEAST_BINS = 4
SLOWER = 0.5
"""A warming box follows an exponential: the second half of the way is slower than half of the first steps."""


def warm_ups(channel: Channel, limits: Limits, unit: str) -> list[Finding]:
    """Return the hour after each known switching on in which the channel drifted one way by more than it settles by.

    The end of the finding is where the rate has fallen below a tenth of its first, or what was watched.
    """
    if limits.settle is None:
        return []
    found = [_warm_up(channel.between(boot_s, boot_s + WATCHED_S), limits.settle, unit) for boot_s in channel.boots_s]
    return [one for one in found if one]


def _warm_up(after: Channel, settle: float, unit: str) -> Finding | None:
    means = _bins(after)
    if len(means) < LEAST_BINS:
        return None
    steps, way = np.diff(means), float(means[-1] - means[0])
    one_way = np.all(np.sign(steps[: LEAST_BINS - 1]) == np.sign(way))
    if abs(way) < settle or not one_way or abs(steps[-1]) > SLOWER * abs(steps[0]):
        return None
    settled = np.flatnonzero(np.abs(steps) < 0.1 * abs(steps[0]))
    start_s = int(after.start_s[0])
    end_s = start_s + BIN_S * int(settled[0] + 1) if len(settled) else int(after.start_s[-1] + after.interval_s)
    text = f"{after.name}: moved by {way:+.1f} {unit} after it was switched on: warming up"
    return Finding(after.name, "warm-up", start_s, end_s, abs(way), settle, unit, len(after.value), text)


def _bins(after: Channel) -> Floats:
    kept = after.where(after.present)
    if not len(kept.value):
        return np.zeros(0)
    of = (kept.start_s - kept.start_s[0]) // BIN_S
    count = np.bincount(of)
    return (np.bincount(of, kept.value) / np.maximum(count, 1))[count > 0]
