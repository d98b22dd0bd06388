"""The register out of and into files: loss-free in TOML and CSV, and a broken file changes nothing."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_manager import exchange
from device_manager.errors import UsageError
from device_manager.fleet import Fleet
from device_manager.ports import Site
from device_manager.registry import csv_files, records, toml_files
from device_manager.registry.fields import ADMISSIONS, is_line
from device_manager.registry.groups import Group
from device_manager.registry.planning import plan
from device_manager.registry.records import NodeEntry, Snapshot, Stay
from tests.fakes.fleets import ADMIN, TECHNICIAN, empty_fleet, small_fleet

WORD = st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True)
NODE = st.from_regex(r"[a-z][a-z0-9-]{2,8}", fullmatch=True)
LINE = st.text(st.characters(codec="utf-8"), max_size=12).filter(is_line)
TAGS = st.lists(WORD, max_size=3).map(lambda words: tuple(sorted(set(words))))


def number(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, exclude_max=True)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    sites = {
        name: Site(
            *(0, name, draw(LINE), draw(number(-90, 90)), draw(number(-180, 180)), draw(number(-100, 1000))),
            *(draw(LINE), draw(st.sampled_from(["Europe/Berlin", "UTC", "Asia/Kolkata"]))),
            *(draw(st.none() | number(0, 360)), draw(LINE), draw(st.sampled_from(["", "_a.b-1"])), draw(TAGS)),
        )
        for name in draw(st.sets(WORD, min_size=1, max_size=3))
    }
    nodes = {}
    for name in draw(st.sets(NODE, max_size=3)):
        times = sorted(draw(st.sets(st.integers(0, 4_000_000_000), max_size=5)))
        ends = [*times[1:], None][: len(times)]
        pairs = [pair for pair in zip(times, ends, strict=True) if pair[1] is None or draw(st.booleans())]
        stays = tuple(Stay(draw(st.sampled_from(sorted(sites))), *pair) for pair in pairs)
        added_ms = draw(st.integers(0, 4_000_000_000_000))
        nodes[name] = NodeEntry(name, draw(st.sampled_from(ADMISSIONS)), added_ms, draw(TAGS), stays)
    groups = {}
    for name in draw(st.sets(WORD, max_size=2)):
        asked = draw(st.sampled_from([None, 'tag=a and not district="S\\"ü*d"', "node=x*"]))
        listed = () if asked or not nodes else tuple(sorted(draw(st.sets(st.sampled_from(sorted(nodes))))))
        groups[name] = Group(name, draw(LINE), asked, listed)
    return Snapshot(sites, nodes, groups)


@given(snapshots(), st.sampled_from(["toml", "csv"]))
@settings(max_examples=80, deadline=None)
def test_files_lose_nothing(held: Snapshot, form: str) -> None:
    files = toml_files if form == "toml" else csv_files
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.texts(records.tables(held)).items():
            path = Path(folder) / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8", newline="")
        assert records.snapshot(files.records(Path(folder))) == held


@given(snapshots(), snapshots(), st.sampled_from(["toml", "csv"]))
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_export_applied_to_an_empty_fleet_makes_the_same_fleet(a: Snapshot, b: Snapshot, form: str) -> None:
    with tempfile.TemporaryDirectory() as folder, empty_fleet(Path(folder) / "a") as first:
        made = plan(exchange.held(first), a, remove_groups=True)
        first.registry.apply(made.changes, scope=ADMIN)
        first.groups.apply(made.groups, [], scope=ADMIN)
        assert exchange.held(first) == a
        exchange.export(first, Path(folder) / "files", form)
        with empty_fleet(Path(folder) / "b") as second:
            exchange.apply(second, Path(folder) / "files", scope=ADMIN)
            assert exchange.held(second) == a
            assert exchange.planned(second, Path(folder) / "files").lines == []


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with small_fleet(tmp_path / "data") as fleet:
        fleet.groups.define(Group("all", "All", "node=*"), scope=ADMIN)
        yield fleet


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


BROKEN = [
    ("toml", "sites/markt.toml", "latitude = 47.726", "latitude = 147.726", "line 2, column 12"),
    ("toml", "sites/markt.toml", "latitude = 47.726", "latitude = north", "line 2, column 12"),
    ("toml", "sites/markt.toml", "latitude = 47.726", 'latitude = "47.726"', "line 2, column 12"),
    ("toml", "sites/markt.toml", "latitude = 47.726\n", "", "line 1, column 1"),
    ("toml", "sites/markt.toml", "latitude = 47.726", "latitude = 47.726\ncolour = 1", "line 3, column 10"),
    ("toml", "sites/markt.toml", 'zone = "Europe/Berlin"', 'zone = "Mars"', "line 7, column 8"),
    ("toml", "nodes/node-spare.toml", '"pending"', '"perhaps"', "line 1, column 13"),
    ("toml", "nodes/node-markt.toml", 'site = "markt"', 'site = "moon"', "line 6, column 8"),
    ("toml", "nodes/node-markt.toml", "since = 2026", "since = 1926", "line 7, column 9"),
    ("toml", "groups/all.toml", "node=*", "node=*)", "line 2, column 9"),
    ("csv", "sites.csv", "47.726", "north", "line 2, column 3 (latitude)"),
    ("csv", "sites.csv", ",10.316", "", "line 2, column 11"),
    ("csv", "sites.csv", "longitude", "colour", "line 1, column 4"),
    ("csv", "nodes.csv", "pending", "perhaps", "line 4, column 2 (admission)"),
    ("csv", "stays.csv", "node-markt", "node-moon", "line 3, column 1 (node)"),
    ("csv", "stays.csv", "2026", "26", "line 2, column 3 (since)"),
    ("csv", "groups.csv", "All", '"All', "line 2, column 1"),
]


@pytest.mark.parametrize(("form", "name", "old", "new", "place"), BROKEN)
def test_broken_file_names_line_and_column_and_changes_nothing(
    fleet: Fleet, tmp_path: Path, form: str, name: str, old: str, new: str, place: str
) -> None:
    files, before = tmp_path / "files", exchange.held(fleet)
    exchange.export(fleet, files, form)
    first = "sites/hofgarten.toml" if form == "toml" else "sites.csv"  # what would change, and must not
    edit(files / first, "Hofgarten", "Garden")
    edit(files / name, old, new)
    with pytest.raises(UsageError) as caught:
        exchange.apply(fleet, files, scope=ADMIN)
    assert f"{files / name}, {place}" in str(caught.value)
    assert exchange.held(fleet) == before


def test_file_that_is_no_utf8_names_the_place(fleet: Fleet, tmp_path: Path) -> None:
    for form, name in (("toml", "sites/markt.toml"), ("csv", "sites.csv")):
        files = tmp_path / form
        exchange.export(fleet, files, form)
        data = (files / name).read_bytes().replace(b"Innenstadt", b"Altst\xe4dt")
        (files / name).write_bytes(data)
        with pytest.raises(UsageError, match=r"expected UTF-8, got .*, line \d, column \d+; correct it"):
            exchange.planned(fleet, files)


def test_plan_shows_what_apply_then_does(fleet: Fleet, tmp_path: Path) -> None:
    files = tmp_path / "files"
    exchange.export(fleet, files)
    edit(files / "sites" / "markt.toml", "height_m = 4.0", "height_m = 5\nheading_deg = 90.0")
    edit(files / "nodes" / "node-markt.toml", "tags = []", 'tags = ["new", "air"]')
    (files / "groups" / "all.toml").unlink()
    (files / "sites" / "hofgarten.toml").unlink()
    spare = (files / "nodes" / "node-spare.toml").read_text()
    stay = '\n[[stay]]\nsite = "markt"\nsince = 2026-03-01T00:00:00Z\n'
    (files / "nodes" / "node-spare.toml").write_text(spare + stay)
    planned = exchange.planned(fleet, files)
    assert planned.lines == [
        "~ site markt: height_m 4.0 -> 5.0",
        "~ site markt: heading_deg None -> 90.0",
        "~ node node-markt: tags - -> air new",
        "~ node node-spare hangs at markt from 1772323200",
        "- group all",
    ]
    assert planned.kept == ["site hofgarten"]
    assert exchange.apply(fleet, files, scope=ADMIN) == planned
    assert exchange.planned(fleet, files).lines == []
    assert fleet.registry.site("markt").heading_deg == 90.0
    assert [entry.action for entry in fleet.audit.entries(limit=4)] == [
        *("apply.group.remove", "apply.node.hang", "apply.node.change", "apply.site.change")
    ]


def test_history_is_not_changed_by_files(fleet: Fleet, tmp_path: Path) -> None:
    fleet.registry.replace("node-markt", "node-spare", 1_770_003_600, scope=TECHNICIAN)
    exchange.export(fleet, tmp_path)
    edit(tmp_path / "nodes" / "node-markt.toml", "until = 2026-02-02 03:40:00", "until = 2026-02-02 03:50:00")
    with pytest.raises(UsageError, match="expected the stays that node-markt had, got others"):
        exchange.apply(fleet, tmp_path, scope=ADMIN)


def test_one_csv_file_says_nothing_of_the_others(fleet: Fleet, tmp_path: Path) -> None:
    exchange.export(fleet, tmp_path, "csv")
    edit(tmp_path / "nodes.csv", "pending", "accepted")
    made = exchange.apply(fleet, tmp_path / "nodes.csv", scope=ADMIN)
    assert made.lines == ["~ node node-spare: admission 'pending' -> 'accepted'"]
    assert fleet.groups.members("all") == ["node-hofgarten", "node-markt", "node-spare"]
