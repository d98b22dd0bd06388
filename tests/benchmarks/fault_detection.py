"""Time to detect each fault of sensing and delivery, in a labelled replay on real virtual nodes.

Four fleets, each with broker, ingest and the monitor that ships: nodes that measure air, nodes of the street, those of
them whose sensors settle anew, and speakers without nodes. After some good
readings all faults of `fault_cases` begin; each is to raise one of the alerts named beside it about its sensor or node,
and nobody else is to raise any, least of all a node that is well. A node that has shown all its faults leaves. Then the
broker is killed: one alert. What is wrong with counters shows over weeks: `counter_replay`. False alerts on the real
traces are judged by the rules of `channel-quality`, see `quality_real`: here as alerts, with the exact Poisson bound.

Every fault that models and bus of the virtual node know is among them (`fault_list`). Seconds are virtual, each from
the fault to the alert, and do not depend on how fast the PC is (`pacer`): they are counted in steps of 2 s and looks of
10 s (speakers: 30 s). The short form replays every fourth fault.
"""

from __future__ import annotations

import os
import signal
import statistics
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from device_manager.adapters.firmware_build import compile_firmware
from device_manager.monitoring.alert import Alert
from device_manager.monitoring.grouping import MANAGER
from device_manager.monitoring.scores import score
from device_manager.quality import Channel, check
from device_manager.quality.statistics import rate_at_most
from tests.benchmarks import counter_replay
from tests.benchmarks.fault_cases import (
    AIR,
    DIPS,
    OF_DELIVERY,
    SECONDS,
    SETTLED,
    STREET,
    UNHARMED,
    USUAL,
    Case,
    Rig,
    documents,
    harmless,
    missing,
    of_delivery,
    of_sensors,
    of_speakers,
    speaker_names,
)
from tests.benchmarks.replay import LOOK_S, Replay
from tests.benchmarks.row import Row, at_least, at_most
from tests.data import real_faults

DAY_S = 86_400
SHORT_OF = 4
ALERT_BELOW = 50  # of channel-quality


class Fleet(NamedTuple):
    """Nodes and cases, how long each node runs first, when to give up, and how much time passes at once (in s)."""

    name: str
    rigs: list[Rig]
    cases: list[Case]
    good_s: int
    most_s: int
    step_s: float


class Found(NamedTuple):
    """Seconds until each fault's alert by name, alerts without a fault, and after the broker was killed (seconds until
    its alert, how many, and of how many nodes)."""

    seconds: dict[str, float]
    wrong: list[str]
    outage_s: float
    outage_alerts: int
    outage_nodes: int


def fleets(short: bool) -> list[Fleet]:
    """Return all fleets, in the short form with every SHORT_OF-th fault; AssertionError when one is forgotten."""
    assert missing() == set(), f"no case for {missing()}"
    air, street = of_sensors("air", AIR, USUAL), of_sensors("street", STREET, SECONDS)
    settled = of_sensors("settled", SETTLED, SECONDS)
    delivery = [rig for rig, _, _, _ in OF_DELIVERY]
    all_ = [
        Fleet("nodes", [*air.rigs, *delivery, *UNHARMED], [*air.cases, *of_delivery()], 190, 2000, 2.0),
        Fleet("street", street.rigs, street.cases, 45, 600, 2.0),
        Fleet("settled", settled.rigs, settled.cases, 190, 600, 2.0),
        Fleet("speakers", [], of_speakers(), 60, 2600, 30.0),
    ]
    return list(map(_shortened, all_)) if short else all_


def _shortened(fleet: Fleet) -> Fleet:
    """Return the fleet with every SHORT_OF-th fault, and without nodes and sensors that have none then."""
    cases = fleet.cases[::SHORT_OF]
    sensors = {case.node: {other.sensor for other in cases if other.node == case.node} for case in cases}
    unharmed = [rig for rig in fleet.rigs if rig in UNHARMED]
    rigs = [
        rig._replace(sensors=tuple(name for name in rig.sensors if sensors[rig.node] & {"", name}))
        for rig in fleet.rigs
        if rig.node in sensors
    ]
    return fleet._replace(cases=cases, rigs=[*rigs, *unharmed])


def run(short: bool) -> list[Row]:
    """Return rows: faults found, time to detect, alerts about nobody's fault, broker outage, false alerts on traces."""
    with tempfile.TemporaryDirectory() as folder:
        all_ = fleets(short)
        firmware = compile_firmware(Path(folder))
        with ThreadPoolExecutor() as pool:
            begun = [pool.submit(_replayed, Path(folder) / fleet.name, fleet, firmware) for fleet in all_]
            counters, wrong = counter_replay.detected(Path(folder))
            found = [one.result() for one in begun]
    seconds = {name: figure for one in found for name, figure in one.seconds.items()} | counters
    cases = [case.name for fleet in all_ for case in fleet.cases]
    cases += [name for name in counter_replay.FAULTS if name != "well"]
    rows = _detection(cases, seconds, [text for one in found for text in one.wrong] + wrong)
    beside = f"{found[0].outage_alerts} alert, {found[0].outage_nodes} nodes"
    outage = at_most("fault_detection, broker killed, time to its alert", found[0].outage_s, "s", 120, beside)
    return [*rows, outage, _on_real_traces()]


def _replayed(folder: Path, fleet: Fleet, firmware: Path) -> Found:
    """Run all cases of a fleet, nodes that are well beside them."""
    folder.mkdir()
    with Replay(folder, firmware, fleet.step_s) as replay:
        for rig in fleet.rigs:
            node, virtual = documents(rig)
            replay.start(replay.add(rig.node, rig.timing, node, virtual, proxied=rig.proxied))
        for name in {case.node for case in fleet.cases} & set(speaker_names()):
            replay.speak(name).start()
        replay.run(fleet.good_s)
        while not replay.ready(fleet.good_s):
            replay.run(LOOK_S)
        began_ms = _begun(replay, fleet.cases)
        times = _times(replay, fleet, began_ms)
        wrong = _without_fault(replay.alerts(), began_ms)
        return Found(times, wrong, *_outage(replay), len(replay.nodes))


