"""Records that leave their neighbours in time and come back.

For air, water and pressure one such record is impossible: `jumps`. For particles it is not (somebody smokes below the
node, a lorry passes), but a sensor with a loose inlet, an insect or drops in its chamber does it all day long: `spiky`
counts the different hours of a day that hold a spike. Fireworks and bonfires crowd into few hours and last for more
than two records, so they are neither.
"""

import numpy as np

from device_manager.quality.channel import DAY_S, HOUR_S, Bools, Channel
from device_manager.quality.finding import Finding, merged
from device_manager.quality.limits import Limits
from device_manager.quality.runs import clusters, running_median, runs

WINDOW_S = 750
"""Half of the window of the median: a quarter of an hour to each side has no more than a plume's passing."""

LONGEST_S = 300
"""What lasts longer (or more than two records) is a plume: a bonfire, a lorry that stands, a rocket and its smoke."""

SPIKY_HOURS = 6
"""Different hours with a spike within 24 h. A busy place has one every other day; were they independent, six within a
day would come once in two hundred years of a channel (Poisson, mean 0.5: 1.4e-5 a day), five once in sixteen."""

JOIN_S = DAY_S


def jumps(channel: Channel, limits: Limits, unit: str) -> list[Finding]:
    """Return groups of records that lie further from the median around them than the quantity can."""
    if limits.jump is None:
        return []
    kept = channel.where(channel.present)
    away = np.abs(kept.value - _median(kept))
    rows = np.flatnonzero(away > limits.jump)
    return [_jump(kept, away, rows[group], limits.jump, unit) for group in clusters(kept.start_s[rows], JOIN_S)]


def _median(kept: Channel) -> np.ndarray:
    return running_median(kept.value, max(2, round(WINDOW_S / kept.interval_s))) if len(kept.value) else kept.value


def _jump(kept: Channel, away: np.ndarray, rows: np.ndarray, limit: float, unit: str) -> Finding:
    worst = rows[np.argmax(away[rows])]
    text = f"{kept.name}: {len(rows)} records up to {away[worst]:.1f} {unit} from the quarter of an hour around them"
    start_s, end_s = int(kept.start_s[rows[0]]), int(kept.start_s[rows[-1]] + kept.interval_s)
    return Finding(kept.name, "jump", start_s, end_s, float(away[worst]), limit, unit, len(rows), text)


def spikes(channel: Channel, limits: Limits) -> Bools:
    """Return the rows (of present and missing ones) that are short spikes; none where the quantity knows none."""
    mask = np.zeros(len(channel.value), dtype=bool)
    if limits.spike_factor is not None and channel.interval_s <= WINDOW_S / 2:
        kept = channel.where(channel.present)
        usual = limits.spike_factor * (_median(kept) + limits.spike_offset) - limits.spike_offset
        mask[channel.present] = _short(kept.value > usual, max(2, int(LONGEST_S / kept.interval_s)))
    return mask


def _short(high: Bools, most: int) -> Bools:
    """Return only runs of at most so many rows."""
    short = np.zeros(len(high), dtype=bool)
    for first, end in runs(high):
        short[first:end] = end - first <= most
    return short


def spiky(channel: Channel, limits: Limits, unit: str) -> list[Finding]:
    """Return periods in which every 24 h hold spikes in at least SPIKY_HOURS different hours."""
    mask = spikes(channel, limits)
    hours = np.unique(channel.start_s[mask] // HOUR_S)
    ahead = np.searchsorted(hours, hours + 24) - np.arange(len(hours))
    found = [
        _spiky(channel, int(hour) * HOUR_S, int(hours[at + count - 1] + 1) * HOUR_S, int(count))
        for at, (hour, count) in enumerate(zip(hours, ahead, strict=True))
        if count >= SPIKY_HOURS
    ]
    return [_told(channel, mask, one, unit) for one in merged(found, 0)]


def _spiky(channel: Channel, start_s: int, end_s: int, hours: int) -> Finding:
    return Finding(channel.name, "spikes", start_s, end_s, hours, SPIKY_HOURS, "h/d", hours, "")


def _told(channel: Channel, mask: Bools, found: Finding, unit: str) -> Finding:
    within = mask & (channel.start_s >= found.start_s) & (channel.start_s < found.end_s)
    count, top = int(np.count_nonzero(within)), float(channel.value[within].max())
    text = f"{channel.name}: {count} spikes up to {top:g} {unit}, in {found.value:.0f} hours of one day"
    return Finding(
        found.channel, found.rule, found.start_s, found.end_s, found.value, found.limit, found.unit, count, text
    )
