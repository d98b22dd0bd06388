"""The rules on real traces: every known fault is found, and nothing else; also as a node would publish them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from device_manager.quality import Channel, Finding, check
from firmware.wire.quantities import QUANTITIES
from tests.benchmarks import quality_real
from tests.data import real_faults


@pytest.fixture(scope="module")
def found() -> list[Finding]:
    return [one for findings, _ in quality_real._findings().values() for one in findings]


@pytest.mark.parametrize("fault", real_faults.faults(), ids=lambda fault: fault.name)
def test_known_fault_is_found_and_named(fault: real_faults.Fault, found: list[Finding]) -> None:
    assert any(fault.right(one) for one in found)


def test_nothing_but_known_faults_is_found(found: list[Finding]) -> None:
    faults = real_faults.faults()
    assert [one.text for one in found if not any(fault.right(one) for fault in faults)] == []


def test_healthy_nodes_have_no_finding(found: list[Finding]) -> None:
    """a and b saw smoke up to 867 and 262 ug/m3, and fog: air, not faults."""
    assert [one.text for one in found if one.channel.split("/")[0] in ("a", "b", "monitor")] == []


def test_traces_rounded_to_the_wire_give_the_same_faults(found: list[Finding]) -> None:
    air = [_published(channel) for node in real_faults.NODES for channel in real_faults.air(node)]
    again = check(air, real_faults.AIR_ZONE, real_faults.SIDE_BY_SIDE)
    kept = {(one.channel, one.rule) for one in found if one.channel[0] in "abcdf" and "/scd/" not in one.channel}
    assert {(one.channel, one.rule) for one in again} == {row for row in kept if "Street" not in row[0]}


def _published(channel: Channel) -> Channel:
    denominator = QUANTITIES[channel.quantity][1]
    return replace(channel, value=np.round(channel.value * denominator) / denominator)


@pytest.mark.parametrize("node", ["a", "b"])
@pytest.mark.parametrize(
    ("quantity", "rule", "change"),
    [
        ("temperature", "stuck", lambda v: np.where(np.arange(len(v)) // 200 == 5, 9.9, v)),
        ("temperature", "jump", lambda v: v + 15 * (np.arange(len(v)) == 4000)),
        ("pressure", "jump", lambda v: v + 10 * (np.arange(len(v)) == 4000)),
        ("pm2_5", "stuck", lambda v: np.where(np.arange(len(v)) // 200 == 5, 7.7, v)),
        ("pm10", "spikes", lambda v: v + 400 * (np.arange(len(v)) % 61 == 0)),
        ("relative_humidity", "range", lambda v: np.where(np.arange(len(v)) == 4000, 0.0, v)),
    ],
)
def test_fault_put_into_a_healthy_node_is_found(node: str, quantity: str, rule: str, change: object) -> None:
    channel = next(one for one in real_faults.air(node) if one.quantity == quantity)
    broken = replace(channel, value=change(channel.value))  # type: ignore[operator]
    assert {one.rule for one in check([broken])} == {rule}


def test_benchmark_meets_its_targets() -> None:
    rows = quality_real.run(short=True)
    assert [row.name for row in rows if row.met is False] == []
    assert [row.figure for row in rows if "bound" in row.name and "footfall" in row.name] == [
        pytest.approx(0.2996, abs=1e-3)
    ]
