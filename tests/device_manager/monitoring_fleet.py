"""A fleet for tests of monitoring: looks made of plain figures, and a monitor on a real store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from device_manager.adapters.store_monitoring import SqlAlerts
from device_manager.adapters.store_operations import Operations
from device_manager.monitoring.alert import Notice
from device_manager.monitoring.grouping import Subject
from device_manager.monitoring.monitor import Look, Monitor
from device_manager.monitoring.rules import Rule, shipped

MANAGER = Subject("")


class Watched:
    """`nodes` nodes in `districts` districts, looked at every `every_s`; all is well unless a look says otherwise."""

    def __init__(
        self, folder: Path, nodes: int, districts: int = 1, every_s: int = 10, rules: Mapping[str, Rule] | None = None
    ) -> None:
        self.operations = Operations(folder / "citynode.db")
        self.store = SqlAlerts(self.operations)
        self.nodes = [f"node-{index:03}" for index in range(nodes)]
        self.districts = {node: f"d{index % districts}" for index, node in enumerate(self.nodes)}
        self.notices: list[Notice] = []
        self._rules = shipped() if rules is None else rules
        self.monitor = Monitor(self.store, self._rules, self.notices.extend)
        self.now_ms = 1_760_000_000_000
        self._every_s = every_s

    def restart(self) -> None:
        """Begin anew on what is stored."""
        self.monitor = Monitor(self.store, self._rules, self.notices.extend)

    def run(
        self, seconds: float, facts: Mapping[str, float] = {}, of: Iterable[str] = (), broker_down: int = 0
    ) -> None:
        """Look for some time: nodes `of` have these facts, beside those of a node that is well."""
        bad = set(of)
        well = {"overdue_s": 0.0, "silent_s": 5.0, "rssi_dbm": -60.0, "backlog_records": 0.0, "lost_records": 0.0}
        end_ms = self.now_ms + int(seconds * 1000)
        while self.now_ms < end_ms:
            self.now_ms += 1000 * self._every_s
            seen = {Subject(node): {**well, **(facts if node in bad else {})} for node in self.nodes}
            look = Look({MANAGER: {"broker_down": float(broker_down)}, **seen}, self.districts)
            self.monitor.look(look, self.now_ms)

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """(kind, rule, place) of every notice."""
        return [(notice.kind, notice.alert.rule, notice.alert.place) for notice in self.notices]
