"""A finding: what a rule says about an interval of a channel, with the figure and the limit that it broke."""

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One row of what is wrong.

    `rule` is one of RULES; `value` the figure that was found and `limit` what it may be, both in `unit`; the interval
    is [start_s, end_s) in Unix s; `count` how many records (or people, hours, nodes: the text says which) it rests on.
    """

    channel: str
    rule: str
    start_s: int
    end_s: int
    value: float
    limit: float
    unit: str
    count: int
    text: str


RULES = {
    "missing": "no record for longer than an hour",
    "thin": "fewer than nine of ten records of a day arrived",
    "receiver": "all nodes were silent at the same time: the fault is on the receiving side",
    "range": "outside what air, place or sensor can be",
    "order": "a part is larger than the whole that contains it",
    "stuck": "the same value for longer than nature stands still",
    "flat": "a day without the least change",
    "jump": "a record that leaves its neighbours in time further than air can, and comes back",
    "spikes": "spikes in many hours of a day",
    "off": "a counter saw nobody where many people were expected",
    "crowd": "a counter saw two and a half times as many people as usual for a day",
    "pattern": "more at night than by day, or a day that is shifted against the past",
    "pair": "sensors side by side disagree",
    "drift": "moved away from its neighbours, or from its own past",
    "warm-up": "a sensor that has just been switched on and is still settling",
}
"""What the rules are called, and one sentence for people."""


def merged(findings: Iterable[Finding], gap_s: int) -> list[Finding]:
    """Return findings in order of time, those of one channel and rule joined when at most `gap_s` lies between them.

    The joined finding spans both, counts both and keeps the text of the one with more records.
    """
    result: list[Finding] = []
    for found in sorted(findings):
        last = result[-1] if result else None
        if last and (last.channel, last.rule) == (found.channel, found.rule) and found.start_s - last.end_s <= gap_s:
            louder = max(last, found, key=lambda one: one.count)
            end_s, count = max(last.end_s, found.end_s), last.count + found.count
            result[-1] = replace(louder, start_s=last.start_s, end_s=end_s, count=count)
        else:
            result.append(found)
    return result
