"""What must change so that a register becomes another one: a plan, to be shown and then applied. Pure.

Nothing is ever removed but groups: a site or node that is not in the files stays as it is. Where a node hung is
history: a plan may end its last stay and add later ones, and nothing else.
"""

from collections.abc import Iterator
from typing import NamedTuple

from device_manager.errors import UsageError
from device_manager.registry.changes import AddNode, AddSite, Change, ChangeNode, ChangeSite, Hang, TakeDown
from device_manager.registry.fields import DECOMMISSIONED
from device_manager.registry.groups import Group
from device_manager.registry.records import NodeEntry, Snapshot, Stay


class Plan(NamedTuple):
    """`lines` say for people what the others do; `kept` are names that are in no file and stay."""

    lines: list[str]
    changes: list[Change]
    groups: list[Group]
    removed_groups: list[str]
    kept: list[str]


def plan(now: Snapshot, wanted: Snapshot, *, remove_groups: bool) -> Plan:
    """Return what makes `now` become `wanted`; UsageError for what cannot be changed.

    `remove_groups`: `wanted` names all groups there shall be.
    """
    made = Plan([], [], [], [], [])
    for name, site in wanted.sites.items():
        _plan(made, f"site {name}", now.sites.get(name), site, AddSite(site), ChangeSite(site))
    for name, node in wanted.nodes.items():
        _plan_node(made, now.nodes.get(name), node)
    for name, group in wanted.groups.items():
        if now.groups.get(name) != group:
            made.groups.append(group)
            made.lines.extend(_differences(f"group {name}", now.groups.get(name), group))
    if remove_groups:
        made.removed_groups.extend(sorted(set(now.groups) - set(wanted.groups)))
        made.lines.extend(f"- group {name}" for name in made.removed_groups)
    made.kept.extend([f"site {name}" for name in now.sites if name not in wanted.sites])
    made.kept.extend([f"node {name}" for name in now.nodes if name not in wanted.nodes])
    return made


def _plan(made: Plan, what: str, old: object, new: NamedTuple, add: Change, change: Change) -> None:
    if old != new:
        made.changes.append(change if old else add)
        made.lines.extend(_differences(what, old, new))


def _plan_node(made: Plan, old: NodeEntry | None, new: NodeEntry) -> None:
    if old and old.added_ms != new.added_ms:
        raise UsageError(expected=f"{new.name} added when it was", got="another time", todo="leave `added` as it is")
    if old and old.admission == DECOMMISSIONED != new.admission:
        todo = "provision a new node"
        raise UsageError(expected=f"{new.name} to stay decommissioned", got=new.admission, todo=todo)
    add, change = (
        AddNode(new.name, new.admission, new.added_ms, new.tags),
        ChangeNode(new.name, new.admission, new.tags),
    )
    before = old._replace(stays=new.stays) if old else None
    _plan(made, f"node {new.name}", before, new, add, change)
    for step in _moves(new.name, old.stays if old else (), new.stays):
        made.changes.append(step)
        place = f"at {step.site} from {step.since_s}" if isinstance(step, Hang) else f"nowhere from {step.until_s}"
        made.lines.append(f"~ node {new.name} hangs {place}")


def _moves(name: str, old: tuple[Stay, ...], new: tuple[Stay, ...]) -> Iterator[Hang | TakeDown]:
    past = len(old) if not old or old[-1].until_s is not None else len(old) - 1
    same = len(new) >= len(old) and new[:past] == old[:past]
    if not same or (past < len(old) and new[past][:2] != old[past][:2]):
        todo = "leave its stays as they are, end the last one, or add later ones"
        raise UsageError(expected=f"the stays that {name} had", got="others", todo=todo)
    if past < len(old) and new[past].until_s is not None:
        yield TakeDown(name, new[past].until_s or 0)
    for stay in new[len(old) :]:
        yield Hang(name, *stay)


def _differences(what: str, old: object, new: NamedTuple) -> Iterator[str]:
    if old is None:
        yield f"+ {what}"
        return
    for field, after in new._asdict().items():
        before = getattr(old, field)
        if before != after:
            yield f"~ {what}: {field} {_shown(before)} -> {_shown(after)}"


def _shown(value: object) -> str:
    return " ".join(map(str, value)) or "-" if isinstance(value, tuple) else repr(value)
