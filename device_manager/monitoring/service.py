"""What people and pages ask of alerts and health: read, acknowledge, silence. Every change is in the audit log.

alerts = open_alerts(settings)                      # device_manager.alerting
for alert in alerts.alerts(): print(alert.text)
alerts.acknowledge(12, "on my way", scope=scope)
alerts.silence("", ["node-07"], 3600, "fair on the square", scope=scope)
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from device_manager.audit import Audit
from device_manager.errors import UsageError
from device_manager.monitoring.alert import Alert
from device_manager.monitoring.health import Sample
from device_manager.monitoring.silence import Silence, silenced
from device_manager.ports import Clock
from device_manager.scopes import TECHNICIAN, Scope

LONGEST_SILENCE_S = 30 * 86_400


class AlertStore(Protocol):
    """Where alerts, silences and health over time are kept; each call is durable when it returns."""

    def open_alerts(self) -> list[Alert]:
        """Return those that are not cleared, by number."""
        ...

    def newest(self, limit: int, *, node: str | None = None) -> list[Alert]:
        """Return the newest alerts first, cleared ones too."""
        ...

    def alert(self, number: int) -> Alert | None:
        """Return one alert."""
        ...

    def last_number(self) -> int:
        """Return the highest number of an alert, 0 before the first."""
        ...

    def save(self, alerts: Sequence[Alert]) -> None:
        """Write alerts, new and known; who acknowledged them is not touched."""
        ...

    def acknowledge(self, number: int, actor: str, at_ms: int, note: str) -> None:
        """Write who acknowledged."""
        ...

    def silences(self, after_ms: int) -> list[Silence]:
        """Return those that end after that time, by number."""
        ...

    def add_silence(self, silence: Silence) -> Silence:
        """Keep a silence; returns it with its number."""
        ...

    def end_silence(self, number: int, at_ms: int) -> None:
        """Let a silence end at that time."""
        ...

    def health(self, node: str, since_s: int, until_s: int) -> list[Sample]:
        """Return the samples of a node in [since_s, until_s), in order of time."""
        ...

    def add_health(self, samples: dict[str, Sample]) -> None:
        """Add one sample for each of these nodes."""
        ...


class Alerts:
    """The alerts and the health of one fleet, for people."""

    def __init__(self, store: AlertStore, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock

    def alerts(self, *, closed: bool = False, node: str | None = None, limit: int = 500) -> list[Alert]:
        """Return open alerts, the worst and longest first; with `closed` the newest of all first, at most `limit`."""
        now_ms = self._clock.now_ms()
        silences = self._store.silences(now_ms)
        found = self._store.newest(limit, node=node) if closed else self._store.open_alerts()
        if node is not None:
            found = [alert for alert in found if node in alert.nodes]
        shown = [replace(one, silenced=silenced(one.rule, one.nodes, silences, now_ms)) for one in found]
        if closed:
            return shown
        order = {"critical": 0, "warning": 1, "info": 2}
        return sorted(shown, key=lambda alert: (order[alert.severity], alert.since_ms, alert.number))[:limit]

    def alert(self, number: int) -> Alert:
        """Return one alert; UsageError when there is none of that number."""
        found = self._store.alert(number)
        if found is None:
            raise UsageError(expected="the number of an alert", got=str(number), todo="see `citynode alert list --all`")
        return found

    def acknowledge(self, number: int, note: str = "", *, scope: Scope) -> Alert:
        """Say that somebody cares: it is not escalated any more. Acknowledging again changes the note and the name."""
        scope.require(TECHNICIAN, "acknowledge an alert")
        before = self.alert(number)
        if before.cleared_ms is not None:
            raise UsageError(expected="an open alert", got=f"{number}, which is over", todo="nothing is to be done")
        self._store.acknowledge(number, scope.actor, self._clock.now_ms(), note.strip())
        was = {"acknowledged_by": before.acknowledged_by, "note": before.note}
        now = {"acknowledged_by": scope.actor, "note": note.strip()}
        self._audit.record(scope, "alert.acknowledge", str(number), was, now)
        return self.alert(number)

    def silence(self, rule: str, nodes: Sequence[str], for_s: float, reason: str, *, scope: Scope) -> Silence:
        """Tell nobody of these nodes (none: all) and this rule ("": every one) for so long; for all: an admin only."""
        scope.require(TECHNICIAN if nodes else "admin", "silence alerts")
        if not reason.strip():
            raise UsageError(expected="a reason", got="none", todo="say in a few words why")
        if not 0 < for_s <= LONGEST_SILENCE_S:
            todo = "silence it again when that is over"
            raise UsageError(expected="more than 0 s and at most 30 days", got=f"{for_s:g} s", todo=todo)
        now_ms = self._clock.now_ms()
        until_ms = now_ms + int(for_s * 1000)
        wanted = Silence(0, rule, tuple(sorted(set(nodes))), now_ms, until_ms, reason.strip(), scope.actor)
        made = self._store.add_silence(wanted)
        self._audit.record(
            scope, "alert.silence", str(made.number), None, {**made._asdict(), "nodes": list(made.nodes)}
        )
        return made

    def end_silence(self, number: int, *, scope: Scope) -> None:
        """Let a silence end now; UsageError when none of that number holds."""
        scope.require(TECHNICIAN, "end a silence")
        found = next((one for one in self.silences() if one.number == number), None)
        if found is None:
            raise UsageError(expected="a silence that holds", got=str(number), todo="see `citynode alert silences`")
        now_ms = self._clock.now_ms()
        self._store.end_silence(number, now_ms)
        self._audit.record(scope, "alert.unsilence", str(number), {"until_ms": found.until_ms}, {"until_ms": now_ms})

    def silences(self) -> list[Silence]:
        """Return the silences that hold, by number."""
        return self._store.silences(self._clock.now_ms())

    def health(self, node: str, since_s: int, until_s: int) -> list[Sample]:
        """Return [(Unix s, {fact: value})] of a node, one each 15 min while the manager ran; names: `health.KEPT`."""
        return self._store.health(node, since_s, until_s)
