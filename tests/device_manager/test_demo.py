"""The demo as a person meets it: real nodes report, and nothing is left when it ends."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device_manager.demo.places import PLACES, choose
from device_manager.registry.fields import is_site_name
from tests.device_manager.running import exists
from tests.waiting import wait_for

COMMAND = [sys.executable, "-m", "device_manager.cli", "demo"]
FAST = ["--nodes", "3", "--record-seconds", "1", "--frame-seconds", "3"]
PROCESSES = 6  # broker, dashboard, open interfaces, three nodes
ROOT = Path(__file__).parents[2]


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The directory in which the demo makes its own."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    return directory


def environment(temporary: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}


def descendants(pid: int) -> set[int]:
    """Return the processes below `pid`."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, waiting = set(), [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found.update(below)
        waiting += below
    return found


@pytest.fixture
def start(temporary: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start a demo whose output is piped; it is killed after the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> "subprocess.Popen[str]":
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen([*COMMAND, *arguments], text=True, env=environment(temporary), **pipes))  # type: ignore[call-overload]
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_demo_ends_by_itself_with_all_nodes_reporting_and_nothing_left(
    start: Callable[..., "subprocess.Popen[str]"], temporary: Path
) -> None:
    process = start(*FAST, "--seconds", "10", "--json")
    wait_for(lambda: len(descendants(process.pid)) == PROCESSES)
    left = descendants(process.pid)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert errors == ""
    rows = json.loads(output)
    assert [row["site"] for row in rows] == ["Residenzplatz", "Hildegardplatz", "Hofgarten"]
    for row in rows:
        assert row["frames"] > 0
        assert row["lost"] == 0
        assert 0 < row["bytes_per_value"] < 10
    plaza, street, gate = (set(row["values"]) for row in rows)
    assert {"pm2_5", "co2", "laeq", "lafmin"} <= street == plaza - {"footfall_in", "footfall_out"}
    assert gate == {"footfall_in", "footfall_out"} < plaza
    assert rows[0]["values"]["temperature"]["unit"] == "Cel"
    assert [pid for pid in left if exists(pid)] == []
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_demo_ended_by_a_signal_leaves_nothing(
    start: Callable[..., "subprocess.Popen[str]"], temporary: Path, number: int
) -> None:
    process = start(*FAST)
    wait_for(lambda: len(descendants(process.pid)) == PROCESSES)
    left = descendants(process.pid)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    assert errors.splitlines()[-1] == "ended; no process is left"
    assert "records of 1 s and frames of 3 s here; nodes in the field take 60 s and 300 s" in errors
    assert [pid for pid in left if exists(pid)] == []
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a killed process")
def test_demo_killed_leaves_no_process(start: Callable[..., "subprocess.Popen[str]"]) -> None:
    process = start(*FAST)
    wait_for(lambda: len(descendants(process.pid)) == PROCESSES)
    left = descendants(process.pid)
    process.kill()
    process.wait()
    wait_for(lambda: not any(exists(pid) for pid in left))


@pytest.mark.slow
def test_demo_on_iotcore_reports_and_says_that_nobody_is_checked(
    start: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    process = start(*FAST, "--seconds", "9", "--broker", "iotcore", "--keep", str(tmp_path / "kept"))
    output, errors = process.communicate(timeout=120)
    assert "iotcore checks nobody, so it listens on 127.0.0.1 only" in errors
    assert "kempten-03 at Hofgarten reports" in errors
    assert output.splitlines()[0].startswith("site\tnode\tstate\tPM2.5 µg/m³")
    listed = [sys.executable, "-m", "device_manager.cli", "node", "list", "--data", str(tmp_path / "kept"), "--json"]
    rows = json.loads(subprocess.run(listed, capture_output=True, text=True, env=environment(tmp_path)).stdout)
    assert [row["frames"] > 0 for row in rows] == [True, True, True]


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "wide"), [(80, False), (140, True)])
def test_live_table_fits_the_terminal(temporary: Path, columns: int, wide: bool) -> None:
    screen = on_terminal([*COMMAND, "--nodes", "2", "--seconds", "3"], columns, environment(temporary))
    assert "Residenzplatz" in screen
    assert ("kempten-01" in screen) is wide
    assert "Ctrl-C" in screen
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen).splitlines()
    assert max(len(line) for line in lines if not line.startswith("data directory")) <= columns


def on_terminal(command: list[str], columns: int, variables: dict[str, str]) -> str:
    """Run a command on a pseudo-terminal of that width and return all that it wrote."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, {**variables, "COLUMNS": str(columns), "LINES": "40", "TERM": "xterm"})
    written, deadline_s = b"", time.monotonic() + 120
    while time.monotonic() < deadline_s:
        if select.select([terminal], [], [], 1)[0]:
            try:
                written += os.read(terminal, 65_536)
            except OSError:  # its end of the terminal is closed
                break
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return written.decode()


def test_number_of_nodes_beyond_the_limit_is_one_line(start: Callable[..., "subprocess.Popen[str]"]) -> None:
    process = start("--nodes", "100000")
    _, errors = process.communicate(timeout=120)
    assert errors == "citynode: expected 1 to 200 nodes, got 100000; name another number with --nodes\n"
    assert process.returncode == 2


def test_places_have_valid_names_and_lie_in_kempten() -> None:
    places = choose(40)
    assert len({place.name for place in places}) == 40
    assert all(is_site_name(place.name) for place in places)
    assert all(47.70 < place.latitude < 47.74 and 10.29 < place.longitude < 10.34 for place in PLACES)
    assert len({place[2:] for place in PLACES}) == len(PLACES)
