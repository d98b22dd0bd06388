"""The clock and the time server, with a small server on this side."""

import socket
import struct
import threading
import time

import pytest

ERA_1970 = 2208988800
SCRIPT = """
import asyncio
from firmware.hal import ntp
print(asyncio.run(ntp.ask("127.0.0.1", 400, %d)))
"""


class TimeServer:
    """Answers every request by what `answer(request)` makes of it."""

    def __init__(self, answer) -> None:
        self._answer = answer
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        request, address = self._socket.recvfrom(100)
        self._socket.sendto(self._answer(request), address)


def reply(request: bytes, first: int = 0x24, stratum: int = 2, seconds: int = ERA_1970 + 1800000000) -> bytes:
    return bytes((first, stratum)) + bytes(22) + request[40:48] + bytes(8) + struct.pack(">II", seconds % (1 << 32), 0)


def ask(micropython, answer) -> str:
    return micropython(SCRIPT % TimeServer(answer).port).stdout.strip()


def test_time_of_a_good_server_is_taken(micropython):
    assert ask(micropython, reply) == "1800000000"


def test_time_after_2036_is_in_the_next_era(micropython):
    assert ask(micropython, lambda request: reply(request, seconds=ERA_1970 + 2100000000)) == "2100000000"


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: reply(request, stratum=0),
        lambda request: reply(request, first=0xE4),
        lambda request: reply(request, first=0x23),
        lambda request: reply(bytes(48)),
        lambda request: reply(request)[:40],
        lambda request: b"",
    ],
    ids=["kiss of death", "not synchronised", "not a server", "not our question", "cut short", "empty"],
)
def test_time_of_a_bad_answer_is_not_taken(micropython, answer):
    assert ask(micropython, answer) == "None"


def test_time_without_a_server_is_none_in_time(micropython, free_port):
    begun = time.monotonic()
    assert micropython(SCRIPT % free_port).stdout.strip() == "None"
    assert time.monotonic() - begun < 30


def test_clock_that_is_set_runs_on_from_there(micropython, tmp_path):
    (tmp_path / "virtual.json").write_text('{"clock": {"unix_s": 0}}')
    done = micropython("""
from firmware.hal.clock import Clock
clock = Clock()
print(clock.unix_s())
for moment in (1800000000, 1772323199, 1772323200, 1835395200, 2000000000):
    clock.set_unix_s(moment)
    print(clock.unix_s() - moment)
""", cwd=tmp_path)  # fmt: skip
    assert done.stdout.split() == ["None", "0", "0", "0", "0", "0"], done.stdout + done.stderr
