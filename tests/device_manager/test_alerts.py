"""Alerts: one cause makes one, each ends, and what people do to them holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from device_manager.adapters.clock import SystemClock
from device_manager.adapters.store_audit import SqlAudit
from device_manager.adapters.store_monitoring import SqlAlerts
from device_manager.audit import Audit
from device_manager.errors import SetupError, UsageError
from device_manager.monitoring.grouping import Subject
from device_manager.monitoring.health import Day, packed, unpacked
from device_manager.monitoring.monitor import Look
from device_manager.monitoring.rules import read, shipped
from device_manager.monitoring.service import Alerts
from device_manager.monitoring.silence import Silence, silenced
from device_manager.scopes import TECHNICIAN, VIEWER, Forbidden, Scope
from tests.device_manager.monitoring_fleet import MANAGER, Watched

SILENT = {"overdue_s": 900.0, "silent_s": 1350.0}
ANNA = Scope("anna", TECHNICIAN)


class FixedClock:
    """A clock that a test sets."""

    def __init__(self, now_ms: int) -> None:
        self.ms = now_ms

    def now_ms(self) -> int:
        return self.ms


def service(fleet: Watched) -> Alerts:
    return Alerts(fleet.store, Audit(SqlAudit(fleet.operations), SystemClock()), FixedClock(fleet.now_ms))


def test_one_broker_outage_with_200_nodes_makes_exactly_one_alert_and_clears_it(tmp_path: Path) -> None:
    fleet = Watched(tmp_path, nodes=200, districts=7, every_s=30)
    fleet.run(300)
    fleet.run(300, broker_down=1)
    fleet.run(1500, SILENT, fleet.nodes, broker_down=1)
    fleet.run(120, SILENT, fleet.nodes[:90])  # back, and so are most of the nodes
    fleet.run(120, {"backlog_records": 900.0}, fleet.nodes)
    fleet.run(1200)
    assert fleet.told == [("raised", "broker-down", "manager"), ("cleared", "broker-down", "manager")]
    kept = fleet.store.newest(1000)
    assert [alert.rule for alert in kept] == ["broker-down"]
    assert fleet.store.open_alerts() == []


def test_broker_outage_names_the_nodes_that_it_silenced(tmp_path: Path) -> None:
    fleet = Watched(tmp_path, nodes=200, districts=7, every_s=30)
    fleet.run(600, SILENT, fleet.nodes, broker_down=1)
    (alert,) = fleet.store.open_alerts()
    assert alert.nodes == tuple(fleet.nodes)
    assert alert.explained == ("node-silent",)


def test_power_cut_of_a_district_is_one_alert_until_its_last_node_is_back(tmp_path: Path) -> None:
    fleet = Watched(tmp_path, nodes=40, districts=4)
    cut = [node for node in fleet.nodes if fleet.districts[node] == "d2"]
    fleet.run(60)
    fleet.run(30, SILENT, cut[:2])
    fleet.run(600, SILENT, cut)
    fleet.run(300, SILENT, cut[:1])
    fleet.run(300)
    assert fleet.told == [("raised", "node-silent", "district d2"), ("cleared", "node-silent", "district d2")]
    (alert,) = fleet.store.newest(10)
    assert alert.cleared_ms is not None


def test_silence_of_half_the_fleet_is_one_alert(tmp_path: Path) -> None:
    fleet = Watched(tmp_path, nodes=40, districts=4)
    fleet.run(600, SILENT, fleet.nodes[:30])
    assert fleet.told == [("raised", "node-silent", "fleet")]


def test_single_alerts_that_turn_out_to_be_one_cause_become_the_oldest(tmp_path: Path) -> None:
    fleet = Watched(tmp_path, nodes=4)
    fleet.run(300, SILENT, fleet.nodes[:1])
    fleet.run(300, SILENT, fleet.nodes[:3])
    (alert,) = fleet.store.open_alerts()
    assert (alert.number, alert.place, len(alert.nodes)) == (1, "district d0", 3)


def test_alert_says_value_limit_since_when_and_next_step(tmp_path: Path) -> None:
    fleet = Watched(tmp_path, nodes=1)
    fleet.run(60)
    began_ms = fleet.now_ms
    fleet.run(2400, {"rssi_dbm": -91.0}, fleet.nodes)
    (alert,) = fleet.store.open_alerts()
    assert (alert.value, alert.limit, alert.unit) == (-91.0, -85.0, "dBm")
    assert alert.since_ms == began_ms + 10_000
    assert "antenna" in alert.next_step
    assert alert.text == "node-000: has a weak signal, -91 dBm (limit -85)"


def test_alert_that_nobody_acknowledges_is_escalated_once(tmp_path: Path) -> None:
    fleet = Watched(tmp_path, nodes=1, every_s=3600)
    fleet.run(3 * 86_400, SILENT, fleet.nodes)
    assert [notice.kind for notice in fleet.notices] == ["raised", "escalated"]
    assert fleet.notices[-1].alert.severity == "critical"


def test_acknowledged_alert_is_not_escalated_and_keeps_who_and_why(tmp_path: Path) -> None:
    fleet = Watched(tmp_path, nodes=1, every_s=3600)
    fleet.run(7200, SILENT, fleet.nodes)
    service(fleet).acknowledge(1, "on my way", scope=ANNA)
    fleet.run(3 * 86_400, SILENT, fleet.nodes)
    assert [notice.kind for notice in fleet.notices] == ["raised"]
    (alert,) = service(fleet).alerts()
    assert (alert.acknowledged_by, alert.note) == ("anna", "on my way")


def test_viewer_may_neither_acknowledge_nor_silence(tmp_path: Path) -> None:
    fleet = Watched(tmp_path, nodes=1)
    fleet.run(600, SILENT, fleet.nodes)
    viewer = Scope("otto", VIEWER)
    with pytest.raises(Forbidden):
        service(fleet).acknowledge(1, scope=viewer)
    with pytest.raises(Forbidden):
        service(fleet).silence("", fleet.nodes, 60, "why not", scope=viewer)


def test_only_an_admin_may_silence_everything(tmp_path: Path) -> None:
    fleet = Watched(tmp_path, nodes=1)
    with pytest.raises(Forbidden):
        service(fleet).silence("", [], 60, "peace", scope=ANNA)


def test_silenced_node_is_not_told_and_is_when_the_window_ends(tmp_path: Path) -> None:
    fleet = Watched(tmp_path, nodes=2)
    service(fleet).silence("node-silent", [fleet.nodes[0]], 1800, "fair on the square", scope=ANNA)
    fleet.run(1200, SILENT, fleet.nodes[:1])
    assert fleet.notices == []
    assert [alert.silenced for alert in service(fleet).alerts()] == [True]
    fleet.run(1200, SILENT, fleet.nodes[:1])
    assert fleet.told == [("raised", "node-silent", "node-000")]


def test_what_people_do_to_alerts_is_in_the_audit_log(tmp_path: Path) -> None:
    fleet = Watched(tmp_path, nodes=1)
    fleet.run(600, SILENT, fleet.nodes)
    alerts = service(fleet)
    alerts.acknowledge(1, scope=ANNA)
    made = alerts.silence("", fleet.nodes, 60, "works", scope=ANNA)
    alerts.end_silence(made.number, scope=ANNA)
    entries = Audit(SqlAudit(fleet.operations), SystemClock()).entries()
    assert [entry.action for entry in reversed(entries)] == ["alert.acknowledge", "alert.silence", "alert.unsilence"]
    assert {entry.actor for entry in entries} == {"anna"}


def test_cleared_alert_cannot_be_acknowledged(tmp_path: Path) -> None:
    fleet = Watched(tmp_path, nodes=1)
    fleet.run(600, SILENT, fleet.nodes)
    fleet.run(300)
    with pytest.raises(UsageError, match="expected an open alert, got 1, which is over"):
        service(fleet).acknowledge(1, scope=ANNA)


def test_alert_goes_on_after_a_restart_of_the_manager(tmp_path: Path) -> None:
    fleet = Watched(tmp_path, nodes=1)
    fleet.run(600, SILENT, fleet.nodes)
    fleet.restart()
    fleet.run(600, SILENT, fleet.nodes)
    assert fleet.told == [("raised", "node-silent", "node-000")]
    fleet.restart()
    fleet.run(600)
    assert fleet.told[1:] == [("cleared", "node-silent", "node-000")]


def test_alert_of_a_node_that_is_gone_ends(tmp_path: Path) -> None:
    fleet = Watched(tmp_path, nodes=2)
    fleet.run(600, SILENT, fleet.nodes[:1])
    del fleet.districts[fleet.nodes.pop(0)]
    fleet.run(60)
    assert fleet.store.open_alerts() == []


def test_health_is_kept_every_quarter_of_an_hour_in_few_bytes(tmp_path: Path) -> None:
    fleet = Watched(tmp_path, nodes=2, every_s=900)
    fleet.run(2 * 86_400)
    samples = fleet.store.health("node-001", 0, 2**40)
    assert 190 <= len(samples) <= 194
    assert samples[0][1] == {"silent_s": 5.0, "rssi_dbm": -60.0, "backlog_records": 0.0, "lost_records": 0.0}
    size = (tmp_path / "operations.db").stat().st_size
    assert size < 200_000


def test_health_day_comes_back_as_it_went() -> None:
    samples = [
        (1000 + 900 * i, {"rssi_dbm": -60.0 - i % 7, **({"supply_mv": 3300.0} if i % 3 else {})}) for i in range(96)
    ]
    block = packed(Day(samples))
    assert unpacked(block).samples == samples
    assert len(block) < 400


def test_silence_covers_an_alert_only_with_all_its_nodes() -> None:
    window = Silence(1, "", ("a", "b"), 0, 100, "", "anna")
    assert silenced("x", ("a", "b"), [window], 50)
    assert not silenced("x", ("a", "b", "c"), [window], 50)
    assert not silenced("x", ("a",), [window], 100)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"node-memory": {"belov": 1}}, "expected a known key in [node-memory] of alerts.toml, got 'belov'"),
        ({"node-memory": {"clear": 1}}, "expected clear of [node-memory] on the good side of 8192"),
        ({"node-memory": {"severity": "bad"}}, "expected severity info, warning, critical"),
        ({"node-memory": {"above": 1}}, "expected either above or below"),
        ({"node-memory": {"for_s": "5 min"}}, "expected a number for for_s"),
        ({"node-memory": {"because": ["no-rule"]}}, "expected known rules in because"),
        ({"mine": {"on": "node"}}, "expected fact in [mine]"),
        ({"node-memory": 3}, "expected a table [node-memory]"),
        ({"node-memory": {"fact": "broker_down"}}, "expected a fact on node in [node-memory]"),
    ],
)
def test_wrong_rule_is_named(change: dict[str, object], words: str) -> None:
    with pytest.raises(SetupError) as raised:
        read(change, base=shipped())
    assert words in str(raised.value)


def test_rule_of_a_fleet_changes_one_key_and_keeps_the_rest() -> None:
    rules = read({"node-signal": {"below": -75, "clear": -70}, "node-hot": {"enabled": False}}, base=shipped())
    assert (rules["node-signal"].create, rules["node-signal"].for_s) == (-75, 1800)
    assert not rules["node-hot"].enabled


def test_alerts_of_another_version_are_read(tmp_path: Path) -> None:
    fleet = Watched(tmp_path, nodes=1)
    fleet.run(600, SILENT, fleet.nodes)
    with fleet.operations.begin() as connection:
        connection.exec_driver_sql(
            """UPDATE alert SET document = replace(document, '{"place"', '{"newer":1,"place"')"""
        )
    assert SqlAlerts(fleet.operations).open_alerts()[0].place == "node-000"


def test_facts_that_outlive_their_node_make_no_alert(tmp_path: Path) -> None:
    fleet = Watched(tmp_path, nodes=1)
    ends = {Subject("node-000"): {"certificate_days": 2.0}, Subject("gone"): {"certificate_days": 2.0}}
    fleet.monitor.look(Look({MANAGER: {"broker_down": 0.0}, **ends}, fleet.districts), fleet.now_ms)
    fleet.monitor.look(Look({MANAGER: {"broker_down": 0.0}, **ends}, {}), fleet.now_ms + 200_000)
    assert [(kind, place) for kind, _, place in fleet.told] == [("raised", "node-000"), ("cleared", "node-000")]
