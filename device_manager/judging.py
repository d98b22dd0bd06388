"""What people decide about readings: calibrations and invalidations. Checks what is entered, then writes it for ever.

Nothing is overwritten: a decision is taken back by another one, and both stay with who and when.
"""

import json
from typing import Any, NamedTuple, Protocol

from device_manager.errors import UsageError
from device_manager.overview import iso
from device_manager.registry import Registry, Scope
from device_manager.series.calibration import Calibration, Target, check
from device_manager.series.decisions import Decision, State, document_of, fold
from device_manager.series.invalidation import Invalidation


class DecisionStore(Protocol):
    """What the service asks of a store."""

    def add(self, made_ms: int, actor: str, kind: str, document: str) -> int:
        """Append a decision and return its number; durable when it returns."""
        ...

    def all(self) -> list[Decision]:
        """Return all decisions in order."""
        ...


class Held(NamedTuple):
    """A decision for lists. `withdrawn` says when and by whom, None while it holds."""

    number: int
    kind: str
    where: str
    quantity: str
    since: str
    until: str | None
    what: str
    made: str
    actor: str
    withdrawn: str | None


class Judging:
    """Calibrations and invalidations of one fleet."""

    def __init__(self, store: DecisionStore, registry: Registry) -> None:
        self._store = store
        self._registry = registry

    def state(self) -> State:
        """Return what holds."""
        return fold(self._store.all())

    def target(self, quantity: str, site: str | None, node: str | None, sensor: str | None) -> Target:
        """Return what a calibration is for; UsageError unless it is one known site, or a node with a sensor."""
        if (site is None) == (node is None) or (node is None) != (sensor is None):
            got = f"site {site}, node {node}, sensor {sensor}"
            raise UsageError(expected="either a site, or a node and its sensor", got=got, todo="name one of them")
        if site is not None:
            return Target(quantity, site_id=self._registry.site(site).site_id)
        return Target(quantity, node_id=self._registry.node(str(node)).node_id, sensor=sensor)

    def calibrate(self, calibration: Calibration, now_ms: int, *, scope: Scope) -> int:
        """Let a calibration hold; returns its id."""
        check(calibration)
        return self._store.add(now_ms, scope.actor, "calibrate", document_of(calibration))

    def invalidate(
        self, site: str, quantity: str | None, since_s: int, until_s: int, reason: str, now_ms: int, *, scope: Scope
    ) -> int:
        """Mark the readings of a site (of one quantity, None: of all) that touch the period; returns the decision."""
        if until_s <= since_s:
            got = f"{iso(since_s)} to {iso(until_s)}"
            raise UsageError(expected="an end after the begin", got=got, todo="check --since and --until")
        if not reason.strip():
            raise UsageError(expected="a reason", got="none", todo="say in a few words why")
        site_id = self._registry.site(site).site_id
        said = Invalidation(0, site_id, None, quantity, since_s, until_s, reason.strip())
        return self._store.add(now_ms, scope.actor, "invalidate", document_of(said))

    def withdraw(self, number: int, kind: str, now_ms: int, *, scope: Scope) -> None:
        """Take back a decision of that kind (calibrate, invalidate)."""
        state = self.state()
        held = state.calibrations if kind == "calibrate" else state.invalidations
        if number not in held:
            todo = "see the list; what was taken back stays so"
            raise UsageError(expected=f"a decision to {kind} that holds", got=f"number {number}", todo=todo)
        self._store.add(now_ms, scope.actor, "withdraw", json.dumps({"id": number}))

    def held(self, kind: str) -> list[Held]:
        """Return all decisions of a kind by number, those that were taken back too."""
        decisions = self._store.all()
        withdrawn = {json.loads(d.document)["id"]: f"{iso(d.made_ms / 1000)} by {d.actor}"
                     for d in decisions if d.kind == "withdraw"}  # fmt: skip
        return [self._held(d, withdrawn.get(d.decision_id)) for d in decisions if d.kind == kind]

    def _held(self, decision: Decision, withdrawn: str | None) -> Held:
        fields: dict[str, Any] = json.loads(decision.document)
        target = fields.get("target", fields)
        what = _formula(fields) if decision.kind == "calibrate" else fields["reason"]
        until_s = fields["until_s"]
        return Held(
            number=decision.decision_id,
            kind=decision.kind,
            where=self._where(target),
            quantity=target["quantity"] or "all",
            since=iso(fields["since_s"]),
            until=None if until_s is None else iso(until_s),
            what=what,
            made=iso(decision.made_ms / 1000),
            actor=decision.actor,
            withdrawn=withdrawn,
        )

    def _where(self, target: dict[str, Any]) -> str:
        if target["site_id"] is not None:
            return next(s.name for s in self._registry.sites() if s.site_id == target["site_id"])
        name = next(n.name for n in self._registry.nodes() if n.node_id == target["node_id"])
        return f"{name}/{target.get('sensor') or '*'}"


def _formula(fields: dict[str, Any]) -> str:
    if fields["points"]:
        return "curve " + ", ".join(f"{x:g}→{y:g}" for x, y in fields["points"])
    return f"{fields['offset']:g} + {fields['gain']:g} x"
