"""What people do at a place: the visit log, and nodes that are being worked at (maintenance).

A visit is a note of who was where, when, and what was done. Maintenance has a begin and a planned end, so that
nobody can forget to end it: alerts of the node rest meanwhile. The node itself flags what it measures meanwhile when it
gets the command `maintenance`, which is sent by whoever calls this.
"""

from typing import NamedTuple, Protocol

from device_manager.audit import Audit
from device_manager.errors import UsageError
from device_manager.registry.fields import is_line
from device_manager.registry.service import Registry
from device_manager.scopes import TECHNICIAN, Scope

MOST_MINUTES = 1440
_NOTE_CHARACTERS = 2000


class Visit(NamedTuple):
    """Who was where at `at_ms`; `node` None: about the site alone. `number` counts from 1."""

    number: int
    at_ms: int
    actor: str
    site: str
    node: str | None
    note: str


class Maintenance(NamedTuple):
    """A node is worked at from `since_ms` to `until_ms` (exclusive; moved forward when it is ended early)."""

    number: int
    node: str
    since_ms: int
    until_ms: int
    actor: str
    reason: str


class VisitStore(Protocol):
    """Where both are kept; each call is durable when it returns, the number of what is added is not looked at."""

    def add_visit(self, visit: Visit) -> int: ...
    def visits(self, *, site: str | None = None, node: str | None = None, limit: int = 100) -> list[Visit]:
        """Return the newest first."""
        ...

    def add_maintenance(self, maintenance: Maintenance) -> int: ...
    def end_maintenance(self, node: str, now_ms: int) -> int:
        """Let those of the node end at `now_ms` that would end later; return how many did."""
        ...

    def maintenances(self, *, node: str | None = None, at_ms: int | None = None) -> list[Maintenance]:
        """Return the newest first: of a node, or those in which `at_ms` lies, or all."""
        ...


class Visits:
    """The visit log and the maintenance of one fleet."""

    def __init__(self, store: VisitStore, registry: Registry, audit: Audit) -> None:
        self._store = store
        self._registry = registry
        self._audit = audit

    def visits(self, *, site: str | None = None, node: str | None = None, limit: int = 100) -> list[Visit]:
        """Return the log, the newest first: of a site, of a node, or all."""
        return self._store.visits(site=site, node=node, limit=limit)

    def note(self, site: str, note: str, now_ms: int, *, scope: Scope, node: str | None = None) -> Visit:
        """Keep what was done at a site."""
        scope.require(TECHNICIAN, f"note a visit to {site}")
        self._registry.site(site)
        if node is not None:
            self._registry.node(node)
        if not note.strip() or len(note) > _NOTE_CHARACTERS:
            expected = f"a note of 1 to {_NOTE_CHARACTERS} characters"
            raise UsageError(expected=expected, got=f"{len(note)}", todo="say what was done")
        visit = Visit(0, now_ms, scope.actor, site, node, note)
        visit = visit._replace(number=self._store.add_visit(visit))
        self._audit.record(scope, "site.visit", site, after={"node": node, "number": visit.number})
        return visit

    def start_maintenance(self, node: str, minutes: int, reason: str, now_ms: int, *, scope: Scope) -> Maintenance:
        """Begin a maintenance of at most a day; one that runs ends here."""
        scope.require(TECHNICIAN, f"start a maintenance of {node}")
        self._registry.node(node)
        if not 1 <= minutes <= MOST_MINUTES:
            raise UsageError(expected=f"1 to {MOST_MINUTES} minutes", got=str(minutes), todo="name another time")
        if not is_line(reason) or not reason:
            raise UsageError(expected="a reason in one line", got=repr(reason[:40]), todo="say why")
        self._store.end_maintenance(node, now_ms)
        made = Maintenance(0, node, now_ms, now_ms + minutes * 60_000, scope.actor, reason)
        made = made._replace(number=self._store.add_maintenance(made))
        after = {"until_ms": made.until_ms, "reason": reason}
        self._audit.record(scope, "node.maintenance_start", node, after=after)
        return made

    def end_maintenance(self, node: str, now_ms: int, *, scope: Scope) -> bool:
        """End a node's maintenance now; False when there was none."""
        scope.require(TECHNICIAN, f"end the maintenance of {node}")
        self._registry.node(node)
        ended = self._store.end_maintenance(node, now_ms) > 0
        if ended:
            self._audit.record(scope, "node.maintenance_end", node)
        return ended

    def in_maintenance(self, now_ms: int) -> dict[str, Maintenance]:
        """Return the nodes that are worked at now, each with its maintenance."""
        return {found.node: found for found in reversed(self._store.maintenances(at_ms=now_ms))}

    def maintenances(self, node: str) -> list[Maintenance]:
        """Return all maintenances of a node, the newest first."""
        return self._store.maintenances(node=node)
