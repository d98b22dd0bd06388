"""Paced time: a node lives as far as the pacer lets it; what is due in between happens in its order."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import closing
from pathlib import Path

from tests.benchmarks.pacer import Pacer
from tests.conftest import find_micropython, micropython_path

BEGAN_S = 1_800_000_000
SCRIPT = f"""
import asyncio, time
def since():
    return int(time.time() - {BEGAN_S} + 0.5)
async def tick(what, seconds):
    for _ in range(3):
        await asyncio.sleep(seconds)
        print(what, since())
async def main():
    await asyncio.gather(tick("a", 100), tick("b", 160))
    time.sleep(50)
    began = time.ticks_ms()
    while time.ticks_diff(time.ticks_ms(), began) < 20:
        pass
    print("end", since())
asyncio.run(main())
"""


def test_an_hour_of_sleeps_passes_in_steps_and_in_order(tmp_path: Path) -> None:
    with closing(Pacer(BEGAN_S)) as pacer:
        (tmp_path / "virtual.json").write_text(json.dumps({"pacer": [pacer.port, "node"]}), "utf-8")
        pacer.expect()
        environment = {**os.environ, "MICROPYPATH": micropython_path()}
        node = subprocess.Popen(
            [find_micropython(), "-c", SCRIPT], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(270):
            pacer.step(2.0)
        assert node.communicate(timeout=90)[0].split("\n") == [
            "a 100", "b 160", "a 200", "a 300", "b 320", "b 480", "end 530", ""]  # fmt: skip
        assert pacer.now_ms() == 1000 * (BEGAN_S + 540)


def test_a_node_that_stands_still_is_not_waited_for(tmp_path: Path) -> None:
    with closing(Pacer(BEGAN_S)) as pacer:
        (tmp_path / "virtual.json").write_text(json.dumps({"pacer": [pacer.port, "node"]}), "utf-8")
        pacer.expect()
        script = "import time, sys\ntime.sleep(1)\nsys.stdin.readline()"
        node = subprocess.Popen(
            [find_micropython(), "-c", script], cwd=tmp_path, env={**os.environ, "MICROPYPATH": micropython_path()},
            stdin=subprocess.PIPE,
        )  # fmt: skip
        pacer.settle()
        pacer.hang("node")
        pacer.step(10.0)
        node.communicate(b"\n", timeout=90)
