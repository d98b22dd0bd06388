"""The wheel carries everything that runs: outside the checkout, from a read-only place, the demo works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

MAIN = "import firmware, sys; print(firmware.__file__, file=sys.stderr); from device_manager.cli import main; main()"


@pytest.mark.slow
def test_the_demo_runs_from_a_wheel_outside_the_checkout(tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (sources / name).parent.mkdir(parents=True, exist_ok=True)
            (sources / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--wheel-dir", str(tmp_path), str(sources)], check=True, timeout=300)
    (wheel,) = tmp_path.glob("citynode-*.whl")
    place = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(place)
    subprocess.run(["chmod", "-R", "a-w", str(place)], check=True)
    away = tmp_path / "away"
    away.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    options = ["demo", "--nodes", "2", "--seconds", "20", "--record-seconds", "1", "--frame-seconds", "3", "--json"]
    command = [sys.executable, "-c", MAIN, *options]
    done = subprocess.run(command, cwd=away, env=environment, capture_output=True, text=True, timeout=180)
    assert done.stderr.splitlines()[0].startswith(str(place)), done.stderr
    rows = json.loads(done.stdout)
    assert [row["frames"] > 0 for row in rows] == [True, True], done.stdout
