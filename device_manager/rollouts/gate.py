"""The data-quality gate: what updated nodes measure, against their own past and neighbours that were not updated. Pure.

    judged = judge([Updated("kempten-03", at_s)], channels, neighbours, until_s)
    judged.verdict      # "good", "bad": surely worse, "unknown": too few hours to say

Each line comes from `quality.compare` and names node, channel, figure, bounds and threshold. A channel without a past
(a sensor that was dead before, or that the release brought) is not compared: a release cannot make it worse. What a
node still holds in its outbox is no gap: a node is judged up to its newest record only. Memory is judged by `memory`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from device_manager.quality import Channel
from device_manager.quality.channel import HOUR_S
from device_manager.quality.compare import (
    PAST_S,
    Comparison,
    against_neighbours,
    balance_before_and_after,
    before_and_after,
    summary,
)
from device_manager.rollouts.memory import Floor, judge_memory
from device_manager.series.derived.footfall import people

LEAST_HOURS = 6
"""Whole hours after the update that a verdict needs; see `quality.compare`."""

LEAST_PAST = 6
"""Hours with readings that a past must have, to be one."""

FOOTFALL = ("footfall_in", "footfall_out")


class Updated(NamedTuple):
    """A node that runs the new release since `at_s` (Unix s)."""

    node: str
    at_s: int


class Judged(NamedTuple):
    """The verdict over all nodes, what is bad or not known yet in words, and every line it rests on."""

    verdict: str
    findings: tuple[str, ...]
    lines: tuple[Comparison, ...]


def judge(
    updated: Sequence[Updated],
    channels: Sequence[Channel],
    neighbours: Mapping[str, Sequence[str]],
    until_s: int,
    floors: Mapping[str, Sequence[Floor]] = MappingProxyType({}),
) -> Judged:
    """Return what the measurements say; `neighbours` are the not updated nodes near each updated one, `floors` the
    least free memory of updated nodes over time."""
    series = [_counted(channel) for channel in channels]
    lines: list[Comparison] = []
    short: list[str] = []
    for one in updated:
        own = [channel for channel in series if channel.node == one.node]
        end_s = min([until_s, *_ends(own)])
        hours = end_s // HOUR_S - -(-one.at_s // HOUR_S)
        if hours < LEAST_HOURS:
            short.append(
                f"{one.node}: {max(0, hours)} whole hours of readings since its update, {LEAST_HOURS} are needed"
            )
            continue
        near = [channel for channel in series if channel.node in neighbours.get(one.node, ())]
        lines += _of_node(own, near, one.at_s, end_s)
        memory = judge_memory(one.node, floors.get(one.node, ()), one.at_s, end_s)
        lines += [memory] if memory else []
    bad = [line.text for line in lines if line.verdict == "bad"]
    if bad:
        return Judged("bad", tuple(bad), tuple(lines))
    doubtful = [line.text for line in lines if line.what == "presence" and line.verdict == "unknown"]
    return Judged("unknown" if short or doubtful else "good", (*short, *doubtful), tuple(lines))


def _counted(channel: Channel) -> Channel:
    if not channel.is_total:
        return channel
    return replace(channel, value=people(channel.start_s, channel.value)[0], is_total=False)


def _ends(channels: Sequence[Channel]) -> list[int]:
    """Return the end of the node's newest record, as a list of one; nothing when there is none."""
    ends = [int(channel.start_s[-1] + channel.interval_s) for channel in channels if len(channel.start_s)]
    return [max(ends)] if ends else [0]


def _of_node(own: Sequence[Channel], near: Sequence[Channel], at_s: int, end_s: int) -> list[Comparison]:
    lines: list[Comparison] = []
    for channel in own:
        if summary(channel, at_s - PAST_S, at_s).whole_hours < LEAST_PAST:
            continue
        lines += before_and_after(channel, at_s, end_s)
        same = [other for other in near if other.quantity == channel.quantity]
        if len(same) > 1:
            lines += against_neighbours(channel, same, at_s, end_s)
    went_in, went_out = ([c for c in own if c.quantity == quantity] for quantity in FOOTFALL)
    if went_in and went_out:
        lines.append(balance_before_and_after(went_in[0], went_out[0], at_s, end_s))
    return lines