def _times(replay: Replay, fleet: Fleet, began_ms: dict[str, int]) -> dict[str, float]:
    """Return the seconds of each case that is found in time; a node leaves once all of its cases are."""
    give_up_ms = replay.clock.now_ms() + 1000 * fleet.most_s
    found: dict[str, float] = {}
    while replay.clock.now_ms() < give_up_ms and len(found) < len(fleet.cases):
        replay.run(LOOK_S)
        alerts = replay.alerts()
        for case in fleet.cases:
            if case.name not in found and (seconds := _seconds(alerts, case, began_ms[case.node])):
                found[case.name] = min(seconds)
        waits = {case.node for case in fleet.cases if case.name not in found}
        for name in began_ms.keys() & replay.nodes.keys() - waits - {DIPS}:
            replay.retire(name)
    return found


def _begun(replay: Replay, cases: Sequence[Case]) -> dict[str, int]:
    """Begin faults; return {node: when} (Unix ms)."""
    now_ms = replay.clock.now_ms()
    for case in cases:
        case.begin(replay, case.node)
    begun = {case.node: now_ms for case in cases}
    if DIPS in replay.nodes:
        harmless(replay, DIPS)
        begun[DIPS] = now_ms
    return begun


def _seconds(alerts: Sequence[Alert], case: Case, began_ms: int) -> list[float]:
    """Return the seconds from the fault to each alert that names it."""
    late = [one for one in alerts if one.raised_ms >= began_ms]
    mine = [
        one for one in late if (f"{case.node}/{case.sensor}" in one.subjects if case.sensor else case.node in one.nodes)
    ]
    return [(one.raised_ms - began_ms) / 1000 for one in mine if one.rule in case.rules]


def _without_fault(alerts: Sequence[Alert], began_ms: dict[str, int]) -> list[str]:
    """Return alerts about the manager, and about nobody who has a fault by then."""
    return [
        f"{one.rule} {one.place}"
        for one in alerts
        if one.place == MANAGER or not any(one.raised_ms >= began_ms.get(node, one.raised_ms + 1) for node in one.nodes)
    ]


def _detection(cases: Sequence[str], seconds: dict[str, float], wrong: list[str]) -> list[Row]:
    missed = [name for name in cases if name not in seconds]
    told = "; ".join(f"{name} {figure:.0f} s" for name, figure in seconds.items())
    found = f"missed: {', '.join(missed) or 'none'}. {told}"
    times = list(seconds.values()) or [float("inf")]
    return [
        at_least("fault_detection, faults found", len(seconds), "faults", len(cases), found),
        Row("fault_detection, time to detect, median", statistics.median(times), "s"),
        Row("fault_detection, time to detect, longest", max(times), "s"),
        at_most("fault_detection, alerts without a fault", len(wrong), "alerts", 0, "; ".join(wrong)),
    ]


def _outage(replay: Replay) -> tuple[float, int]:
    """Kill the broker; return the seconds until the one alert that there is to be, and how many there are."""
    before = {one.number for one in replay.alerts()}
    began_ms = replay.clock.now_ms()
    os.kill(int((replay.settings.directory / "broker.pid").read_text("ascii")), signal.SIGKILL)
    replay.run(60)
    new = [one for one in replay.alerts() if one.number not in before and one.rule == "broker-down"]
    return (new[0].raised_ms - began_ms) / 1000 if len(new) == 1 else float("inf"), len(new)


def _on_real_traces() -> Row:
    """Days of real traces as `channel-quality` judges them; an alert is false on a day without a known fault."""
    air = [channel for node in real_faults.NODES for channel in real_faults.air(node)]
    kinds = [(air, real_faults.AIR_ZONE, real_faults.SIDE_BY_SIDE), (real_faults.sound(), real_faults.SOUND_ZONE, ()),
             (real_faults.footfall(), real_faults.FOOTFALL_ZONE, ())]  # fmt: skip
    false, alerts, days = 0, 0, 0.0
    for channels, zone, pairs in kinds:
        wrong, all_, span = _judged_by_day(channels, zone, pairs)
        false, alerts, days = false + wrong, alerts + all_, days + span
    bound = rate_at_most(false, days / 365.25)
    beside = f"{alerts} alerts in {days:.0f} channel days; at most {bound:.2g} false ones a channel year (95 %)"
    return at_most("fault_detection, false alerts on real traces", false, "alerts", 0, beside)


def _judged_by_day(channels: list[Channel], zone: str, pairs: Any) -> tuple[int, int, float]:
    """Return (false alerts, alerts, channel days)."""
    faults, findings = real_faults.faults(), check(channels, zone, pairs)
    false = alerts = 0
    days = 0.0
    for channel in channels:
        mine = [one for one in findings if one.channel == channel.name]
        first, last = int(channel.start_s[0]), int(channel.start_s[-1])
        for start_s in range(first, last, DAY_S):
            inside = [one for one in mine if one.start_s < start_s + DAY_S and one.end_s > start_s]
            days += 1
            if inside and score(channel.name, inside, 0.0, start_s, start_s + DAY_S).points < ALERT_BELOW:
                alerts += 1
                false += not any(fault.right(one) for fault in faults for one in inside)
    return false, alerts, days


if __name__ == "__main__":
    import sys

    for row in run(short="--full" not in sys.argv):
        print(f"{row.name}: {row.figure:.4g} {row.unit} ({row.target or 'no target'}) {row.beside}")
