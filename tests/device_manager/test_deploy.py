"""Units and compose file name commands and options that there are."""

import configparser
import shlex
from pathlib import Path

import pytest
import yaml

from device_manager.cli.lazy import load
from tests.conftest import ROOT

DEPLOY = ROOT / "device_manager" / "deploy"
DAILY = DEPLOY / "citynode-daily.service"
UNITS = sorted(set(DEPLOY.glob("*.service")) - {DAILY})


def check(words: list[str]) -> None:
    """Assert that a command line would be understood."""
    assert Path(words[0]).name == "citynode"
    command = load(words[1])
    command.make_context(words[1], words[2:], resilient_parsing=False)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_unit_starts_a_command_that_there_is_and_stops_it_in_order(unit: Path) -> None:
    parser = configparser.ConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys are case-sensitive
    parser.read(unit)
    service = parser["Service"]
    check(shlex.split(service["ExecStart"]))
    assert (service["Restart"], service["KillMode"]) == ("always", "mixed")


def test_timer_starts_what_is_due_once_a_day() -> None:
    lines = DAILY.read_text().splitlines()
    commands = [shlex.split(line.partition("=")[2].lstrip("-")) for line in lines if line.startswith("ExecStart=")]
    for words in commands:
        check(words)
    assert [words[1:] for words in commands] == [["store", "daily"]]
    assert DAILY.with_suffix(".timer").exists()  # a timer starts the service of its own name


def test_compose_file_describes_both_shapes() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    shapes = {shape: {name for name, s in services.items() if shape in s["profiles"]} for shape in ("one", "many")}
    assert shapes == {"one": {"manager"}, "many": {"broker", "brain", "ingest", "web", "db"}}
    for name in ("manager", "broker", "brain", "ingest", "web"):
        check(shlex.split(services[name]["command"]))
