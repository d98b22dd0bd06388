"""The command line as a person meets it: run as a program, judged by what it prints and how it ends."""

import csv
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device_manager import app
from device_manager.cli import main
from device_manager.cli.data import moment
from device_manager.cli.lazy import COMMANDS, load
from device_manager.errors import UsageError
from device_manager.fleet import local, open_fleet
from device_manager.settings import Timing
from tests.device_manager.running import exists

Citynode = Callable[..., "subprocess.CompletedProcess[str]"]
COMMAND = [sys.executable, "-m", "device_manager.cli"]
ROOT = Path(__file__).parents[2]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **more}


@pytest.fixture
def citynode(tmp_path: Path) -> Citynode:
    """Run citynode with its data in tmp_path/data."""

    def run(*arguments: str, timeout_s: float = 120, **more: str) -> "subprocess.CompletedProcess[str]":
        variables = environment(CITYNODE_DATA=str(tmp_path / "data"), **more)
        return subprocess.run(
            [*COMMAND, *arguments], capture_output=True, text=True, timeout=timeout_s, env=variables, cwd=tmp_path
        )

    return run


@pytest.fixture
def initialised(called: Citynode, free_port: int) -> Citynode:
    assert called("init", "--port", str(free_port)).returncode == 0
    return called


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Citynode:
    """Call citynode in this process, which saves the second that a program takes to start; data in tmp_path/data."""
    monkeypatch.setenv("CITYNODE_DATA", str(tmp_path / "data"))

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        monkeypatch.setattr(sys, "argv", ["citynode", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        code = left.value.code if isinstance(left.value.code, int) else int(left.value.code is not None)
        return subprocess.CompletedProcess(arguments, code, *capfd.readouterr())

    return run


def error_line(done: "subprocess.CompletedProcess[str]") -> str:
    """Return the one line that a failed command printed."""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert done.stdout == ""
    return lines[0]


def test_help_is_fast_and_names_every_command(citynode: Citynode) -> None:
    times_s = []
    for _ in range(3):
        before = os.times()
        done = citynode("--help")
        after = os.times()
        times_s.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert done.returncode == 0
    commands = re.findall(r"\n  (\w+) ", done.stdout.partition("Commands:")[2])
    assert {"demo", "init", "serve", "node", "site", "data"} <= set(commands)
    assert min(times_s) < 0.3  # processor time, because other tests run beside this one


def test_help_imports_no_service() -> None:
    source = "import sys, device_manager.cli; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, env=environment(), cwd=ROOT)
    heavy = {"numpy", "sqlalchemy", "cryptography", "paho", "cbor2", "pyarrow", "iotcore", "rich"}
    assert heavy & set(done.stdout.split()) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_line_of_a_command_says_what_its_file_says(name: str) -> None:
    said = load(name).help or ""
    assert " ".join(said.split("\n\n")[0].split()) == COMMANDS[name]


def test_calling_a_command_loads_no_other() -> None:
    source = "import sys, device_manager.cli.lazy as l; l.load('node'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, env=environment(), cwd=ROOT)
    loaded = {name for name in done.stdout.split() if name.startswith("device_manager.cli.")}
    assert "device_manager.cli.node" in loaded
    assert not loaded & {"device_manager.cli.hardware", "device_manager.cli.data", "device_manager.cli.provision"}


@pytest.mark.parametrize("command", ["demo", "init", "serve", "node list", "node show", "node add", "node simulate",
                                     "site list", "site add", "data tail", "data export"])  # fmt: skip
def test_every_command_explains_every_option(citynode: Citynode, command: str) -> None:
    done = citynode(*command.split(), "--help", COLUMNS="300")
    assert done.returncode == 0
    options = re.split(r"\n(?=  -)", done.stdout.partition("\nOptions:")[2])[1:]
    assert options
    assert [option for option in options if not re.match(r"  -\S.*?\s\s+[A-Z]", option, re.DOTALL)] == []


def test_version_is_printed(citynode: Citynode) -> None:
    assert re.fullmatch(r"citynode \d+\.\d+\.\d+\n", citynode("--version").stdout)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["xyz"], "citynode: No such command 'xyz'; see `citynode --help`"),
        (["node", "xyz"], "citynode: No such command 'xyz'; see `citynode node --help`"),
        (["node", "show"], "citynode: Missing argument 'node'; see `citynode node show --help`"),
        (["data", "tail", "--xyz"], "citynode: No such option: --xyz; see `citynode data tail --help`"),
    ],
)
def test_wrong_call_is_one_line_and_code_2(citynode: Citynode, arguments: list[str], line: str) -> None:
    done = citynode(*arguments)
    assert error_line(done) == line
    assert done.returncode == 2


