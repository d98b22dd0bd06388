"""What the README shows the twin team works as it stands there, against a running demo."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from hardware.catalog import quantities
from tests.conftest import ROOT
from tests.waiting import wait_for

README = (ROOT / "README.md").read_text("utf-8")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _consumer() -> str:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.S)
    return block


def test_the_consumer_of_the_readme_reads_a_running_demo(tmp_path: Path) -> None:
    data, script, output = tmp_path / "data", tmp_path / "consumer.py", tmp_path / "readings"
    script.write_text(_consumer(), "utf-8")
    main = "from device_manager.cli import main; main()"
    options = ["demo", "--nodes", "2", "--keep", str(data), "--record-seconds", "1", "--frame-seconds", "3"]
    demo = subprocess.Popen([sys.executable, "-c", main, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_for(lambda: (data / "broker.pid").exists())
        port = re.search(r"^port = (\d+)", (data / "settings.toml").read_text("utf-8"), re.M)
        assert port
        wait_for(lambda: _answers(int(port[1])))
        with output.open("w") as file:
            command = [sys.executable, str(script), str(data), port[1]]
            consumer = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, cwd=tmp_path)
        try:
            wait_for(lambda: len(output.read_text().splitlines()) > 200)
        finally:
            consumer.kill()
            consumer.wait()
    finally:
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=120)
    rows = [line.split() for line in output.read_text("utf-8").splitlines()[:200]]
    assert {row[0] for row in rows} == {"kempten-01", "kempten-02"}
    assert all(abs(int(row[1]) - time.time()) < 300 for row in rows)
    known = quantities()
    for _, _, quantity, value, unit in rows:
        low, high = known[quantity].range or (0, 1 << 29)
        assert low <= float(value) <= high, (quantity, value)
        assert unit == known[quantity].unit


def test_the_readme_names_only_commands_and_files_that_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    done = subprocess.run(
        [sys.executable, "-c", "from device_manager.cli import main; main()", "--help"], capture_output=True, text=True
    )
    for group in set(re.findall(r"^\$ citynode (\w+)", README, re.M)):
        assert f" {group} " in done.stdout, group
