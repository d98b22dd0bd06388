"""The rules of the house that no linter knows: layout, documents, and what a node must never do."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.conftest import ROOT

TOP_LEVEL = {
    "README.md",
    "firmware",
    "device_manager",
    "hardware",
    "provisioning",
    "tests",
    "pyproject.toml",
    "LICENSE",
}
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")


def _sources(*folders: str) -> list[str]:
    return [name for name in TRACKED if name.endswith(".py") and name.split("/")[0] in folders]


def test_top_level_holds_only_the_fixed_rooms() -> None:
    assert {name.split("/")[0] for name in TRACKED if name and not name.startswith(".")} <= TOP_LEVEL


@pytest.mark.parametrize("folder", ["firmware", "device_manager", "hardware", "provisioning", "tests"])
def test_every_top_level_folder_explains_itself(folder: str) -> None:
    for document in ("README.md", "DECISIONS.md"):
        assert (ROOT / folder / document).stat().st_size > 200, f"{folder}/{document}"


@pytest.mark.parametrize("folder", ["firmware", "device_manager"])
def test_rooms_with_users_keep_a_changelog(folder: str) -> None:
    assert "## " in (ROOT / folder / "CHANGELOG.md").read_text("utf-8")


def test_every_module_begins_with_a_docstring() -> None:
    bare = []
    for name in _sources("firmware", "device_manager", "hardware", "provisioning", "tests"):
        lines = [line for line in (ROOT / name).read_text("utf-8").splitlines() if not line.startswith("#")]
        if not lines or not lines[0].startswith('"""'):
            bare.append(name)
    assert bare == []


def test_the_node_never_sniffs_nor_keeps_audio() -> None:
    """Law and promise: no promiscuous Wi-Fi, no Bluetooth scan, no sound file (see hardware and twin documents)."""
    forbidden = re.compile(r"promiscuous|sniff|gap_scan|\bimport (bluetooth|aioble|wave)\b|\.wav\b")
    found = [
        f"{name}: {line.strip()}"
        for name in _sources("firmware")
        for line in (ROOT / name).read_text("utf-8").splitlines()
        if forbidden.search(line)
    ]
    assert found == []


def test_only_hal_and_virtual_touch_the_chip() -> None:
    chip = re.compile(r"^\s*(import|from) (machine|network|esp32)\b")
    found = [
        name
        for name in _sources("firmware")
        if not name.startswith(("firmware/hal/", "firmware/virtual/"))
        and name != "firmware/boot.py"  # may not import the hal, which it judges
        and any(chip.match(line) for line in (ROOT / name).read_text("utf-8").splitlines())
    ]
    assert found == []


def test_the_rooms_of_the_firmware_import_only_the_contract() -> None:
    rooms = ("sensing", "outbox", "link", "update", "health", "trust")
    wrong = []
    for name in _sources("firmware"):
        room = name.split("/")[1]
        if room not in rooms:
            continue
        for other in re.findall(r"^\s*(?:from|import) (firmware\.\w+)", (ROOT / name).read_text("utf-8"), re.M):
            if other not in ("firmware.wire", f"firmware.{room}"):
                wrong.append(f"{name}: {other}")
    assert wrong == []


def test_sources_speak_of_the_project_alone() -> None:
    places = re.compile(r"(?<![\w.])/(work|root|home)/[a-z]|\.library|shared/(design|reference|data)|pypi\.org")
    found = []
    for name in filter(None, TRACKED):
        path = ROOT / name
        if (
            path.suffix in (".py", ".md", ".toml", ".yaml", ".cddl", ".json")
            and name != "tests/architecture/test_house.py"
        ):
            found += [
                f"{name}: {line.strip()[:80]}" for line in path.read_text("utf-8").splitlines() if places.search(line)
            ]
    assert found == []
