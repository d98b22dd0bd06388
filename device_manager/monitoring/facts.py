"""Facts: the figures that rules judge, of the manager, of nodes, of their sensors and channels. Pure.

    node_facts(shadow, now_ms, certificate_days) -> {"rssi_dbm": -61, "backlog_records": 0, ...}

A fact that is not known is absent: a rule then neither begins nor ends anything.
"""

from typing import Any, NamedTuple

from device_manager.shadow import Shadow, gaps
from device_manager.shadow.fold import CRASHED
from device_manager.shadow.liveness import expected

SUBJECTS = ("manager", "node", "sensor", "channel")
CRASHES = (CRASHED, "watchdog")
POWER = ("power on",)  # a brown-out too: MicroPython's ESP32 port does not tell them apart
CLONE, RESTORE = "clone", "restore"  # kinds of `shadow.alerts`
_FAILED = ("failed", "rolled_back", "rejected", "timed_out")


class Fact(NamedTuple):
    """What a fact is of, its unit, and what it says."""

    on: str
    unit: str
    text: str


FACTS = {
    "broker_down": Fact("manager", "", "1 while the manager has no broker"),
    "waiting_messages": Fact("manager", "messages", "came, and are not committed"),
    "overdue_s": Fact("node", "s", "since its connection ended, or its next message should have come"),
    "silent_s": Fact("node", "s", "since anything came"),
    "backlog_records": Fact("node", "records", "that it holds and we have not committed"),
    "lost_records": Fact("node", "records", "lost for ever, by its own word"),
    "gap_records": Fact("node", "records", "missing for so long that they are no delay"),
    "rejected_messages": Fact("node", "messages", "that could not be used"),
    "crashes": Fact("node", "resets", "by watchdog or exception"),
    "power_cuts": Fact("node", "resets", "by its supply"),
    "heap_floor_bytes": Fact("node", "bytes", "the least free memory since its boot"),
    "clock_error_s": Fact("node", "s", "its time against ours, without the sign"),
    "clock_unset": Fact("node", "", "1 while it does not know the time"),
    "rssi_dbm": Fact("node", "dBm", "Wi-Fi signal"),
    "supply_mv": Fact("node", "mV", "supply voltage, where its board measures it"),
    "chip_temperature_c": Fact("node", "Cel", "of its chip"),
    "certificate_days": Fact("node", "d", "until its certificate ends"),
    "clones": Fact("node", "times", "that another device spoke with its identity"),
    "restores": Fact("node", "times", "that our database turned out to be an older one"),
    "update_failed": Fact("node", "", "1 after an update that it did not take"),
    "sensor_faults": Fact("sensor", "faults", "since its boot"),
    "life_left_days": Fact("sensor", "d", "until its maker's hours are used up"),
    "flagged_percent": Fact("sensor", "%", "of its worst channel's newest records are no measurement, by its flags"),
    "resettled_percent": Fact("sensor", "%", "of its newest records in which it settles though its node did not start"),
    "quality_score": Fact("channel", "of 100", "see monitoring/scores.py"),
}
"""Every fact by name."""


def node_facts(shadow: Shadow, now_ms: int, certificate_days: float | None = None) -> dict[str, float]:
    """Return what is known of a node at `now_ms`, facts on "node" by name; nothing before its first message."""
    if shadow.last_seen_ms is None:
        return {}
    known = {
        **_presence(shadow, now_ms),
        **_delivery(shadow, now_ms),
        **_body(shadow, now_ms),
        "certificate_days": certificate_days,
        "clones": _times(shadow, CLONE),
        "restores": _times(shadow, RESTORE),
        "update_failed": float(shadow.update.get("state") in _FAILED),
    }
    return {name: float(value) for name, value in known.items() if value is not None}


def sensor_facts(shadow: Shadow) -> dict[str, float]:
    """Return {sensor: faults since boot}; a sensor without any is not named in health, and not here."""
    faults: Any = shadow.health.get("faults") or ()
    return {str(name): float(count) for name, count in faults}


def started_s(shadow: Shadow) -> float | None:
    """Return when the node started (Unix s), None while its health does not say."""
    health: Any = shadow.health
    if not health or shadow.health_ms is None:
        return None
    return shadow.health_ms / 1000 - float(health.get("uptime_s", 0))


def _presence(shadow: Shadow, now_ms: int) -> dict[str, float | None]:
    silent_s = max(0, now_ms - (shadow.last_seen_ms or 0)) / 1000
    away_s = 0.0 if shadow.offline_ms is None else max(0, now_ms - shadow.offline_ms) / 1000
    return {"silent_s": silent_s, "overdue_s": max(0.0, silent_s - expected(shadow).due_s, away_s)}


def _delivery(shadow: Shadow, now_ms: int) -> dict[str, float | None]:
    return {
        "backlog_records": shadow.buffered,
        "lost_records": shadow.lost,
        "gap_records": sum(gap.last - gap.first + 1 for gap in gaps(shadow, now_ms)),
        "rejected_messages": shadow.rejected,
    }


def _body(shadow: Shadow, now_ms: int) -> dict[str, Any]:
    health = shadow.health
    temperature = health.get("chip_temperature")
    return {
        "crashes": sum(shadow.resets.get(cause, 0) for cause in CRASHES),
        "power_cuts": sum(shadow.resets.get(cause, 0) for cause in POWER),
        "heap_floor_bytes": health.get("heap_floor"),
        "clock_error_s": None if shadow.clock_offset_s is None else abs(shadow.clock_offset_s),
        "clock_unset": float(health.get("time") is None) if health else None,
        "rssi_dbm": health.get("rssi"),
        "supply_mv": health.get("supply_mv"),
        "chip_temperature_c": temperature,
    }


def _times(shadow: Shadow, kind: str) -> int:
    return sum(int(str(alert["count"])) for alert in shadow.alerts if alert["kind"] == kind)
