"""Groups of nodes: a list of ids (static), or a question that is answered anew each time (by query).

groups.define(Group("mitte", "Innenstadt", query="district=Innenstadt"), scope=scope)
groups.members("mitte")          # ids, sorted
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from device_manager.audit import Audit
from device_manager.errors import UsageError
from device_manager.ports import NodeView
from device_manager.registry import query as q
from device_manager.registry.fields import Problem, check, is_line, is_site_name
from device_manager.registry.service import DECOMMISSIONED, Registry
from device_manager.scopes import ADMIN, Scope


class Group(NamedTuple):
    """`query` None: a static group of the ids in `nodes` (sorted); else `nodes` is empty."""

    name: str
    title: str
    query: str | None = None
    nodes: tuple[str, ...] = ()


class GroupStore(Protocol):
    """Where groups are kept; each call is durable when it returns."""

    def groups(self) -> list[Group]: ...
    def write(self, changed: list[Group], removed: list[str]) -> None:
        """Add or replace `changed` and remove `removed` in one step."""
        ...


Reported = Callable[[NodeView], Mapping[str, str | None]]
"""What a node says of itself: its board, firmware and release."""


class Groups:
    """The groups of one fleet."""

    def __init__(self, store: GroupStore, registry: Registry, reported: Reported, audit: Audit) -> None:
        self._store = store
        self._registry = registry
        self._reported = reported
        self._audit = audit

    def groups(self) -> list[Group]:
        """Return all groups by name."""
        return sorted(self._store.groups())

    def group(self, name: str) -> Group:
        """Return one group; UsageError when there is none of that name."""
        for group in self._store.groups():
            if group.name == name:
                return group
        raise UsageError(expected="a known group", got=repr(name), todo="see `citynode group list`, or add it")

    def members(self, name: str) -> list[str]:
        """Return the ids of a group's nodes, sorted; a node that was decommissioned is in none."""
        return self._members(self.group(name))

    def select(self, text: str) -> list[str]:
        """Return the ids of the nodes that a question finds, without making a group of it."""
        return self._members(Group("", "", text))

    def groups_of(self, node: str) -> list[str]:
        """Return the names of the groups that a node is in."""
        return [group.name for group in self.groups() if node in self._members(group)]

    def define(self, group: Group, *, scope: Scope) -> None:
        """Add a group, or give the one of that name another list or question."""
        scope.require(ADMIN, f"define the group {group.name}")
        check(group_problems(group))
        for node in group.nodes:
            self._registry.node(node)
        before = next((found for found in self._store.groups() if found.name == group.name), None)
        self._store.write([group], [])
        self._audit.record(scope, "group.define", group.name, before=_facts(before), after=_facts(group))

    def remove(self, name: str, *, scope: Scope) -> None:
        """Forget a group; its nodes stay as they are."""
        scope.require(ADMIN, f"remove the group {name}")
        before = self.group(name)
        self._store.write([], [name])
        self._audit.record(scope, "group.remove", name, before=_facts(before))

    def apply(self, changed: list[Group], removed: list[str], *, scope: Scope) -> None:
        """Make the changes of a plan in one step, see `registry.planning`; each is recorded by itself."""
        scope.require(ADMIN, "apply a plan")
        self._store.write(changed, removed)
        for group in changed:
            self._audit.record(scope, "apply.group.define", group.name, after=_facts(group))
        for name in removed:
            self._audit.record(scope, "apply.group.remove", name)

    def _members(self, group: Group) -> list[str]:
        nodes = [node for node in self._registry.nodes() if node.admission != DECOMMISSIONED]
        if group.query is None:
            return [node.name for node in nodes if node.name in group.nodes]
        question = q.parse(group.query)
        return [node.name for node in nodes if q.matches(question, self._facts(node))]

    def _facts(self, node: NodeView) -> dict[str, tuple[str, ...]]:
        said = {field: (value,) for field, value in self._reported(node).items() if value is not None}
        return {"node": (node.name,), "admission": (node.admission,), "tag": node.tags, **said, **_site_facts(node)}


def _site_facts(node: NodeView) -> dict[str, tuple[str, ...]]:
    site = node.site
    if site is None:
        return {}
    one = {"site": site.name, "district": site.district, "fixture": site.fixture, "zone": site.zone}
    return {"site-tag": site.tags, **{field: (value,) for field, value in one.items()}}


def group_problems(group: Group) -> list[Problem]:
    """Return what is wrong with a group; whether its nodes exist is for whoever knows them."""
    problems = []
    if not is_site_name(group.name):
        problems.append(Problem("name", "a group name: up to 64 of a-z, 0-9 and -", repr(group.name)))
    if not is_line(group.title):
        problems.append(Problem("title", "one line of text", repr(group.title[:40])))
    if list(group.nodes) != sorted(set(group.nodes)):
        problems.append(Problem("nodes", "each node once, sorted", ", ".join(group.nodes)))
    if group.query is not None:
        if group.nodes:
            problems.append(Problem("nodes", "either nodes or a query", "both"))
        try:
            q.parse(group.query)
        except UsageError as error:
            problems.append(Problem("query", error.expected, error.got))
    return problems


def _facts(group: Group | None) -> dict[str, object] | None:
    return group._asdict() if group else None
