"""The register: what it takes, who may change it, and what is kept of each change."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device_manager.errors import UsageError
from device_manager.fleet import Fleet
from device_manager.ports import Deployment, Site
from device_manager.registry.changes import AddSite, ChangeSite, Hang
from device_manager.registry.groups import Group
from device_manager.scopes import Forbidden, Scope
from tests.fakes.fleets import ADMIN, TECHNICIAN, VIEWER, small_fleet

ADDED_S = 1_770_000_000
LATER_S = ADDED_S + 3600
SITE = Site(
    0, "schule", "Schule", 47.7, 10.3, 3.5, "Ost", "Europe/Berlin", 271.5, "lamp post", "DEBY_LOD2_4711", ("a",)
)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with small_fleet(tmp_path) as fleet:
        yield fleet


def test_site_keeps_all_its_attributes(fleet: Fleet) -> None:
    fleet.registry.put_site(SITE, scope=ADMIN)
    found = fleet.registry.site("schule")
    assert found == SITE._replace(site_id=found.site_id)
    fleet.registry.change_site(found._replace(heading_deg=None, tags=("b", "c")), scope=ADMIN)
    assert fleet.registry.site("schule") == found._replace(heading_deg=None, tags=("b", "c"))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "Markt", "expected a site name: up to 64 of a-z, 0-9 and -, got 'Markt'"),
        ("latitude", 90.1, "expected degrees north (-90 to 90), got 90.1"),
        ("longitude", float("nan"), "expected degrees east (-180 to 180), got nan"),
        ("height_m", float("inf"), "expected metres above ground (-100 to 1000), got inf"),
        ("heading_deg", 360.0, "expected degrees clockwise from north (0 to below 360), got 360.0"),
        ("title", "two\nlines", "expected one line of at most 200 characters"),
        ("zone", "Europe/Kempten", "expected an IANA time zone such as Europe/Berlin"),
        ("gml_id", "4711", "expected a gml:id"),
        ("tags", ("School",), "expected tags: up to 32 characters of a-z, 0-9 and -, got 'School'"),
        ("tags", ("b", "a"), "expected each tag once, in the order of the alphabet, got b a"),
    ],
)
def test_site_that_cannot_be_is_refused(fleet: Fleet, field: str, value: object, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        fleet.registry.put_site(SITE._replace(**{field: value}), scope=ADMIN)
    assert str(caught.value).startswith(message)
    assert [site.name for site in fleet.registry.sites()] == ["hofgarten", "markt"]


def test_replaced_node_leaves_the_series_to_the_site(fleet: Fleet) -> None:
    fleet.registry.replace("node-markt", "node-spare", LATER_S, scope=TECHNICIAN)
    ids = {node.name: node.node_id for node in fleet.registry.nodes()}
    markt = fleet.registry.site("markt").site_id
    assert [row for row in fleet.registry.deployments() if row.site_id == markt] == [
        Deployment(ids["node-markt"], markt, ADDED_S, LATER_S),
        Deployment(ids["node-spare"], markt, LATER_S, None),
    ]
    assert fleet.registry.node("node-markt").site is None
    with pytest.raises(UsageError, match="expected a site where node-markt hangs, got none"):
        fleet.registry.replace("node-markt", "node-hofgarten", LATER_S, scope=TECHNICIAN)


@pytest.mark.parametrize("admission", ["rejected", "decommissioned"])
def test_node_that_may_not_report_replaces_nobody(fleet: Fleet, admission: str) -> None:
    fleet.registry.admit("node-spare", admission, scope=ADMIN)
    with pytest.raises(UsageError, match=f"got node-spare, which is {admission}"):
        fleet.registry.replace("node-markt", "node-spare", LATER_S, scope=TECHNICIAN)


def test_deployment_cannot_begin_before_the_present_one(fleet: Fleet) -> None:
    with pytest.raises(UsageError, match=f"expected a time from {ADDED_S} on, got {ADDED_S - 1}; check this machine"):
        fleet.registry.hang("node-markt", fleet.registry.site("hofgarten"), ADDED_S - 1, scope=ADMIN)


def test_changes_that_cannot_all_be_made_leave_nothing(fleet: Fleet) -> None:
    before = (fleet.registry.sites(), fleet.registry.nodes(), fleet.registry.deployments())
    changes = [AddSite(SITE), ChangeSite(SITE._replace(name="markt")), Hang("nobody", "markt", LATER_S)]
    with pytest.raises(Exception, match="row"):
        fleet.registry.apply(changes, scope=ADMIN)
    assert (fleet.registry.sites(), fleet.registry.nodes(), fleet.registry.deployments()) == before
    assert fleet.audit.entries(subject="schule") == []


ACTIONS: list[tuple[str, Scope, str, Callable[[Fleet, Scope], object]]] = [
    ("site.add", ADMIN, "schule", lambda f, s: f.registry.put_site(SITE, scope=s)),
    ("site.change", ADMIN, "markt", lambda f, s: f.registry.change_site(SITE._replace(name="markt"), scope=s)),
    ("node.add", TECHNICIAN, "n-1", lambda f, s: f.registry.add_node("n-1", f.registry.site("markt"), 0, scope=s)),
    ("node.add", TECHNICIAN, "n-2", lambda f, s: f.registry.add_pending("n-2", f.registry.site("markt"), 0, scope=s)),
    (
        "node.hang",
        TECHNICIAN,
        "node-spare",
        lambda f, s: f.registry.hang("node-spare", f.registry.site("markt"), LATER_S, scope=s),
    ),
    ("node.take_down", TECHNICIAN, "node-markt", lambda f, s: f.registry.take_down("node-markt", LATER_S, scope=s)),
    (
        "node.replace",
        TECHNICIAN,
        "node-markt",
        lambda f, s: f.registry.replace("node-markt", "node-spare", LATER_S, scope=s),
    ),
    ("node.admit", TECHNICIAN, "node-spare", lambda f, s: f.registry.admit("node-spare", "accepted", scope=s)),
    ("node.admit", ADMIN, "node-markt", lambda f, s: f.registry.admit("node-markt", "rejected", scope=s)),
    ("node.tag", TECHNICIAN, "node-spare", lambda f, s: f.registry.tag("node-spare", ["x"], scope=s)),
    ("group.define", ADMIN, "g", lambda f, s: f.groups.define(Group("g", "G"), scope=s)),
    ("group.remove", ADMIN, "g", lambda f, s: f.groups.remove("g", scope=s)),
    ("site.visit", TECHNICIAN, "markt", lambda f, s: f.visits.note("markt", "cleaned", 0, scope=s)),
    (
        "node.maintenance_start",
        TECHNICIAN,
        "node-markt",
        lambda f, s: f.visits.start_maintenance("node-markt", 30, "inlet", 0, scope=s),
    ),
    (
        "node.maintenance_end",
        TECHNICIAN,
        "node-markt",
        lambda f, s: f.visits.end_maintenance("node-markt", 0, scope=s),
    ),
    ("apply.site.add", ADMIN, "schule", lambda f, s: f.registry.apply([AddSite(SITE)], scope=s)),
    ("apply.group.define", ADMIN, "g", lambda f, s: f.groups.apply([Group("g", "")], [], scope=s)),
]


@pytest.mark.parametrize(("action", "least", "subject", "act"), ACTIONS)
def test_each_change_asks_who_is_acting_and_is_recorded(
    fleet: Fleet, action: str, least: Scope, subject: str, act: Callable[[Fleet, Scope], object]
) -> None:
    if action == "group.remove":
        fleet.groups.define(Group("g", "G"), scope=ADMIN)
    if action == "node.maintenance_end":
        fleet.visits.start_maintenance("node-markt", 30, "inlet", 0, scope=ADMIN)
    newest = fleet.audit.entries(limit=1)[0].number
    for too_little in (VIEWER, TECHNICIAN) if least is ADMIN else (VIEWER,):
        with pytest.raises(Forbidden, match=f"got {too_little.actor}, a {too_little.role}"):
            act(fleet, too_little)
    assert fleet.audit.entries(limit=1)[0].number == newest
    act(fleet, least)
    (entry,) = [entry for entry in fleet.audit.entries() if entry.number > newest]
    assert (entry.actor, entry.action, entry.subject) == (least.actor, action, subject)
    assert isinstance(json.loads(entry.after), dict)


def test_group_by_query_follows_the_fleet_and_a_static_one_does_not(fleet: Fleet) -> None:
    fleet.groups.define(Group("mitte", "Mitte", "district=Innenstadt"), scope=ADMIN)
    fleet.groups.define(Group("first", "First", None, ("node-hofgarten", "node-markt")), scope=ADMIN)
    assert fleet.groups.members("mitte") == ["node-markt"]
    fleet.registry.replace("node-markt", "node-spare", LATER_S, scope=ADMIN)
    assert fleet.groups.members("mitte") == ["node-spare"]
    assert fleet.groups.members("first") == ["node-hofgarten", "node-markt"]
    assert fleet.groups.groups_of("node-markt") == ["first"]
    fleet.registry.admit("node-markt", "decommissioned", scope=ADMIN)
    assert fleet.groups.members("first") == ["node-hofgarten"]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("node=node-*", ["node-hofgarten", "node-markt", "node-spare"]),
        ("admission=accepted and not district=Nord", ["node-markt"]),
        ("tag=air or site=hof*", ["node-hofgarten", "node-spare"]),
        ("tag != air and (site=markt or site=hofgarten)", ["node-hofgarten", "node-markt"]),
        ('district="Innenstadt"', ["node-markt"]),
        ("site-tag=park", ["node-hofgarten"]),
        ("release=7", []),
    ],
)
def test_question_finds_nodes(fleet: Fleet, question: str, found: list[str]) -> None:
    fleet.registry.tag("node-spare", ["air", "new", "air"], scope=ADMIN)
    fleet.registry.change_site(fleet.registry.site("hofgarten")._replace(tags=("park",)), scope=ADMIN)
    assert fleet.groups.select(question) == found


@pytest.mark.parametrize(
    ("question", "got"),
    [
        ("district", "'district', which breaks at column 1"),
        ("district=Nord and", "'district=Nord and', which breaks at column 18"),
        ("district=Nord)", "which breaks at column 14"),
        ("tag=a and colour=red", "got colour at column 11"),
        ("", "'', which breaks at column 1"),
    ],
)
def test_question_that_cannot_be_read_names_the_column(fleet: Fleet, question: str, got: str) -> None:
    with pytest.raises(UsageError) as caught:
        fleet.groups.define(Group("g", "G", question), scope=ADMIN)
    assert got in str(caught.value)
    assert fleet.groups.groups() == []


def test_static_group_takes_registered_nodes_only(fleet: Fleet) -> None:
    with pytest.raises(UsageError, match="expected a registered node, got 'nobody'"):
        fleet.groups.define(Group("g", "G", None, ("nobody",)), scope=ADMIN)


def test_maintenance_ends_by_itself_and_can_end_early(fleet: Fleet) -> None:
    visits = fleet.visits
    visits.start_maintenance("node-markt", 30, "clean the inlet", 1_000_000, scope=TECHNICIAN)
    assert list(visits.in_maintenance(1_000_000 + 30 * 60_000 - 1)) == ["node-markt"]
    assert visits.in_maintenance(1_000_000 + 30 * 60_000) == {}
    assert visits.end_maintenance("node-markt", 1_060_000, scope=TECHNICIAN)
    assert visits.in_maintenance(1_060_000) == {}
    assert not visits.end_maintenance("node-markt", 1_070_000, scope=TECHNICIAN)
    (kept,) = visits.maintenances("node-markt")
    assert (kept.since_ms, kept.until_ms, kept.actor, kept.reason) == (1_000_000, 1_060_000, "tom", "clean the inlet")


def test_visit_log_answers_for_a_site_and_for_a_node(fleet: Fleet) -> None:
    fleet.visits.note("markt", "looked", 1, scope=TECHNICIAN)
    fleet.visits.note("hofgarten", "replaced the fan", 2, scope=TECHNICIAN, node="node-hofgarten")
    assert [(v.site, v.node, v.note, v.actor) for v in fleet.visits.visits()] == [
        ("hofgarten", "node-hofgarten", "replaced the fan", "tom"),
        ("markt", None, "looked", "tom"),
    ]
    assert [v.note for v in fleet.visits.visits(site="markt")] == ["looked"]
    assert [v.note for v in fleet.visits.visits(node="node-hofgarten")] == ["replaced the fan"]
    with pytest.raises(UsageError, match="expected a known site, got 'moon'"):
        fleet.visits.note("moon", "looked", 1, scope=TECHNICIAN)