@pytest.mark.parametrize(
    "command", [["serve"], ["node", "list"], ["node", "show", "a-b"], ["site", "list"], ["data", "tail"],
                ["data", "export"], ["node", "add", "a-b", "--site", "c"], ["node", "simulate", "a-b"]],
)  # fmt: skip
def test_directory_not_initialised_is_one_line_and_code_2(called: Citynode, tmp_path: Path, command: list[str]) -> None:
    done = called(*command)
    expected = f"expected an initialised data directory, got no {tmp_path}/data/settings.toml; run `citynode init`"
    assert error_line(done).startswith(f"citynode: {expected}")
    assert done.returncode == 2


def test_init_makes_a_private_directory(citynode: Citynode, tmp_path: Path, free_port: int) -> None:
    done = citynode("init", "--port", str(free_port), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["broker"]["port"] == free_port
    data = tmp_path / "data"
    assert {path.name: path.stat().st_mode & 0o777 for path in data.iterdir()} == {
        "settings.toml": 0o600, "citynode.db": 0o600, "identities": 0o700, "broker": 0o700, "nodes": 0o700,
    }  # fmt: skip
    assert data.stat().st_mode & 0o777 == 0o700
    private = [path for path in data.rglob("*") if path.is_file() and path.suffix in (".key", ".db")]
    keys = {f"{name}.key" for name in ("broker", "ca", "issuer", "manager", "mirror", "twin")}
    assert {path.name for path in private} == {"citynode.db", *keys}
    assert {path.stat().st_mode & 0o077 for path in private} == {0}


def test_second_init_is_refused_and_changes_nothing(initialised: Citynode, tmp_path: Path) -> None:
    before = (tmp_path / "data" / "identities" / "ca.crt").read_bytes()
    done = initialised("init")
    assert "expected a new data directory, got an initialised one" in error_line(done)
    assert done.returncode == 2
    assert (tmp_path / "data" / "identities" / "ca.crt").read_bytes() == before


def test_init_in_a_directory_with_other_files_is_refused(called: Citynode, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.doc").write_text("years of work")
    assert "expected a new or empty directory, got files in" in error_line(called("init"))
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["thesis.doc"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--broker", "emqx"], "expected mosquitto or iotcore for broker.kind"),
        (["--port", "70000"], "expected 1 to 65535 for broker.port"),
        (["--host", "no such host"], "no such host"),
        (["--host", "192.0.2.1"], "name an address of this machine with --host"),
    ],
)
def test_init_with_a_wrong_choice_leaves_nothing_behind(
    called: Citynode, tmp_path: Path, options: list[str], expected: str
) -> None:
    done = called("init", *options)
    assert expected in error_line(done)
    assert done.returncode == 2
    assert not (tmp_path / "data").exists()


def test_init_takes_the_next_port_when_the_first_is_taken(called: Citynode) -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind(("127.0.0.1", 8883))
            holder.listen(1)
        except OSError:
            pass  # somebody else holds it, which is just as good
        done = called("init", "--json")
    assert 8883 < json.loads(done.stdout)["broker"]["port"] < 8983


def test_sites_and_nodes_are_added_and_listed(initialised: Citynode, tmp_path: Path) -> None:
    place = ("--latitude", "47.7298", "--longitude", "10.3133", "--title", "Hofgarten")
    assert initialised("site", "add", "hofgarten", *place).returncode == 0
    done = initialised("node", "add", "kempten-01", "--site", "hofgarten")
    assert done.stdout == f"added kempten-01 (plaza) at Hofgarten; its files are in {tmp_path}/data/nodes/kempten-01\n"
    assert json.loads(initialised("site", "list", "--json").stdout)[0]["node"] == "kempten-01"
    listed = json.loads(initialised("node", "list", "--json").stdout)
    assert [(row["node"], row["site"], row["state"], row["admission"]) for row in listed] == [
        ("kempten-01", "hofgarten", "never seen", "accepted")
    ]
    plain = initialised("node", "list").stdout.splitlines()
    assert plain[0].split("\t")[:3] == ["node", "site", "state"]
    assert plain[1].split("\t")[:3] == ["kempten-01", "Hofgarten", "never seen"]
    files = {p.name: p.stat().st_mode & 0o777 for p in (tmp_path / "data" / "nodes" / "kempten-01").iterdir()}
    kept = {"node.json", "virtual.json", "anchor.der", "certificate.der", "key.der", "orders.keys", "releases.keys"}
    assert set(files) == kept
    assert files["key.der"] == 0o600


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["node", "add", "Kempten", "--site", "hofgarten"], "expected a node id: 3 to 32 characters of a-z, 0-9 and -"),
        (["node", "add", "kempten-01", "--site", "hofgarten"], "expected a new node id, got 'kempten-01'; it is there"),
        (["node", "add", "kempten-02", "--site", "nowhere"], "expected a known site, got 'nowhere'; see"),
        (["node", "show", "kempten-99"], "expected a registered node, got 'kempten-99'; see `citynode node list`"),
        (["node", "simulate"], "expected either node ids or --count, got neither"),
        (["node", "simulate", "kempten-01", "--count", "1"], "expected either node ids or --count, got both"),
        (["node", "simulate", "--count", "5"], "expected enough virtual nodes, got 1 of 5; add more"),
        (["node", "simulate", "kempten-99"], "expected a registered node, got 'kempten-99'"),
        (["site", "add", "Hof", "--latitude", "1", "--longitude", "1"], "expected a site name: up to 64 of a-z"),
        (["site", "add", "hof", "--latitude", "100", "--longitude", "1"], "expected degrees north (-90 to 90)"),
        (["site", "add", "hofgarten", "--latitude", "1", "--longitude", "1"], "expected a new site, got 'hofgarten'"),
        (["data", "tail", "--node", "kempten-99"], "expected a registered node, got 'kempten-99'"),
        (["data", "tail", "--quantity", "smell"], "expected a known quantity, got 'smell'; use one of pm1, pm2_5"),
        (["data", "tail", "--since", "yesterday"], "expected a time, got 'yesterday'; write 30min, 6h, 7d or"),
        (["data", "export", "-o", "x.xlsx"], "expected a file ending in .csv, .jsonl or .parquet, got x.xlsx"),
    ],
)  # fmt: skip
def test_wrong_name_or_value_is_one_line_and_code_2(
    called: Citynode, fleet: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: str
) -> None:
    monkeypatch.setenv("CITYNODE_DATA", str(fleet))
    done = called(*arguments)
    assert expected in error_line(done)
    assert done.returncode == 2


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with one site and one node, for commands that change nothing."""
    made = app.initialise(tmp_path_factory.mktemp("fleet"), name="x", host="127.0.0.1", port=None, broker="iotcore")
    with open_fleet(made) as opened:
        site = opened.registry.add_site("hofgarten", "Hofgarten", 47.7298, 10.3133, 3.0, "", scope=local())
        opened.add_virtual_node("kempten-01", site, Timing(), time.time(), scope=local())
    return made.directory


def test_no_micropython_is_one_line(called: Citynode, fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITYNODE_MICROPYTHON", "/nonexistent/micropython")
    done = called("node", "simulate", "kempten-01", "--data", str(fleet))
    line = error_line(done)
    assert line.startswith("citynode: expected MicroPython 1.25 or newer, got no /nonexistent/micropython; install")
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("answer", "got"),
    [
        ("echo micropython 1 24 1", "got 1.24.1 in"),
        ("echo cpython 3 13 0", "is not MicroPython (cpython 3 13 0)"),
        ("exit 3", "is not MicroPython (no answer)"),
    ],
)
def test_unfit_micropython_is_one_line(called: Citynode, fleet: Path, tmp_path: Path, answer: str, got: str) -> None:
    program = tmp_path / "micropython"
    program.write_text(f"#!/bin/sh\n{answer}\n")
    program.chmod(0o755)
    for done in (
        called("node", "simulate", "kempten-01", "--data", str(fleet), "--micropython", str(program)),
        called("demo", "--micropython", str(program)),
    ):
        assert got in error_line(done)
        assert done.returncode == 2


class Serving:
    """A `citynode serve` process and its log."""

    def __init__(self, data: Path) -> None:
        self.log = data.parent / "serve.log"
        with self.log.open("w") as out:
            self.process = subprocess.Popen([*COMMAND, "serve", "--data", str(data)], stderr=out, env=environment())

    def wait_for(self, text: str, timeout_s: float = 120) -> None:
        deadline_s = time.monotonic() + timeout_s
        while text not in self.log.read_text():
            assert time.monotonic() < deadline_s, self.log.read_text()
            time.sleep(0.05)


@pytest.fixture
def start_serving(initialised: Citynode, tmp_path: Path) -> Iterator[Callable[[], Serving]]:
    """Start a manager and wait until it is ready; all are ended after the test."""
    started: list[Serving] = []

    def start() -> Serving:
        started.append(Serving(tmp_path / "data"))
        started[-1].wait_for("ready")
        return started[-1]

    yield start
    for manager in started:
        manager.process.kill()
        manager.process.wait()


@pytest.fixture
def serving(start_serving: Callable[[], Serving]) -> Serving:
    return start_serving()


def broker_pid(tmp_path: Path) -> int:
    return int((tmp_path / "data" / "broker.pid").read_text())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_cleanly_by_a_signal(serving: Serving, tmp_path: Path, number: int) -> None:
    pid = broker_pid(tmp_path)
    serving.process.send_signal(number)
    assert serving.process.wait(90) == 0
    assert "stopping" in serving.log.read_text()
    assert not exists(pid)
    assert not (tmp_path / "data" / "broker.pid").exists()


def test_serve_twice_on_one_directory_is_refused(serving: Serving, initialised: Citynode) -> None:
    done = initialised("serve")
    assert f"got process {serving.process.pid} runs one; use that one, or end it first" in error_line(done)
    assert done.returncode == 2


def test_serve_with_the_port_taken_is_one_line(initialised: Citynode, tmp_path: Path) -> None:
    text = (tmp_path / "data" / "settings.toml").read_text()
    port = int(text.partition("port = ")[2].split()[0])
    with socket.create_server(("127.0.0.1", port)):
        done = initialised("serve")
    assert f"expected 127.0.0.1 port {port} to be free, got Address already in use; stop what" in error_line(done)
    assert done.returncode == 2


def test_serve_says_that_the_broker_died_and_goes_on(serving: Serving, tmp_path: Path) -> None:
    os.kill(broker_pid(tmp_path), signal.SIGKILL)
    serving.wait_for("died (ended by SIGKILL); starting it again in 0.5 s")
    serving.wait_for("is back")
    assert serving.process.poll() is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a killed process")
def test_serve_killed_leaves_no_broker_and_starts_again(start_serving: Callable[[], Serving], tmp_path: Path) -> None:
    killed = start_serving()
    pid = broker_pid(tmp_path)
    killed.process.kill()
    killed.process.wait()
    again = start_serving()
    assert not exists(pid)
    again.process.terminate()
    assert again.process.wait(90) == 0


def test_export_of_an_empty_store_is_a_header_or_nothing(called: Citynode, fleet: Path) -> None:
    data = ("--data", str(fleet))
    assert list(csv.reader(io.StringIO(called("data", "export", *data).stdout)))[0][:3] == ["number", "node", "site"]
    assert called("data", "export", "--format", "jsonl", *data).stdout == ""
    assert called("data", "tail", "--json", *data).stdout == "[]\n"


def test_reader_of_a_pipe_may_leave_early(fleet: Path) -> None:
    command = f"{sys.executable} -m device_manager.cli data export --data {fleet} --format csv | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment())
    assert done.stderr == ""


def test_moments_are_read_as_people_write_them() -> None:
    now_s = 1_760_000_000.5
    assert moment("90s", now_s) == 1_759_999_910
    assert moment("30min", now_s) == 1_759_998_200
    assert moment("7d", now_s) == 1_759_395_200
    assert moment("2026-03-01T12:00Z", now_s) == 1_772_366_400
    assert moment("2026-03-01T12:00:00+01:00", now_s) == 1_772_362_800
    for text in ("", "7", "7 months", "2026-13-01", "-5min", "99999999999999999999d", "nan"):
        with pytest.raises(UsageError):
            moment(text, now_s)
