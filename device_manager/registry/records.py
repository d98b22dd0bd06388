"""The register as records of plain values, and back: what CSV and TOML files have in common. Pure.

A file's reader gives a `Record`: values by field, already of the kinds below, and where each stands; `snapshot` checks
them by the register's own rules, and an error says file, line and column.

>>> SITE["latitude"]
'number'
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, NoReturn

from device_manager.errors import UsageError
from device_manager.ports import Deployment, NodeView, Site
from device_manager.registry.fields import Problem, as_tags, node_problems, site_problems
from device_manager.registry.groups import Group, group_problems

Kinds = Mapping[str, str]
"""Field -> text, number (float), words (list of str), time (datetime); a "?" behind it: may be missing."""
SITE: Kinds = {
    "name": "text",
    "title": "text",
    "latitude": "number",
    "longitude": "number",
    "height_m": "number",
    "heading_deg": "number?",
    "fixture": "text",
    "district": "text",
    "zone": "text",
    "gml_id": "text",
    "tags": "words",
}
NODE: Kinds = {"name": "text", "admission": "text", "added": "time", "tags": "words"}
STAY: Kinds = {"node": "text", "site": "text", "since": "time", "until": "time?"}
GROUP: Kinds = {"name": "text", "title": "text", "query": "text?", "nodes": "words"}
TABLES: Mapping[str, Kinds] = {"sites": SITE, "nodes": NODE, "stays": STAY, "groups": GROUP}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Stay(NamedTuple):
    """A node hung at a site from `since_s` to `until_s` (exclusive; None: still)."""

    site: str
    since_s: int
    until_s: int | None


class NodeEntry(NamedTuple):
    """A node with all its stays, the oldest first."""

    name: str
    admission: str
    added_ms: int
    tags: tuple[str, ...]
    stays: tuple[Stay, ...]


class Snapshot(NamedTuple):
    """A register: by name each; the `site_id` of its sites is 0."""

    sites: dict[str, Site]
    nodes: dict[str, NodeEntry]
    groups: dict[str, Group]


class Record(NamedTuple):
    """What a file says of one site, node, stay or group; `where(field)` is its place: file, line and column."""

    values: Mapping[str, Any]
    where: Callable[[str], str]


def of_register(
    sites: Sequence[Site], nodes: Sequence[NodeView], deployments: Sequence[Deployment], groups: Sequence[Group]
) -> Snapshot:
    """Return what a register holds now."""
    known = {site.site_id: site.name for site in sites}
    stays: dict[int, list[Stay]] = {}
    for row in sorted(deployments, key=lambda row: row.since_s):
        stays.setdefault(row.node_id, []).append(Stay(known[row.site_id], row.since_s, row.until_s))
    return Snapshot(
        {site.name: site._replace(site_id=0) for site in sorted(sites, key=lambda site: site.name)},
        {
            n.name: NodeEntry(n.name, n.admission, n.added_ms, n.tags, tuple(stays.get(n.node_id, ())))
            for n in sorted(nodes, key=lambda node: node.name)
        },
        {group.name: group for group in sorted(groups)},
    )


def tables(held: Snapshot) -> dict[str, list[dict[str, Any]]]:
    """Return {table: rows}, see TABLES; values are of the kinds there, None where one is missing."""
    return {
        "sites": [{field: _plain(getattr(site, field)) for field in SITE} for site in held.sites.values()],
        "nodes": [
            {"name": n.name, "admission": n.admission, "added": _EPOCH + timedelta(milliseconds=n.added_ms)}
            | {"tags": list(n.tags)}
            for n in held.nodes.values()
        ],
        "stays": [
            {"node": node.name, "site": stay.site, "since": _time(stay.since_s), "until": _time(stay.until_s)}
            for node in held.nodes.values()
            for stay in node.stays
        ],
        "groups": [{field: _plain(getattr(group, field)) for field in GROUP} for group in held.groups.values()],
    }


def snapshot(found: Mapping[str, Iterable[Record]]) -> Snapshot:
    """Return the register that the records of the tables describe; UsageError for the first that cannot be."""
    sites: dict[str, Site] = {}
    nodes: dict[str, NodeEntry] = {}
    groups: dict[str, Group] = {}
    for record in found.get("sites", ()):
        site = Site(0, **{**record.values, "tags": as_tags(record.values["tags"])})
        _check(site_problems(site), record)
        _once(sites, site.name, record)
        sites[site.name] = site
    for record in found.get("nodes", ()):
        added_ms = (record.values["added"] - _EPOCH) // timedelta(milliseconds=1)
        values = record.values
        node = NodeEntry(values["name"], values["admission"], added_ms, as_tags(values["tags"]), ())
        _check(node_problems(node.name, node.admission, node.tags), record)
        _once(nodes, node.name, record)
        nodes[node.name] = node
    for record in found.get("stays", ()):
        _add_stay(nodes, record)
    for record in found.get("groups", ()):
        group = Group(**{**record.values, "nodes": as_tags(record.values["nodes"])})
        _check(group_problems(group), record)
        _once(groups, group.name, record)
        groups[group.name] = group
    return Snapshot(sites, nodes, groups)


def check_names(wanted: Snapshot, known: Snapshot, found: Mapping[str, Iterable[Record]]) -> None:
    """Raise UsageError for a stay or group that names a site or node which is neither in the files nor known."""
    for table, field, names in (
        ("stays", "site", {*wanted.sites, *known.sites}),
        ("groups", "nodes", {*wanted.nodes, *known.nodes}),
    ):
        for record in found.get(table, ()):
            value = record.values[field]
            for name in [value] if isinstance(value, str) else value:
                if name not in names:
                    _refuse(record, Problem(field, f"a known {field.removesuffix('s')}", repr(name)))


def _add_stay(nodes: dict[str, NodeEntry], record: Record) -> None:
    values = record.values
    node = nodes.get(values["node"])
    if node is None:
        _refuse(record, Problem("node", "a node of these files", repr(values["node"])))
    stay = Stay(values["site"], _seconds(record, "since"), _seconds(record, "until") if values["until"] else None)
    if stay.until_s is not None and stay.until_s <= stay.since_s:
        _refuse(record, Problem("until", "a time after `since`", values["until"].isoformat()))
    last = node.stays[-1] if node.stays else None
    if last and (last.until_s is None or last.until_s > stay.since_s):
        _refuse(record, Problem("since", "a time from the end of the stay before it", values["since"].isoformat()))
    nodes[node.name] = node._replace(stays=(*node.stays, stay))


def _seconds(record: Record, field: str) -> int:
    passed: timedelta = record.values[field] - _EPOCH
    if passed % timedelta(seconds=1) or passed < timedelta(0):
        _refuse(record, Problem(field, "a whole second since 1970", record.values[field].isoformat()))
    return passed // timedelta(seconds=1)


def _once(known: Mapping[str, object], name: str, record: Record) -> None:
    if name in known:
        _refuse(record, Problem("name", "each name once", repr(name)))


def _check(problems: Iterable[Problem], record: Record) -> None:
    for problem in problems:
        _refuse(record, problem)


def _refuse(record: Record, problem: Problem) -> NoReturn:
    got = f"{problem.got} in {record.where(problem.field)}"
    raise UsageError(expected=problem.expected, got=got, todo="correct it; nothing was changed")


def _plain(value: object) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _time(time_s: int | None) -> datetime | None:
    return None if time_s is None else _EPOCH + timedelta(seconds=time_s)
