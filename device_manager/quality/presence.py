"""Records that did not come: outages, thin days, and outages that many nodes share.

A missing record is a fact, not a judgement: these rules can name the wrong cause, never a gap that is none.
"""

from collections.abc import Sequence

import numpy as np

from device_manager.quality.channel import DAY_S, HOUR_S, Channel, Floats, Ints
from device_manager.quality.finding import Finding, merged
from device_manager.quality.statistics import surely_below

OUTAGE_S = HOUR_S
"""Shorter gaps are counted by the day: losing a record here and there is what radio does."""

LEAST_PRESENCE = 0.9
"""Directive 2008/50/EC, annex XI, asks for 90 % of a year's hours; a node that loses more has a radio problem."""

SHARED_NODES = 3
SHARED_INTERVALS = 4
"""A gap of four intervals in every one of three and more nodes at once: by chance less than once in a century when each
loses one such gap a week (3 nodes: (4 x 150 s / week)^2 a gap)."""


def node_outages(channels: Sequence[Channel]) -> list[Finding]:
    """Return the outages of a node: those of all its channels at once under its name, others under the channel's."""
    times = np.unique(np.concatenate([channel.start_s[channel.present] for channel in channels]))
    slowest = max(channel.interval_s for channel in channels)
    whole = outages(Channel(channels[0].node, "", times, np.zeros(len(times)), interval_s=slowest))
    single = [one for channel in channels for one in outages(channel)] if len(channels) > 1 else []
    return whole + [one for one in single if not _within(one, whole, 2 * slowest)]


def _within(one: Finding, whole: list[Finding], slack_s: float) -> bool:
    return any(w.start_s - slack_s <= one.start_s and one.end_s <= w.end_s + slack_s for w in whole)


def outages(channel: Channel) -> list[Finding]:
    """Return each gap of an hour and more (or of two intervals, for channels with longer ones) within the channel."""
    times = channel.start_s[channel.present]
    limit_s = max(OUTAGE_S, 2 * channel.interval_s)
    return [
        _outage(channel, int(times[i] + channel.interval_s), int(times[i + 1]), limit_s)
        for i in np.flatnonzero(np.diff(times) - channel.interval_s >= limit_s)
    ]


def _outage(channel: Channel, start_s: int, end_s: int, limit_s: float) -> Finding:
    hours, lost = (end_s - start_s) / HOUR_S, round((end_s - start_s) / channel.interval_s)
    text = f"{channel.name}: outage of {hours:.1f} h, {lost} records"
    return Finding(channel.name, "missing", start_s, end_s, hours, limit_s / HOUR_S, "h", lost, text)


def thin_days(channel: Channel) -> list[Finding]:
    """Return days of which fewer than nine of ten records came, outages not counted, joined to runs of days.

    The upper bound (95 %) of the day's share must lie below the limit, so that 20 of 24 hours are not judged.
    """
    times = channel.start_s[channel.present]
    if len(times) < 2:
        return []
    silent, first_day = outages(channel), int(times[0]) // DAY_S
    found = []
    for day, got in enumerate(np.bincount(times // DAY_S - first_day).tolist(), start=first_day):
        expected = round(_expected_s(channel, times, day, silent) / channel.interval_s)
        if got < LEAST_PRESENCE * expected and surely_below(got, expected, LEAST_PRESENCE):
            found.append(_thin(channel, day, got, expected))
    return [_summed(channel, one) for one in merged(found, 0)]


def _expected_s(channel: Channel, times: Ints, day: int, silences: list[Finding]) -> float:
    """Return the seconds of a day that lie within the channel and in no outage."""
    start, end = max(day * DAY_S, int(times[0])), min((day + 1) * DAY_S, int(times[-1] + channel.interval_s))
    silent = sum(max(0, min(end, one.end_s) - max(start, one.start_s)) for one in silences)
    return end - start - silent


def _thin(channel: Channel, day: int, got: int, expected: int) -> Finding:
    share = got / expected
    return Finding(channel.name, "thin", day * DAY_S, (day + 1) * DAY_S, share, LEAST_PRESENCE, "1", expected - got, "")


def _summed(channel: Channel, found: Finding) -> Finding:
    days = (found.end_s - found.start_s) // DAY_S
    worst = f"{found.value:.0%} came on the worst"
    text = f"{channel.name}: {found.count} records lost in {days} days besides outages; {worst}"
    return Finding(
        found.channel, found.rule, found.start_s, found.end_s, found.value, found.limit, "1", found.count, text
    )


def shared_outages(channels: Sequence[Channel]) -> list[Finding]:
    """Return the times at which all nodes that were alive were silent together: a fault of the receiving side.

    A node is alive if it sent within the hour before and the hour after; one in an outage of its own has no say.
    """
    nodes = _records_by_node(channels)
    if len(nodes) < SHARED_NODES:
        return []
    interval_s = max(channel.interval_s for channel in channels)
    gaps = {node: _gaps(times, SHARED_INTERVALS * interval_s) for node, times in nodes.items()}
    found = []
    for start_s, end_s in _candidates(gaps):
        alive = [node for node in nodes if _alive(nodes[node], start_s, end_s)]
        silent = [node for node in alive if np.any((gaps[node][:, 0] <= start_s) & (gaps[node][:, 1] >= end_s))]
        if len(silent) >= SHARED_NODES and len(silent) == len(alive):
            found.append(_shared(start_s, end_s, silent))
    return merged(found, 0)


def _records_by_node(channels: Sequence[Channel]) -> dict[str, Ints]:
    nodes: dict[str, list[Ints]] = {}
    for channel in channels:
        nodes.setdefault(channel.node, []).append(channel.start_s[channel.present])
    return {node: np.unique(np.concatenate(times)) for node, times in nodes.items()}


def _gaps(times: Ints, longer_s: float) -> Floats:
    at = np.flatnonzero(np.diff(times) > longer_s)
    return np.stack([times[at], times[at + 1]], axis=1).astype(np.float64)


def _candidates(gaps: dict[str, Floats]) -> list[tuple[float, float]]:
    """Return the overlaps of gaps of at least SHARED_NODES nodes: from the latest begin to the earliest end."""
    every = np.concatenate(list(gaps.values()))
    found = set()
    for start_s, _ in every:
        over = every[(every[:, 0] <= start_s) & (every[:, 1] > start_s)]
        if len(over) >= SHARED_NODES:
            found.add((float(start_s), float(over[:, 1].min())))
    return sorted(found)


def _alive(times: Ints, start_s: float, end_s: float) -> bool:
    before = np.any((times <= start_s) & (times > start_s - HOUR_S))
    after = np.any((times >= end_s) & (times < end_s + HOUR_S))
    return bool(before and after)


def _shared(start_s: float, end_s: float, silent: list[str]) -> Finding:
    minutes, names = (end_s - start_s) / 60, ", ".join(sorted(silent))
    text = f"receiving side: {names} all silent for {minutes:.0f} min"
    return Finding("fleet", "receiver", int(start_s), int(end_s), minutes, 0.0, "min", len(silent), text)
