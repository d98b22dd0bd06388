"""All rules over the channels of a fleet."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from device_manager.quality.channel import Channel
from device_manager.quality.counts import switched_off
from device_manager.quality.crowds import crowds
from device_manager.quality.finding import Finding
from device_manager.quality.limits import LIMITS, NO_LIMITS, Limits
from device_manager.quality.neighbours import disagreement, drift, floor_drift
from device_manager.quality.pattern import patterns
from device_manager.quality.presence import node_outages, shared_outages, thin_days
from device_manager.quality.spikes import jumps, spiky
from device_manager.quality.values import flat_days, orders, out_of_range, ranges, standing
from device_manager.quality.warm_up import warm_ups
from device_manager.series.derived.footfall import people
from device_manager.series.derived.local_time import local_seconds
from firmware.wire import quality as flags
from firmware.wire.quantities import QUANTITIES

NO_MEASUREMENT = flags.WARM_UP | flags.OUT_OF_RANGE | flags.STUCK | flags.FAULT | flags.MAINTENANCE


def check(
    channels: Sequence[Channel],
    zone: str = "UTC",
    pairs: Sequence[tuple[str, str]] = (),
    neighbours: Mapping[str, Sequence[str]] | None = None,
    limits: Mapping[str, Limits] = LIMITS,
) -> list[Finding]:
    """Return what is wrong with channels of one place, in order of time.

    zone: the local clock by which people there live; pairs: nodes side by side; neighbours: for each node those that
    share its weather and city (None: all others; pass a mapping when a valley and its hills are in one fleet); limits:
    by quantity.
    """
    series = [_counted(channel) for channel in channels]
    found = shared_outages(series)
    for _, of_node in sorted(_grouped(series, lambda one: one.node).items()):
        found += node_outages(of_node)
        for channel in of_node:
            found += _alone(channel, of_node, limits.get(channel.quantity, NO_LIMITS), zone)
    for of_sensor in _grouped(series, lambda one: f"{one.node}/{one.sensor}").values():
        found += orders(of_sensor)
    for quantity, alike in _grouped(series, lambda one: one.quantity).items():
        found += _together(alike, pairs, neighbours, limits.get(quantity, NO_LIMITS), _unit(quantity))
    return sorted(found, key=lambda one: (one.start_s, one.channel, one.rule))


def _grouped(series: Sequence[Channel], by: Callable[[Channel], str]) -> dict[str, list[Channel]]:
    groups: dict[str, list[Channel]] = {}
    for channel in series:
        groups.setdefault(by(channel), []).append(channel)
    return groups


def _counted(channel: Channel) -> Channel:
    """Return people an interval instead of totals that rise."""
    if not channel.is_total:
        return channel
    return replace(channel, value=people(channel.start_s, channel.value)[0], is_total=False)


def _kind(quantity: str) -> str:
    return str(QUANTITIES[quantity][2]) if quantity in QUANTITIES else ""


def _unit(quantity: str) -> str:
    return str(QUANTITIES[quantity][0]) if quantity in QUANTITIES else "1"


def _alone(channel: Channel, of_node: Sequence[Channel], limits: Limits, zone: str) -> list[Finding]:
    """Return what one channel shows by itself; what is out of range is left out of the other rules."""
    unit, local_s = _unit(channel.quantity), local_seconds(channel.start_s, zone)
    judged = _unflagged(channel)
    found = thin_days(channel) + ranges(judged, limits, unit)
    sane = judged.without(out_of_range(judged, limits))
    found += standing(sane, limits, unit, _temperature_of(channel, of_node))
    found += flat_days(sane, limits, unit) + jumps(sane, limits, unit) + spiky(sane, limits, unit)
    found += floor_drift(sane, limits) + warm_ups(sane, limits, unit) + patterns(sane, limits, local_s, unit)
    return found + (switched_off(sane, local_s) + crowds(sane) if _kind(channel.quantity) == "total" else [])


def _unflagged(channel: Channel) -> Channel:
    """Return the channel without what the node itself says is no measurement: that is known already."""
    return channel.without((channel.flags & NO_MEASUREMENT) != 0)


def _temperature_of(channel: Channel, of_node: Sequence[Channel]) -> Channel | None:
    """Return the temperature beside a channel, of the same sensor before one of the same node."""
    same = [one for one in of_node if one.quantity == "temperature"]
    return min(same, key=lambda one: one.sensor != channel.sensor, default=None)


def _together(
    alike: Sequence[Channel],
    pairs: Sequence[tuple[str, str]],
    neighbours: Mapping[str, Sequence[str]] | None,
    limits: Limits,
    unit: str,
) -> list[Finding]:
    """Return what channels of one quantity say of each other."""
    found = []
    for channel in alike:
        sane = _unflagged(channel.without(out_of_range(channel, limits)))
        others = [one for one in alike if one.node != channel.node]
        near = others if neighbours is None else [one for one in others if one.node in neighbours.get(channel.node, ())]
        found += drift(sane, near, limits, unit)
        beside = [one for one in others if (channel.node, one.node) in pairs]
        found += [one for other in beside for one in disagreement(sane, other, limits, unit)]
    return found
