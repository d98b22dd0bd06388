"""Asks a time server once (SNTP, RFC 4330) without blocking the other tasks; who asked sets the clock.

The answer is not authenticated, so it is checked for what can be checked: it comes from the asked address, answers our
request (the originate timestamp is a random number of ours), is synchronised and of a server. TLS then decides whether
the time was a lie: a certificate from the wrong century is refused.
"""

import asyncio
import os
import socket
import time

from micropython import const

PORT = 123
_PACKET_BYTES = const(48)
_CLIENT = const(0x23)  # no leap second known, version 4, mode 3
_SECONDS_1900_TO_1970 = const(2208988800)
_POLL_MS = const(50)


async def ask(host: str, deadline_ms: int = 3000, port: int = PORT) -> int | None:
    """Return Unix time in s from `host`, or None when no good answer came in time; resolving the name may block."""
    request = bytearray(_PACKET_BYTES)
    request[0] = _CLIENT
    request[40:48] = os.urandom(8)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        address = socket.getaddrinfo(host, port)[0][-1]
        sock.setblocking(False)
        sock.connect(address)
        sock.send(request)
        return await _answer(sock, request, deadline_ms)
    except OSError:
        return None
    finally:
        sock.close()


async def _answer(sock, request: bytearray, deadline_ms: int) -> int | None:
    started = time.ticks_ms()
    while time.ticks_diff(time.ticks_ms(), started) < deadline_ms:
        try:
            answer = sock.recv(_PACKET_BYTES)
        except OSError:
            answer = b""  # nothing yet (EAGAIN), or nobody there: the deadline decides
        if len(answer) == _PACKET_BYTES and _is_good(answer, request):
            return _unix_s(answer)
        await asyncio.sleep_ms(_POLL_MS)
    return None


def _is_good(answer: bytes, request: bytearray) -> bool:
    synchronised = answer[0] >> 6 != 3 and 1 <= answer[1] <= 15  # stratum 0 is a "kiss of death"
    return synchronised and answer[0] & 7 == 4 and answer[24:32] == request[40:48]


def _unix_s(answer: bytes) -> int:
    seconds = int.from_bytes(answer[40:44], "big")
    era = 0 if seconds & 0x80000000 else 1 << 32  # the counter of 1900 runs over in February 2036
    return seconds + era - _SECONDS_1900_TO_1970
