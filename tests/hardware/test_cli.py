"""`citynode hardware`: what is printed, as tables, JSON and files, and the exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


def citynode(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `citynode hardware` as a process."""
    command = [sys.executable, "-m", "device_manager.cli", "hardware", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)


def test_list_names_boards_sensors_and_designs() -> None:
    rows = json.loads(citynode("list", "--json").stdout)
    assert {(row["kind"], row["name"]) for row in rows} >= {
        ("design", "plaza"), ("board", "esp32-devkitc"), ("sensor", "sen66"),
    }  # fmt: skip
    assert all(row["title"] and row["source"] for row in rows)


def test_check_of_all_designs_passes() -> None:
    done = citynode("check", "--all")
    assert (done.returncode, done.stdout) == (0, "gate: fit to build\nplaza: fit to build\nstreet: fit to build\n")
    assert json.loads(citynode("check", "plaza", "--json").stdout) == {"plaza": []}


@pytest.mark.parametrize("command", ["check", "wiring", "bom", "power"])
def test_unknown_design_is_a_wrong_call(command: str) -> None:
    done = citynode(command, "tower")
    assert done.returncode == 2
    expected = "expected a design of gate, plaza, street, got tower; see `citynode hardware list`"
    assert done.stderr == f"citynode: {expected}\n"


def test_check_of_a_design_and_all_is_a_wrong_call() -> None:
    assert (
        citynode("check", "plaza", "--all").stderr == "citynode: expected a design or --all, got both; leave one out\n"
    )


def test_wiring_is_written_to_a_file_or_to_standard_output(tmp_path: Path) -> None:
    file = tmp_path / "plaza.svg"
    assert citynode("wiring", "plaza", "-o", str(file)).returncode == 0
    assert file.read_text("utf-8") == citynode("wiring", "plaza").stdout


def test_bom_is_markdown_csv_or_json() -> None:
    assert citynode("bom", "gate").stdout.startswith("# Parts list: Gate")
    assert citynode("bom", "gate", "--csv").stdout.startswith("count,part,purpose,document\n1,Espressif")
    assert json.loads(citynode("bom", "gate", "--json").stdout)[1]["purpose"] == "sensor people"


def test_power_prints_modes_and_says_what_is_not_known() -> None:
    done = citynode("power", "gate")
    assert done.stdout.splitlines()[0] == "mode\t3V3 mA\t5V mA\tW"
    assert done.stdout.splitlines()[-1] == "peak\t379.0\t379.0\t1.9"
    assert "not known: people (vl53l1x): peak current" in done.stderr
    assert json.loads(citynode("power", "gate", "--json").stdout)["draws"][0]["mode"] == "idle"


def test_flash_prints_days_of_every_design() -> None:
    rows = {row["design"]: row for row in json.loads(citynode("flash", "--json").stdout)}
    assert {name: round(row["days"]) for name, row in rows.items()} == {"gate": 63, "plaza": 55, "street": 66}
    assert citynode("flash").stdout.splitlines()[0].startswith("design\tboard\tchannels")
