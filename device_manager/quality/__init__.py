"""Quality: what a good series looks like, and what is wrong with one that is not. Pure.

    channel      a series as the rules see it
    finding      what a rule found: channel, rule, value, limit, interval, text
    limits       default parameters by quantity, with their reasons (limits.toml)
    statistics   exact bounds for few counts
    presence     outages, thin days, outages that many nodes share
    values       range, order, standing still, flat days
    spikes       records that leave and come back
    counts       counters that were switched off
    crowds       counters that count more than once
    neighbours   disagreement side by side, drift against neighbours and against the own past
    pattern      days that no people make
    warm_up      sensors that have just been switched on
    compare      one channel before and after, or against neighbours, for a rollout's gate and for monitoring
    check        all rules over the channels of a fleet

    for found in check(channels, zone="Europe/Berlin"):
        print(found.text)

A real pollution episode is not a fault: no rule looks at how high a concentration is, only at what air, people and
sensors cannot do.
"""

from device_manager.quality.channel import Channel
from device_manager.quality.check import check
from device_manager.quality.compare import Comparison, Window, against_neighbours, before_and_after, summary
from device_manager.quality.finding import Finding
from device_manager.quality.limits import LIMITS, Limits

__all__ = [
    "LIMITS",
    "Channel",
    "Comparison",
    "Finding",
    "Limits",
    "Window",
    "against_neighbours",
    "before_and_after",
    "check",
    "summary",
]
