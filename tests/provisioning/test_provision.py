"""From a blank virtual board to an accepted node, with every step broken off once."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from device_manager import app
from device_manager.errors import CitynodeError
from device_manager.fleet import open_fleet
from device_manager.identities import Authority
from device_manager.overview import shadow_of
from provisioning import runner
from provisioning.label import scan
from provisioning.plan import STEPS
from tests.conftest import ROOT
from tests.provisioning.bench import SECRET, admissions, make_bench, make_settings, order, workshop
from tests.waiting import wait_for

pytestmark = pytest.mark.slow


def frames(settings: object, node: str) -> int:
    with open_fleet(settings) as fleet:  # type: ignore[arg-type]
        return shadow_of(fleet.registry.node(node)).frames


def identities_without_node(settings: object) -> set[object]:
    issued = Authority.open(settings.identities).issued()  # type: ignore[attr-defined]
    return {row["name"] for row in issued if row["purpose"] == "node"} - set(admissions(settings))  # type: ignore[arg-type]


def test_blank_board_becomes_an_accepted_reporting_node_and_leaks_no_secret(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    settings = make_settings(tmp_path)
    said: list[str] = []
    with app.Manager(settings), make_bench(settings) as boards, workshop(settings) as shop:
        plan = runner.preview(boards.ports[0], order(), shop)
        assert [step.name for step in plan] == list(STEPS) and not any(step.done for step in plan)
        outcome = runner.provision(boards.ports[0], order(), shop, lambda step, text: said.append(f"{step} {text}"))
        assert outcome.node == "node-000001" and admissions(settings) == {"node-000001": "accepted"}
        assert {row.quantity for row in outcome.readings} == {"footfall_in", "footfall_out"}
        wait_for(lambda: frames(settings, "node-000001") > 0)
        again = runner.provision(boards.ports[0], order(), shop)
        assert again.node == "node-000001"
        key = (boards.directories[0] / "vfs" / "key.der").read_bytes()
    labels = sorted(path.name for path in (settings.directory / "labels").iterdir())
    assert labels == ["node-000001.pdf", "node-000001.png", "node-000001.svg"]
    assert scan("citynode:1:node-000001") == "node-000001"
    output = capfd.readouterr()
    assert SECRET not in output.out + output.err + "".join(said)
    check_secrets(settings.directory, key)
    assert list(temporary.iterdir()) == []


def check_secrets(data: Path, key: bytes) -> None:
    """Key and Wi-Fi password lie in the virtual board's own flash only, and nobody else can come near."""
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    for path in data.rglob("*"):
        if path.is_file() and "vfs" not in path.parts:
            content = path.read_bytes()
            assert SECRET.encode() not in content, path
            assert key not in content, path


def test_run_killed_at_each_step_goes_on_and_leaves_no_half_identity(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with app.Manager(settings), make_bench(settings) as boards:
        for step in STEPS:
            command = [
                sys.executable,
                "-m",
                "tests.provisioning.run_once",
                str(settings.directory),
                boards.ports[0],
                step,
            ]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ, check=False)
            assert done.returncode == -9, done.stderr[-2000:]
            assert identities_without_node(settings) == set()
            assert "accepted" not in admissions(settings).values() or step == "label"
        with workshop(settings) as shop:
            assert runner.provision(boards.ports[0], order(), shop).node == "node-000001"
    assert admissions(settings) == {"node-000001": "accepted"}


CASES = {
    "wrong chip": ({"chip": "ESP32-S3"}, "expected ESP32 for design gate, got ESP32-S3"),
    "too small flash": ({"flash_bytes": 2 << 20}, "expected 4 MB of flash, got 2 MB"),
    "loader not reached": ({"fault": "boot button"}, "hold BOOT while plugging in"),
    "full file system": ({"fault": "full"}, "expected room in the file system"),
}


@pytest.mark.parametrize("case", CASES)
def test_unfit_board_is_refused_with_what_to_do_and_gets_no_identity(tmp_path: Path, case: str) -> None:
    changes, message = CASES[case]
    settings = make_settings(tmp_path)
    with make_bench(settings, **changes) as boards, workshop(settings) as shop, pytest.raises(CitynodeError) as caught:
        runner.provision(boards.ports[0], order(), shop)
    assert message in str(caught.value)
    assert [row["name"] for row in Authority.open(settings.identities).issued() if row["purpose"] == "node"] == []
    assert "accepted" not in admissions(settings).values()


def test_changed_image_file_is_refused_before_the_board_is_written(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    image = next((settings.directory / "images").glob("*.bin"))
    image.write_bytes(image.read_bytes()[:-1] + b"\x00")
    with make_bench(settings) as boards, workshop(settings) as shop:
        with pytest.raises(CitynodeError, match="as it was added, got other bytes; run `citynode image add`"):
            runner.provision(boards.ports[0], order(), shop)
        assert set((boards.directories[0] / "flash.bin").read_bytes()) == {0xFF}


def test_unplugged_board_and_absent_broker_are_named_and_the_run_goes_on(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with make_bench(settings) as boards:
        with workshop(settings) as shop:

            def unplug(step: str, text: str) -> None:
                if step == "install" and text.startswith("app: "):
                    boards.unplug(0)

            with pytest.raises(CitynodeError, match="plug the board in again, and start the same command again"):
                runner.provision(boards.ports[0], order(), shop, unplug)
            with pytest.raises(CitynodeError, match="check the cable"):
                runner.provision(boards.ports[0], order(), shop)
            boards.plug(0)
            with pytest.raises(CitynodeError, match="expected a broker on 127.0.0.1.*start `citynode serve`"):
                runner.provision(boards.ports[0], order(), shop)
            assert admissions(settings) == {"node-000001": "pending"}
        with app.Manager(settings), workshop(settings) as shop:
            assert runner.provision(boards.ports[0], order(), shop).node == "node-000001"
    rows = [json.loads(line) for line in next((settings.directory / "provisioning").iterdir()).read_text().splitlines()]
    assert {row["step"] for row in rows if row["state"] == "failed"} == {"install", "contact"}


def test_two_boards_at_once_both_become_nodes(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with app.Manager(settings), make_bench(settings, 2) as boards, workshop(settings) as shop:
        outcomes = runner.provision_all(boards.ports, order(), shop, lambda *_: None)
    assert [outcome.node for outcome in outcomes] == ["node-000001", "node-000002"], outcomes
