"""The register's service: checks what people enter, and writes it through a store port.

A node's id is for ever and is never given twice; a site's name too. Every change takes the scope of who is acting, is
written in one step and recorded in the audit log.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from device_manager.audit import Audit
from device_manager.errors import UsageError
from device_manager.ports import Deployment, Node, NodeView, Site
from device_manager.registry import fields
from device_manager.registry.changes import AddNode, AddSite, Change, ChangeNode, ChangeSite, Hang, TakeDown
from device_manager.registry.fields import ACCEPTED, ADMISSIONS, DECOMMISSIONED, PENDING, REJECTED
from device_manager.scopes import ADMIN, TECHNICIAN, Scope

__all__ = ["ACCEPTED", "ADMISSIONS", "DECOMMISSIONED", "PENDING", "REJECTED", "RegisterStore", "Registry"]


class RegisterStore(Protocol):
    """What the register asks of a store. Names are unique."""

    def write(self, changes: Sequence[Change]) -> None:
        """Make all changes in this order, or none; durable when this returns."""
        ...

    def sites(self) -> list[Site]: ...
    def nodes(self) -> list[NodeView]: ...
    def deployments(self) -> list[Deployment]: ...


class Registry:
    """Sites and nodes of one fleet."""

    def __init__(self, store: RegisterStore, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def sites(self) -> list[Site]:
        """Return all sites by name."""
        return sorted(self._store.sites(), key=lambda site: site.name)

    def nodes(self) -> list[NodeView]:
        """Return all nodes by name."""
        return sorted(self._store.nodes(), key=lambda node: node.name)

    def deployments(self) -> list[Deployment]:
        """Return what hung where from when to when, by node and begin."""
        return self._store.deployments()

    def site(self, name: str) -> Site:
        """Return one site; UsageError when there is none of that name."""
        for site in self._store.sites():
            if site.name == name:
                return site
        raise UsageError(expected="a known site", got=repr(name), todo="see `citynode site list`, or add it")

    def node(self, name: str) -> NodeView:
        """Return one node; UsageError when there is none of that name."""
        for node in self._store.nodes():
            if node.name == name:
                return node
        raise UsageError(expected="a registered node", got=repr(name), todo="see `citynode node list`")

    def add_site(
        self,
        name: str,
        title: str,
        latitude: float,
        longitude: float,
        height_m: float,
        district: str,
        *,
        scope: Scope,
    ) -> Site:
        """Add a site; degrees WGS 84, height in m above ground. `put_site` takes all attributes."""
        return self.put_site(Site(0, name, title, latitude, longitude, height_m, district), scope=scope)

    def put_site(self, site: Site, *, scope: Scope) -> Site:
        """Add a new site; its `site_id` is given by the store."""
        scope.require(ADMIN, "add a site")
        fields.check(fields.site_problems(site))
        if any(found.name == site.name for found in self._store.sites()):
            raise UsageError(
                expected="a new site", got=repr(site.name), todo="it is there already; choose another name"
            )
        self._store.write([AddSite(site)])
        self._audit.record(scope, "site.add", site.name, after=_site_facts(site))
        return self.site(site.name)

    def change_site(self, site: Site, *, scope: Scope) -> None:
        """Give the site of that name these attributes: `change_site(registry.site(name)._replace(heading_deg=90))`."""
        scope.require(ADMIN, f"change the site {site.name}")
        before = self.site(site.name)
        fields.check(fields.site_problems(site))
        self._store.write([ChangeSite(site)])
        self._audit.record(scope, "site.change", site.name, before=_site_facts(before), after=_site_facts(site))

    def check_new_node(self, name: str) -> None:
        """Raise UsageError unless `name` is a node id that was never used."""
        fields.check(fields.node_problems(name, ACCEPTED, ()))
        if any(node.name == name for node in self._store.nodes()):
            raise UsageError(expected="a new node id", got=repr(name), todo="it is there already; choose another id")

    def add_node(self, name: str, site: Site, now_ms: int, *, scope: Scope) -> Node:
        """Add an accepted node that hangs at `site` from now on."""
        return self._add(name, ACCEPTED, site, now_ms, scope)

    def add_pending(self, name: str, site: Site, now_ms: int, *, scope: Scope) -> Node:
        """Add a node that is on the bench: it may report, and is not accepted yet."""
        return self._add(name, PENDING, site, now_ms, scope)

    def hang(self, name: str, site: Site, now_s: int, *, scope: Scope) -> None:
        """The node hangs at `site` from now on."""
        scope.require(TECHNICIAN, f"hang {name}")
        before = self.node(name)
        self._check_since(before, now_s)
        self._store.write([Hang(name, site.name, now_s)])
        self._audit.record(scope, "node.hang", name, before=_place(before), after={"site": site.name, "since_s": now_s})

    def take_down(self, name: str, now_s: int, *, scope: Scope) -> None:
        """The node hangs nowhere from now on; what it measured stays with its site."""
        scope.require(TECHNICIAN, f"take {name} down")
        before = self.node(name)
        self._check_since(before, now_s)
        self._store.write([TakeDown(name, now_s)])
        self._audit.record(scope, "node.take_down", name, before=_place(before), after={"until_s": now_s})

    def replace(self, broken: str, new: str, now_s: int, *, scope: Scope) -> Site:
        """The node `new` hangs from now on where `broken` hung, which hangs nowhere then; the site keeps its series."""
        scope.require(TECHNICIAN, f"replace {broken}")
        old, fresh = self.node(broken), self.node(new)
        if old.site is None:
            raise UsageError(
                expected=f"a site where {broken} hangs", got="none", todo=f"use `citynode node hang {new}`"
            )
        if new == broken or fresh.admission in (REJECTED, DECOMMISSIONED):
            got = f"{new}, which is {fresh.admission if new != broken else 'the broken one'}"
            raise UsageError(expected="another node that may report", got=got, todo="provision one")
        self._check_since(old, now_s)
        self._check_since(fresh, now_s)
        self._store.write([TakeDown(broken, now_s), Hang(new, old.site.name, now_s)])
        after = {"site": old.site.name, "by": new, "since_s": now_s}
        self._audit.record(scope, "node.replace", broken, before=_place(old), after=after)
        return old.site

    def admit(self, name: str, admission: str, *, scope: Scope) -> None:
        """Set the admission of a node: on the bench a technician may, elsewhere only an admin rejects one."""
        before = self.node(name)
        on_the_bench = admission in (PENDING, ACCEPTED) or (before.admission, admission) == (PENDING, REJECTED)
        scope.require(TECHNICIAN if on_the_bench else ADMIN, f"set {name} from {before.admission} to {admission}")
        fields.check(fields.node_problems(name, admission, before.tags))
        self._store.write([ChangeNode(name, admission, before.tags)])
        self._audit.record(
            scope, "node.admit", name, before={"admission": before.admission}, after={"admission": admission}
        )

    def tag(self, name: str, tags: Iterable[str], *, scope: Scope) -> tuple[str, ...]:
        """Give a node these tags in place of those it has; return them as they are kept."""
        scope.require(TECHNICIAN, f"tag {name}")
        before, after = self.node(name), fields.as_tags(tags)
        fields.check(fields.node_problems(name, before.admission, after))
        self._store.write([ChangeNode(name, before.admission, after)])
        self._audit.record(scope, "node.tag", name, before={"tags": before.tags}, after={"tags": after})
        return after

    def apply(self, changes: Sequence[Change], *, scope: Scope) -> None:
        """Make a checked list of changes in one step, see `registry.planning`; each is recorded by itself."""
        scope.require(ADMIN, "apply a plan")
        self._store.write(changes)
        for change in changes:
            what, subject, after = _described(change)
            self._audit.record(scope, f"apply.{what}", subject, after=after)

    def _add(self, name: str, admission: str, site: Site, now_ms: int, scope: Scope) -> Node:
        scope.require(TECHNICIAN, f"register {name}")
        self.check_new_node(name)
        self._store.write([AddNode(name, admission, now_ms), Hang(name, site.name, now_ms // 1000)])
        self._audit.record(scope, "node.add", name, after={"admission": admission, "site": site.name})
        return Node(self.node(name).node_id, name, admission)

    def _check_since(self, view: NodeView, now_s: int) -> None:
        for row in self._store.deployments():
            if row.node_id == view.node_id and row.until_s is None and row.since_s > now_s:
                todo = "check this machine's clock"
                raise UsageError(expected=f"a time from {row.since_s} on", got=str(now_s), todo=todo)


def _site_facts(site: Site) -> dict[str, object]:
    facts = site._asdict()
    del facts["site_id"], facts["name"]
    return facts


def _place(view: NodeView) -> dict[str, object]:
    return {"site": view.site.name if view.site else None}


def _described(change: Change) -> tuple[str, str, dict[str, object]]:
    """Return (what, subject, facts) of a change for the audit log."""
    if isinstance(change, AddSite | ChangeSite):
        what = "site.add" if isinstance(change, AddSite) else "site.change"
        return what, change.site.name, _site_facts(change.site)
    facts: dict[str, object] = change._asdict()
    what = {AddNode: "node.add", ChangeNode: "node.change", Hang: "node.hang", TakeDown: "node.take_down"}[type(change)]
    return what, str(facts.pop("name", None) or facts.pop("node")), facts
