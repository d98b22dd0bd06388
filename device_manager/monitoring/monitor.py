"""The monitor: looks at the fleet every few seconds, and keeps conditions, alerts and health over time.

It decides nothing itself: facts -> `condition.step` -> `grouping.group` -> `alert.keep` -> store, and what is to be
sent goes to `tell`. After a start conditions begin anew; an alert that is open in the store goes on when its condition
comes back within SETTLE_S, and ends else.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from device_manager.monitoring.alert import Changes, Notice, keep, together
from device_manager.monitoring.condition import Condition, step
from device_manager.monitoring.grouping import Held, Subject, group
from device_manager.monitoring.health import EVERY_S, KEPT, Sample
from device_manager.monitoring.rules import Rule
from device_manager.monitoring.service import AlertStore

SETTLE_S = 120
_WELL = Condition()


class Look(NamedTuple):
    """The fleet at one moment: facts by subject; `districts` of all accepted nodes; `extra` is kept beside health."""

    facts: Mapping[Subject, Mapping[str, float]]
    districts: Mapping[str, str]
    extra: Mapping[str, Mapping[str, float]] = {}


class Monitor:
    """Not for two threads at once, and one a fleet: it is the only one that writes alerts."""

    def __init__(self, store: AlertStore, rules: Mapping[str, Rule], tell: Callable[[Sequence[Notice]], None]) -> None:
        self._store = store
        self._rules = {name: rule for name, rule in rules.items() if rule.enabled}
        self._tell = tell
        self._by_fact: dict[str, list[Rule]] = {}
        for rule in self._rules.values():
            self._by_fact.setdefault(rule.fact, []).append(rule)
        self._conditions: dict[tuple[str, Subject], Condition] = {}  # those that are not plain
        self._open = [alert for alert in store.open_alerts()]
        self._next_number = store.last_number() + 1
        self._started_ms: int | None = None
        self._health_s = 0

    def look(self, seen: Look, now_ms: int) -> Changes:
        """Take one look; return what changed, after it is stored."""
        if self._started_ms is None:
            self._started_ms = now_ms
        self._step(seen, now_ms)
        self._keep_health(seen, now_ms // 1000)
        acknowledged = {alert.number: alert for alert in self._store.open_alerts()}
        before = [acknowledged.get(alert.number, alert) for alert in self._open]
        groups = group(self.held(), self._rules, seen.districts, together(before))
        settling = now_ms - self._started_ms < 1000 * SETTLE_S
        waiting = [alert for alert in before if settling and not self._is_back(alert.subjects, alert.rule)]
        due = [alert for alert in before if alert not in waiting]
        silences = self._store.silences(now_ms)
        changes = keep(due, groups, self._rules, silences, now_ms, self._next_number)
        self._next_number = max([self._next_number, *(alert.number + 1 for alert in changes.alerts)])
        self._store.save(changes.alerts)
        changed = {alert.number: alert for alert in changes.alerts}
        kept = {alert.number: alert for alert in before} | changed
        self._open = [alert for _, alert in sorted(kept.items()) if alert.cleared_ms is None]
        if changes.notices:
            self._tell(changes.notices)
        return changes

    def held(self) -> list[Held]:
        """Return the conditions that hold."""
        return [
            Held(rule, subject, one.since_ms, one.changed_ms, one.value, one.worst)
            for (rule, subject), one in self._conditions.items()
            if one.holds
        ]

    def _step(self, seen: Look, now_ms: int) -> None:
        """Look at every rule of every subject; who is not there any more (decommissioned) is forgotten."""
        nodes = set(seen.districts) | {""}
        after: dict[tuple[str, Subject], Condition] = {}
        for rule, subject, fact in self._asked(seen.facts):
            key = (rule.name, subject)
            condition = step(rule, self._conditions.get(key, _WELL), fact, now_ms)
            if subject.node in nodes and not condition.is_plain:
                after[key] = condition
        self._conditions = after

    def _asked(self, facts: Mapping[Subject, Mapping[str, float]]) -> Iterator[tuple[Rule, Subject, float | None]]:
        """Yield what there is to judge, and with None what was judged before and is not known now."""
        for subject, known in facts.items():
            for name, fact in known.items():
                for rule in self._by_fact.get(name, ()):
                    yield rule, subject, fact
        for name, subject in self._conditions:
            if self._rules[name].fact not in facts.get(subject, {}):
                yield self._rules[name], subject, None

    def _is_back(self, subjects: Sequence[str], rule: str) -> bool:
        return any(one.rule == rule and one.subject.name in subjects for one in self.held())

    def _keep_health(self, seen: Look, now_s: int) -> None:
        """Keep a sample of each node every EVERY_S."""
        if now_s - self._health_s < EVERY_S:
            return
        self._health_s = now_s
        samples: dict[str, Sample] = {}
        for subject, facts in seen.facts.items():
            if subject.node and not subject.part and facts:
                known = {**facts, **seen.extra.get(subject.node, {})}
                samples[subject.node] = (now_s, {name: known[name] for name in KEPT if name in known})
        self._store.add_health(samples)
