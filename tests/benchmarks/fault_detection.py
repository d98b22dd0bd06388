"""Time to detect each fault of sensing and delivery, in a labelled replay on real virtual nodes with fast clocks.

Every case has a node at a place of its own; after some good readings all faults begin, each is to raise one
of the alerts named beside it about its node, and nobody else is to raise any. False alerts on the real traces are
judged by the rules of `channel-quality`, see `quality_real`: here as alerts, with the exact Poisson bound.

Short: eleven faults, until all are found, at most an hour. Full: all, and seven hours for those that only quality
finds.
"""

from __future__ import annotations

import os
import signal
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from device_manager.monitoring.alert import Alert
from device_manager.monitoring.scores import score
from device_manager.quality import Channel, check
from device_manager.quality.statistics import rate_at_most
from tests.benchmarks.replay import Replay, change
from tests.benchmarks.row import Row, at_least, at_most
from tests.data import real_faults

FACTOR = 25
GOOD_S, AFTER_S, STEP_S, LONG_S = 600, 3600, 60, 7 * 3600
DAY_S, YEAR_S = 86_400, 365.25 * 86_400
ALERT_BELOW = 50  # of channel-quality
SEN66 = {
    "node": {"sensors": [{"name": "air", "driver": "sen66", "bus": 0}]},
    "virtual": {"i2c": {"0": {"107": "sen66"}}, "uart": {}, "i2s": {}, "pins": {}, "heap_kb": 512},
    "proxied": False,
}
BEHIND_PROXY = {**SEN66, "proxied": True}
LD2450 = {
    "node": {
        "sensors": [{"name": "people", "driver": "ld2450", "uart": 1, "tx": 17, "rx": 18, "line": [0, 4000, 0, 1000]}]
    },
    "virtual": {"i2c": {}, "uart": {"1": "ld2450"}, "i2s": {}, "pins": {}, "heap_kb": 512},
    "proxied": False,
}
SDS011 = {
    "node": {"sensors": [{"name": "dust", "driver": "sds011", "uart": 1, "tx": 17, "rx": 18}]},
    "virtual": {"i2c": {}, "uart": {"1": "sds011"}, "i2s": {}, "pins": {}, "heap_kb": 512},
    "proxied": False,
}
FAILS = {"sensor-faults", "sensor-flagged"}
QUALITY = {"channel-quality"}
SILENT = {"node-silent"}


class Case(NamedTuple):
    """A fault: what it does to a node, and which rules may name it."""

    name: str
    wired: dict[str, Any]
    begin: Callable[[Replay, str], None]
    rules: set[str]
    long: bool = False


def _sensor(part: str, fault: str) -> Callable[[Replay, str], None]:
    def begin(replay: Replay, node: str) -> None:
        change(replay.nodes[node].directory / "virtual.json", {"faults": {part: fault}})

    return begin


def _network_lost(replay: Replay, node: str) -> None:
    replay.lose_network()


def _power_cut(replay: Replay, node: str) -> None:
    replay.nodes[node].kill()


def _hang(replay: Replay, node: str) -> None:
    process = replay.nodes[node].process
    assert process is not None
    process.send_signal(signal.SIGSTOP)


def _short_cut(replay: Replay, node: str) -> None:
    replay.nodes[node].kill()
    replay.nodes[node].start()


CASES = [
    Case("I2C nack", SEN66, _sensor("sen66", "nack"), FAILS),
    Case("I2C wrong CRC", SEN66, _sensor("sen66", "bad_crc"), FAILS),
    Case("I2C bus held", SEN66, _sensor("sen66", "stuck"), FAILS),
    Case("no new data", SEN66, _sensor("sen66", "frozen"), FAILS),
    Case("fan", SEN66, _sensor("sen66", "fan"), FAILS),
    Case("UART silent", LD2450, _sensor("ld2450", "silent"), FAILS),
    Case("UART garbage", LD2450, _sensor("ld2450", "garbage"), FAILS),
    Case("network lost", BEHIND_PROXY, _network_lost, SILENT),
    Case("power cut", SEN66, _power_cut, SILENT),
    Case("node hangs", SEN66, _hang, SILENT),
    Case("short power cut", SEN66, _short_cut, {"node-power-cuts"}),
    Case("I2C timeout", SEN66, _sensor("sen66", "timeout"), FAILS, True),
    Case("UART half frames", LD2450, _sensor("ld2450", "half"), FAILS, True),
    Case("UART frozen", LD2450, _sensor("ld2450", "frozen"), FAILS, True),
    Case("wrong sum", SDS011, _sensor("sds011", "bad_sum"), FAILS, True),
    Case("dust sensor silent", SDS011, _sensor("sds011", "silent"), FAILS, True),
    Case("the same data for ever", SEN66, _sensor("sen66", "still"), QUALITY | FAILS, True),
]


