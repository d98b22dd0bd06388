"""hal.flash over the virtual esp32.Partition: NOR manners, size, and SIGKILL between two operations."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from pathlib import Path

from tests.conftest import Run, find_micropython, micropython_path

OPEN = "from firmware.hal.flash import Flash\nflash = Flash('outbox')\n"


def test_program_only_clears_bits_and_erase_sets_them(micropython: Run, tmp_path: Path) -> None:
    source = OPEN + (
        "buf = bytearray(4)\n"
        "flash.program(4094, b'\\xf0\\x0f\\x55\\xaa')\n"
        "flash.program(4094, b'\\x3c\\xff\\xff\\x00')\n"
        "flash.read(4094, buf); print(bytes(buf).hex())\n"
        "flash.erase(0)\n"
        "flash.read(4094, buf); print(bytes(buf).hex())\n"
    )
    done = micropython(source, cwd=tmp_path)
    assert done.stdout.split() == ["300f5500", "ffff5500"], done.stderr
    assert (tmp_path / "outbox.flash").read_bytes()[4094:4098].hex() == "ffff5500"


def test_partition_size_comes_from_virtual_json_once(micropython: Run, tmp_path: Path) -> None:
    (tmp_path / "virtual.json").write_text(json.dumps({"flash_bytes": 65536}), "utf-8")
    assert micropython(OPEN + "print(flash.size_bytes)", cwd=tmp_path).stdout == "65536\n"
    (tmp_path / "virtual.json").unlink()
    assert micropython(OPEN + "print(flash.size_bytes)", cwd=tmp_path).stdout == "65536\n"


def test_address_beyond_the_partition_is_refused(micropython: Run, tmp_path: Path) -> None:
    done = micropython(OPEN + "flash.program(flash.size_bytes - 1, b'ab')", cwd=tmp_path)
    assert "expected an address below 1048576, got 1048575 + 2" in done.stdout


def test_killed_process_loses_nothing_that_append_returned(tmp_path: Path) -> None:
    (tmp_path / "virtual.json").write_text(json.dumps({"flash_bytes": 65536}), "utf-8")
    source = OPEN + (
        "from firmware.outbox import Outbox\n"
        "outbox = Outbox(flash, lambda: 77)\n"
        "start = outbox.head\n"
        "for seq in range(start):\n"
        "    found = outbox.read(seq, bytearray(300))\n"
        "    assert found is None and seq < outbox.tail or found, seq\n"
        "print('opened', start)\n"
        "while True:\n"
        "    print(outbox.append(1, bytes(200), 200))\n"
    )
    last = -1
    environment = {**os.environ, "MICROPYPATH": micropython_path()}
    rng = random.Random(5)
    for _ in range(5):
        process = subprocess.Popen(
            [find_micropython(), "-c", source], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(40)]
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        lines += process.communicate()[0].split("\n")[:-1]
        opened, start = lines[0].split()
        assert opened == "opened"
        assert int(start) > last
        last = max([last, *(int(line) for line in lines[1:])])
    assert last > 100


def test_nvs_keeps_what_was_committed(micropython: Run, tmp_path: Path) -> None:
    source = (
        "from esp32 import NVS\nnvs = NVS('boot')\nnvs.set_i32('count', -5)\nnvs.set_blob('id', b'\\x00\\xff')\n"
        "nvs.commit()\nnvs.set_i32('count', 9)\nagain = NVS('boot')\nbuf = bytearray(4)\n"
        "print(again.get_i32('count'), again.get_blob('id', buf), bytes(buf).hex())\n"
        "again.erase_key('count')\n"
        "try:\n    again.get_i32('count')\nexcept OSError as error:\n    print(error.errno)\n"
    )
    assert micropython(source, cwd=tmp_path).stdout.split() == ["-5", "2", "00ff0000", "-4354"]
