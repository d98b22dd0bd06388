"""Alerts: what somebody is told, from its beginning to its end. Pure.

    changes = keep(open_alerts, groups, rules, silences, now_ms, next_number)

An alert begins with a group that has none and ends when its group is gone. Where single alerts turn out to be one
cause, the oldest goes on as that of all and the others end as merged. One that may still find company (a rule with
`group_least`) waits GATHER_S before it is told.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from device_manager.monitoring.grouping import DISTRICT, FLEET, Group, Together
from device_manager.monitoring.rules import SEVERITIES, Rule
from device_manager.monitoring.silence import Silence, silenced

GATHER_S = 120
RAISED, ESCALATED, CLEARED = "raised", "escalated", "cleared"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. Times in Unix ms; `cleared_ms` None while it is open; `told` is the severity that was sent, "" none.

    `value` is the present figure of the condition that is longest there, `worst` of all the worst, `limit` what it may
    be, in `unit`. `nodes` are all that it is about, `explained` rules whose conditions it explains.
    """

    number: int
    rule: str
    place: str
    severity: str
    title: str
    nodes: tuple[str, ...]
    subjects: tuple[str, ...]
    explained: tuple[str, ...]
    value: float | None
    worst: float | None
    limit: float
    unit: str
    since_ms: int
    raised_ms: int
    cleared_ms: int | None
    next_step: str
    merged_into: int | None = None
    told: str = ""
    acknowledged_by: str | None = None
    acknowledged_ms: int | None = None
    note: str = ""
    silenced: bool = False

    @property
    def text(self) -> str:
        """One sentence for people: who, what, value and limit."""
        who = self.place if len(self.nodes) <= 1 else f"{len(self.nodes)} nodes ({self.place})"
        if self.value is None or not self.unit:
            return f"{who}: {self.title}"
        return f"{who}: {self.title}, {self.value:g} {self.unit} (limit {self.limit:g})"

    @property
    def todo(self) -> str:
        """The next step, with the node's name in the place of NODE where the alert is about one."""
        return self.next_step.replace("NODE", self.nodes[0]) if len(self.nodes) == 1 else self.next_step


class Notice(NamedTuple):
    """Something to send: `kind` is RAISED, ESCALATED or CLEARED."""

    kind: str
    alert: Alert


class Changes(NamedTuple):
    """What came of one look: all alerts that are new or different, and what is to be sent."""

    alerts: list[Alert]
    notices: list[Notice]


def together(alerts: Iterable[Alert]) -> Together:
    """Return who is told together at present, as `grouping.group` takes it."""
    shared = [alert for alert in alerts if alert.place == FLEET or alert.place.startswith(DISTRICT)]
    return {(alert.rule, node): alert.place for alert in shared for node in alert.nodes}


def keep(
    before: Sequence[Alert],
    groups: Sequence[Group],
    rules: Mapping[str, Rule],
    silences: Sequence[Silence],
    now_ms: int,
    next_number: int,
) -> Changes:
    """Return what changes in the open alerts `before`, given the groups of now; new ones get the next numbers."""
    mine, merged = _matched(before, groups)
    after: list[Alert] = []
    for group in groups:
        rule, known = rules[group.rule], mine.get((group.rule, group.place))
        if known is None and not _ripe(rule, group, now_ms):
            continue
        if known is None:
            known = _new(rule, group, next_number, now_ms)
            next_number += 1
        after.append(_updated(known, rule, group, now_ms))
    kept = {alert.number for alert in after}
    gone = [alert for alert in before if alert.number not in kept]
    after += [replace(alert, cleared_ms=now_ms, merged_into=merged.get(alert.number)) for alert in gone]
    told = [_told(replace(alert, silenced=silenced(alert.rule, alert.nodes, silences, now_ms))) for alert in after]
    known_before = {alert.number: alert for alert in before}
    changed = [alert for alert, _ in told if known_before.get(alert.number) != alert]
    return Changes(changed, [notice for _, notice in told if notice])


def _matched(before: Sequence[Alert], groups: Sequence[Group]) -> tuple[dict[tuple[str, str], Alert], dict[int, int]]:
    """Return which alert goes on as which group's, and {number: into} of those that another one takes in."""
    mine: dict[tuple[str, str], Alert] = {}
    merged: dict[int, int] = {}
    for group in groups:
        own = {one.subject.name for one in group.held}
        same = [alert for alert in before if alert.rule == group.rule and own & set(alert.subjects)]
        same.sort(key=lambda alert: (alert.place != group.place, alert.raised_ms, alert.number))
        taken = {alert.number for alert in mine.values()}
        free = [alert for alert in same if alert.number not in taken]
        if free:
            mine[group.rule, group.place] = free[0]
            merged.update({alert.number: free[0].number for alert in free[1:]})
    return mine, merged


def _ripe(rule: Rule, group: Group, now_ms: int) -> bool:
    """True when a group need not wait for company any more."""
    return not rule.group_least or group.shared or now_ms - group.held[0].active_ms >= 1000 * GATHER_S


def _new(rule: Rule, group: Group, number: int, now_ms: int) -> Alert:
    first = group.held[0]
    return Alert(
        number=number,
        rule=rule.name,
        place=group.place,
        severity=rule.severity,
        title=rule.title,
        nodes=(),
        subjects=(),
        explained=(),
        value=first.value,
        worst=first.worst,
        limit=rule.create,
        unit=rule.unit,
        since_ms=first.since_ms,
        raised_ms=now_ms,
        cleared_ms=None,
        next_step=rule.next_step,
    )


def _updated(alert: Alert, rule: Rule, group: Group, now_ms: int) -> Alert:
    values = [one.worst for one in group.held if one.worst is not None]
    worst = (max if rule.above is not None else min)(values, default=None)
    return replace(
        alert,
        place=group.place,
        nodes=group.nodes,
        subjects=tuple(sorted(one.subject.name for one in group.held)),
        explained=tuple(sorted({one.rule for one in group.explained})),
        value=group.held[0].value,
        worst=worst,
        since_ms=min(alert.since_ms, min(one.since_ms for one in group.held)),
        severity=_severity(alert, rule, now_ms),
    )


def _severity(alert: Alert, rule: Rule, now_ms: int) -> str:
    """Return the rule's severity, one up when nobody has acknowledged for its `escalate_s`."""
    late = rule.escalate_s and alert.acknowledged_ms is None and now_ms - alert.raised_ms >= 1000 * rule.escalate_s
    if not late:
        return alert.severity
    return SEVERITIES[min(SEVERITIES.index(rule.severity) + 1, len(SEVERITIES) - 1)]


def _told(alert: Alert) -> tuple[Alert, Notice | None]:
    """Return the alert with what will have been sent, and the notice; nothing while a silence holds."""
    if alert.cleared_ms is not None:
        send = alert.told and not alert.silenced and alert.merged_into is None
        return alert, Notice(CLEARED, alert) if send else None
    if alert.silenced or alert.told == alert.severity:
        return alert, None
    now = replace(alert, told=alert.severity)
    return now, Notice(ESCALATED if alert.told else RAISED, now)
