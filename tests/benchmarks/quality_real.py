"""What the quality rules find in real traces, beside what is known to be wrong in them.

The traces are those of tests/data/real_faults with the limits as shipped. A finding is false when it belongs to no
known fault; the bound on false findings is the exact one-sided Poisson bound (95 %) over the node years of each kind.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from device_manager.quality import Channel, Finding, check
from device_manager.quality.statistics import rate_at_most
from tests.benchmarks.row import Row, at_least, at_most
from tests.data import real_faults

YEAR_S = 365.25 * 86_400


def run(short: bool) -> list[Row]:
    """Return rows: faults found, findings without a fault, bounds by kind of trace, speed. Short and full are equal."""
    kinds = _findings()
    found = [one for findings, _ in kinds.values() for one in findings]
    rows = [_found("listed", found), _found("seen", found), _false(found)]
    rows += [_bound(kind, findings, channels) for kind, (findings, channels) in kinds.items()]
    return [*rows, _speed(kinds["air"][1])]


def _findings() -> dict[str, tuple[list[Finding], list[Channel]]]:
    air = [channel for node in real_faults.NODES for channel in real_faults.air(node)]
    sound, people = real_faults.sound(), real_faults.footfall()
    indoor = real_faults.indoor("a") + real_faults.indoor("b")
    return {
        "air": (check(air, real_faults.AIR_ZONE, real_faults.SIDE_BY_SIDE), air),
        "sound": (check(sound, real_faults.SOUND_ZONE), sound),
        "footfall": (check(people, real_faults.FOOTFALL_ZONE), people),
        "indoor": ([one for session in "ab" for one in check(real_faults.indoor(session))], indoor),
    }


def _speed(channels: Sequence[Channel]) -> Row:
    """All rules over all channels of the air nodes, as every reader would run them."""
    began = time.perf_counter()
    check(channels, real_faults.AIR_ZONE, real_faults.SIDE_BY_SIDE)
    records = sum(len(channel.value) for channel in channels)
    return Row("quality_real, speed", records / (time.perf_counter() - began) / 1e6, "M records/s, one core")


def _found(known: str, found: list[Finding]) -> Row:
    """The faults of a kind that at least one finding names."""
    faults = [fault for fault in real_faults.faults() if fault.known == known]
    missed = [fault.name for fault in faults if not any(map(fault.right, found))]
    named = "; ".join(fault.name for fault in faults if fault.name not in missed)
    beside = f"missed: {'; '.join(missed) or 'none'}. Found: {named}"
    return at_least(f"quality_real, {known} faults found", len(faults) - len(missed), "faults", len(faults), beside)


def _wrong(found: list[Finding]) -> list[Finding]:
    faults = real_faults.faults()
    return [one for one in found if not any(fault.right(one) for fault in faults)]


def _false(found: list[Finding]) -> Row:
    """Findings that belong to no fault, beside how many there are in all, and how many only to faults seen."""
    wrong = _wrong(found)
    listed = [fault for fault in real_faults.faults() if fault.known == "listed"]
    only_seen = [one for one in found if one not in wrong and not any(fault.right(one) for fault in listed)]
    texts = "; ".join(one.text for one in wrong)
    beside = (
        f"{len(found)} findings in all, {len(only_seen)} of them about faults seen in the rows, not listed. {texts}"
    )
    return at_most("quality_real, false findings", len(wrong), "findings", 0, beside)


def _bound(kind: str, found: list[Finding], channels: Sequence[Channel]) -> Row:
    wrong, years = len(_wrong(found)), _node_years(channels)
    figure = rate_at_most(wrong, years)
    beside = f"{wrong} false in {years:.2g} node years"
    return Row(f"quality_real, bound on false findings, {kind}", figure, "1/(node a), 95 %", beside=beside)


def _node_years(channels: Sequence[Channel]) -> float:
    spans = {channel.node: float(np.ptp(channel.start_s)) for channel in channels}
    return sum(spans.values()) / YEAR_S


if __name__ == "__main__":
    for row in run(short=False):
        print(f"{row.name}: {row.figure:.3g} {row.unit} ({row.target or 'no target'}) {row.beside}")