def run(short: bool) -> list[Row]:
    """Return rows: faults found, time to detect, alerts about nobody's fault, broker outage, false alerts on traces."""
    cases = [case for case in CASES if not (short and case.long)]
    form = f"{len(cases)} of {len(CASES)} faults, {FACTOR} times as fast" if short else f"{FACTOR} times as fast"
    with tempfile.TemporaryDirectory() as folder, Replay(Path(folder), FACTOR) as replay:
        began_ms = _replayed(replay, cases)
        if not short:
            for _ in range(LONG_S // 3600):
                replay.run(3600)
                replay.score()
            replay.run(60)
        rows = _detection(replay.alerts(), cases, began_ms, form)
        rows.append(_outage(replay, form))
    return [*rows, _on_real_traces()]


def _replayed(replay: Replay, cases: list[Case]) -> int:
    """Run all cases, one well node beside them; return when the faults began (Unix ms)."""
    for index, case in enumerate(cases):
        replay.add(_node(index), f"place-{index}", case.wired).start()
    replay.add("well", "place-well", SEN66).start()
    replay.run(GOOD_S)
    began_ms = replay.clock.now_ms()
    for index, case in enumerate(cases):
        case.begin(replay, _node(index))
    while replay.clock.now_ms() - began_ms < 1000 * AFTER_S:
        replay.run(STEP_S)
        if all(_right(replay.alerts(), _node(index), case, began_ms) for index, case in enumerate(cases)):
            break
    return began_ms


def _right(alerts: list[Alert], node: str, case: Case, began_ms: int) -> list[int]:
    """Return when the alerts were raised that name the fault (Unix ms)."""
    mine = [one for one in alerts if node in one.nodes and one.raised_ms >= began_ms]
    return [one.raised_ms for one in mine if one.rule in case.rules]


def _node(index: int) -> str:
    return f"case-{index:02}"


def _detection(alerts: list[Alert], cases: list[Case], began_ms: int, form: str) -> list[Row]:
    seconds: dict[str, float] = {}
    wrong = [f"{one.rule} {one.place}" for one in alerts if one.raised_ms < began_ms or one.nodes == ("well",)]
    for index, case in enumerate(cases):
        right = _right(alerts, _node(index), case, began_ms)
        if right:
            seconds[case.name] = (min(right) - began_ms) / 1000
    missed = [case.name for case in cases if case.name not in seconds]
    told = "; ".join(f"{name} {figure:.0f} s" for name, figure in seconds.items())
    found = f"missed: {', '.join(missed) or 'none'}. {told}"
    times = list(seconds.values()) or [float("inf")]
    return [
        at_least("fault_detection, faults found", len(seconds), "faults", len(cases), found, form),
        Row("fault_detection, time to detect, median", statistics.median(times), "s", form=form),
        Row("fault_detection, time to detect, longest", max(times), "s", form=form),
        at_most("fault_detection, alerts without a fault", len(wrong), "alerts", 0, "; ".join(wrong), form),
    ]


def _outage(replay: Replay, form: str) -> Row:
    """Kill the broker; the one alert that there is to be."""
    before = {one.number for one in replay.alerts()}
    began_ms = replay.clock.now_ms()
    os.kill(int((replay.settings.directory / "broker.pid").read_text("ascii")), signal.SIGKILL)
    replay.run(60)
    new = [one for one in replay.alerts() if one.number not in before and one.rule == "broker-down"]
    seconds = (new[0].raised_ms - began_ms) / 1000 if len(new) == 1 else float("inf")
    return at_most("fault_detection, broker killed, time to its alert", seconds, "s", 120, f"{len(new)} alert", form)


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
