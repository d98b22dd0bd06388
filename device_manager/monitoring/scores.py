"""How good a channel's readings are, 0 to 100, with the reasons. Pure.

A finding of `quality.check` costs its rule's points, half of them for being there and half for the share of the window
that it covers; records that the node itself says are no measurement cost their share of FLAGGED points.

>>> score("n/sen55/pm2_5", [], flagged_share=0.5, start_s=0, end_s=86_400).points
60
"""

from collections.abc import Iterable
from typing import NamedTuple

from device_manager.quality import Finding

FLAGGED = 80
COSTS = {
    "stuck": 80,
    "range": 60,
    "order": 60,
    "off": 80,
    "crowd": 80,
    "flat": 60,
    "pattern": 60,
    "drift": 60,
    "pair": 40,
    "jump": 20,
    "spikes": 40,
    "thin": 20,
    "missing": 20,
    "warm-up": 10,
}
"""Points by rule of `quality.finding.RULES`; "receiver" costs nothing, the fault is not the channel's."""


class Score(NamedTuple):
    """`points` 0 to 100; `reasons` the texts of what cost some, the dearest first."""

    channel: str
    points: int
    reasons: tuple[str, ...]


def score(channel: str, findings: Iterable[Finding], flagged_share: float, start_s: float, end_s: float) -> Score:
    """Return the score of a channel over [start_s, end_s); `flagged_share` 0 to 1."""
    costs = [
        (COSTS.get(found.rule, 0) * (0.5 + 0.5 * _share(found, start_s, end_s)), found.text)
        for found in findings
        if found.channel == channel
    ]
    if flagged_share > 0:
        said = f"{round(100 * flagged_share)} % of its records are no measurement, by its own flags"
        costs.append((FLAGGED * flagged_share, said))
    total = sum(cost for cost, _ in costs)
    return Score(channel, max(0, round(100 - total)), tuple(text for cost, text in sorted(costs, reverse=True) if cost))


def _share(found: Finding, start_s: float, end_s: float) -> float:
    inside = min(found.end_s, end_s) - max(found.start_s, start_s)
    return max(0.0, min(1.0, inside / max(1.0, end_s - start_s)))
