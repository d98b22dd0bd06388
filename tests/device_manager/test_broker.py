"""Brokers as processes: real mosquitto and real iotcore, killed, left behind, blocked, and stopped."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from device_manager.adapters import mosquitto, processes
from device_manager.adapters.broker_process import BrokerProcess
from device_manager.adapters.broker_supervisor import Supervisor
from device_manager.adapters.iotcore_broker import Iotcore
from device_manager.adapters.mosquitto import Mosquitto
from device_manager.errors import BrokerError, SetupError
from device_manager.identities import Authority
from device_manager.settings import BrokerSettings, Settings
from tests.device_manager.running import exists
from tests.waiting import wait_for

needs_mosquitto = pytest.mark.skipif(mosquitto.find() is None, reason="mosquitto is not installed")
KINDS = [pytest.param(Mosquitto, marks=needs_mosquitto), Iotcore]


@pytest.fixture
def make(tmp_path: Path, free_port: int) -> Callable[..., BrokerProcess]:
    def broker(kind: type[BrokerProcess], host: str = "127.0.0.1") -> BrokerProcess:
        settings = Settings(tmp_path, broker=BrokerSettings(kind.name, host, free_port))
        if not settings.identities.exists():
            Authority.create(settings.identities, settings.broker.names, time.time())
            settings.broker_directory.mkdir()
        return kind(settings)

    return broker


@pytest.mark.parametrize("kind", KINDS)
def test_broker_answers_after_start_and_is_gone_after_stop(
    make: Callable[..., Mosquitto], kind: type[Mosquitto]
) -> None:
    broker = make(kind)
    supervisor = Supervisor(broker)
    supervisor.start()
    pid = broker.pid
    assert pid is not None
    assert exists(pid)
    supervisor.stop()
    supervisor.stop()
    assert not exists(pid)
    assert not (broker.settings.directory / "broker.pid").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_broker_that_dies_is_started_again_and_it_is_said(
    make: Callable[..., Mosquitto], kind: type[Mosquitto], caplog: pytest.LogCaptureFixture
) -> None:
    broker = make(kind)
    supervisor = Supervisor(broker)
    supervisor.start()
    first = broker.pid
    assert first is not None
    with caplog.at_level(logging.INFO, "citynode.broker"):
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: f"broker {kind.name} is back" in caplog.text)
    assert broker.pid != first
    assert supervisor.restarts == 1
    assert f"broker {kind.name} died (ended by SIGKILL); starting it again in 0.5 s" in caplog.text
    supervisor.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_port_taken_is_one_line_that_names_it(make: Callable[..., Mosquitto], kind: type[Mosquitto]) -> None:
    broker = make(kind)
    port = broker.settings.broker.port
    with socket.create_server(("127.0.0.1", port)), pytest.raises(SetupError) as caught:
        Supervisor(broker).start()
    expected = f"expected 127.0.0.1 port {port} to be free, got Address already in use; stop what listens there"
    assert str(caught.value).startswith(expected)


@needs_mosquitto
def test_mosquitto_that_does_not_start_says_why(make: Callable[..., Mosquitto]) -> None:
    broker = make(Mosquitto)
    (broker.settings.identities / "broker.key").write_text("broken")
    with pytest.raises(BrokerError) as caught:
        Supervisor(broker).start()
    assert 'expected mosquitto to start, got Unable to load server key file "broker.key"' in str(caught.value)
    assert not broker.alive()


def test_missing_mosquitto_says_how_to_get_it(make: Callable[..., Mosquitto], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(mosquitto, "_PLACES", ())
    with pytest.raises(SetupError, match="no mosquitto on this machine; install it"):
        make(Mosquitto).prepare()


@pytest.mark.parametrize("host", ["0.0.0.0", "::1", "localhost", "192.0.2.1"])
def test_iotcore_refuses_every_host_but_loopback(make: Callable[..., Iotcore], host: str) -> None:
    with pytest.raises(SetupError) as caught:
        make(Iotcore, host).prepare()
    assert f"expected host 127.0.0.1 for the demo broker iotcore, got {host}" in str(caught.value)


@needs_mosquitto
def test_self_test_fails_on_a_broker_that_takes_anybody(make: Callable[..., Mosquitto]) -> None:
    broker = make(Mosquitto)
    broker.prepare()
    path = broker.directory / broker.configuration_name
    path.write_text(path.read_text().replace("require_certificate true\nuse_identity_as_username true\n", ""))
    broker.start()
    broker.wait_ready()
    with pytest.raises(BrokerError, match="refuse a foreign certificate, got it was accepted"):
        broker.self_test()
    broker.stop()


@needs_mosquitto
def test_broker_files_are_readable_by_the_broker_alone(make: Callable[..., Mosquitto]) -> None:
    broker = make(Mosquitto)
    supervisor = Supervisor(broker)
    supervisor.start()
    supervisor.stop()
    assert broker.directory.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in broker.directory.iterdir()}
    assert {"broker.key", "access", broker.configuration_name, "mosquitto.db"} <= set(modes)
    assert set(modes.values()) == {0o600}
    if os.geteuid() == 0:
        assert broker.directory.owner() == "mosquitto"


@needs_mosquitto
@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts mosquitto as another user")
def test_mosquitto_of_root_runs_as_its_own_user_below_a_closed_directory(make: Callable[..., Mosquitto]) -> None:
    broker = make(Mosquitto)
    broker.settings.directory.chmod(0o700)
    supervisor = Supervisor(broker)
    supervisor.start()
    assert Path(f"/proc/{broker.pid}").owner() == "mosquitto"
    supervisor.stop()


MANAGER = """
import sys, time
from pathlib import Path
from device_manager.adapters.broker_supervisor import Supervisor
from device_manager.adapters.{module} import {kind}
from device_manager.settings import BrokerSettings, Settings
broker = {kind}(Settings(Path(sys.argv[1]), broker=BrokerSettings("{name}", port=int(sys.argv[2]))))
Supervisor(broker).start()
print(broker.pid, flush=True)
time.sleep(60)
"""


def orphan(broker: BrokerProcess) -> int:
    """Start the broker from another process, kill that one, and return the broker's pid."""
    kind = type(broker)
    source = MANAGER.format(module=kind.__module__.rpartition(".")[2], kind=kind.__name__, name=kind.name)
    settings = broker.settings
    command = [sys.executable, "-c", source, str(settings.directory), str(settings.broker.port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as manager:
        assert manager.stdout is not None
        pid = int(manager.stdout.readline())
        manager.kill()
    return pid


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a killed process")
@pytest.mark.parametrize("kind", KINDS)
def test_broker_does_not_survive_the_kill_of_its_manager(make: Callable[..., Mosquitto], kind: type[Mosquitto]) -> None:
    pid = orphan(make(kind))
    wait_for(lambda: not exists(pid))


@needs_mosquitto
def test_broker_left_behind_is_ended_at_the_next_start(
    make: Callable[..., Mosquitto], caplog: pytest.LogCaptureFixture
) -> None:
    left = make(Mosquitto)
    left.prepare()
    left.start()
    left.wait_ready()
    supervisor = Supervisor(make(Mosquitto))
    supervisor.start()
    assert f"ended a broker that an earlier run left behind (process {left.pid})" in caplog.text
    assert not left.alive()
    supervisor.stop()


def test_recycled_pid_of_another_program_is_left_alone(tmp_path: Path) -> None:
    other = subprocess.Popen(["sleep", "30"])
    pid_file = tmp_path / "broker.pid"
    pid_file.write_text(f"{other.pid}\n")
    assert processes.stop_stale(pid_file, "mosquitto-12345678.conf") is None
    assert other.poll() is None
    assert not pid_file.exists()
    other.kill()
    other.wait()


@pytest.mark.parametrize("text", ["", "abc", "-1"])
def test_damaged_pid_file_is_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / "pid").write_text(text)
    assert processes.stop_stale(tmp_path / "pid", "x") is None


def test_process_that_ignores_the_polite_signal_is_ended_firmly(tmp_path: Path) -> None:
    source = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    process = processes.spawn([sys.executable, "-c", source], tmp_path, tmp_path / "log")
    wait_for(lambda: "ready" in (tmp_path / "log").read_text())
    processes.stop(process, grace_s=0.2)
    assert process.returncode == -signal.SIGKILL


def test_program_that_cannot_be_started_leaves_a_line_in_its_log(tmp_path: Path) -> None:
    process = processes.spawn(["/nonexistent/program"], tmp_path, tmp_path / "log")
    assert process.wait(90) == 1
    assert processes.last_lines(tmp_path / "log") == "/nonexistent/program: No such file or directory"


def test_log_that_grew_large_is_put_aside(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"x" * 10_000_001)
    processes.spawn(["/bin/echo", "new"], tmp_path, log).wait(90)
    assert log.read_text() == "new\n"
    assert (tmp_path / "log.1").stat().st_size == 10_000_001
