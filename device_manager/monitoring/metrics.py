"""The fleet as metrics: families with labels, for whoever exposes them (OpenMetrics, Prometheus). Pure.

for family in families(nodes, alerts, manager): family.name, family.help, family.samples
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from device_manager.monitoring.alert import Alert
from device_manager.monitoring.facts import FACTS, node_facts, sensor_facts
from device_manager.monitoring.rules import SEVERITIES
from device_manager.shadow import Shadow, judge
from device_manager.shadow.liveness import BUFFERING, LATE, LOST, NEVER, ONLINE, QUIET

STATES = (NEVER, ONLINE, QUIET, BUFFERING, LATE, LOST)
_COUNTERS = ("lost_records", "rejected_messages", "crashes", "power_cuts")
_GAUGES = ("silent_s", "backlog_records", "gap_records", "heap_floor_bytes", "clock_error_s", "rssi_dbm", "supply_mv",
           "chip_temperature_c")  # fmt: skip


class Family(NamedTuple):
    """`kind` is gauge or counter; samples are (label values, value), the labels named by `labels`."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]
    samples: Sequence[tuple[tuple[str, ...], float]]


class Seen(NamedTuple):
    """A node as metrics show it."""

    shadow: Shadow
    site: str
    district: str


def families(nodes: Iterable[Seen], alerts: Iterable[Alert], manager: Mapping[str, float], now_ms: int) -> list[Family]:
    """Return all families at `now_ms`; `manager` are figures of the manager by name, unit in the name."""
    nodes = list(nodes)
    return [*_manager(manager), _states(nodes, now_ms), *_nodes(nodes, now_ms), *_sensors(nodes), _alerts(alerts)]


def _manager(manager: Mapping[str, float]) -> list[Family]:
    return [Family(f"citynode_manager_{name}", "gauge", name.replace("_", " "), (), [((), value)])
            for name, value in manager.items()]  # fmt: skip


def _states(nodes: list[Seen], now_ms: int) -> Family:
    counts = Counter(judge(one.shadow, now_ms).state for one in nodes)
    return Family("citynode_nodes", "gauge", "nodes by state", ("state",),
                  [((state,), float(counts[state])) for state in STATES])  # fmt: skip


def _nodes(nodes: list[Seen], now_ms: int) -> list[Family]:
    rows = [((one.shadow.node, one.site, one.district), node_facts(one.shadow, now_ms)) for one in nodes]
    labels = ("node", "site", "district")
    kinds = {**dict.fromkeys(_GAUGES, "gauge"), **dict.fromkeys(_COUNTERS, "counter")}
    made = [
        Family(f"citynode_node_{name}", kind, FACTS[name].text, labels, [(k, f[name]) for k, f in rows if name in f])
        for name, kind in kinds.items()
    ]
    frames = [((one.shadow.node, one.site, one.district), float(one.shadow.frames)) for one in nodes]
    return [*made, Family("citynode_node_frames", "counter", "frames committed", labels, frames)]


def _sensors(nodes: list[Seen]) -> list[Family]:
    samples = [
        ((one.shadow.node, sensor), count) for one in nodes for sensor, count in sensor_facts(one.shadow).items()
    ]
    return [Family("citynode_sensor_faults", "gauge", FACTS["sensor_faults"].text, ("node", "sensor"), samples)]


def _alerts(alerts: Iterable[Alert]) -> Family:
    counts = Counter((alert.rule, alert.severity) for alert in alerts)
    none = {("", severity): 0 for severity in SEVERITIES}
    samples = [((rule, severity), float(count)) for (rule, severity), count in sorted({**none, **counts}.items())]
    return Family(
        "citynode_alerts_open", "gauge", "open alerts; rows without a rule are 0", ("rule", "severity"), samples
    )
