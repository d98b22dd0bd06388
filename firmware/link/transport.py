"""A TCP or TLS connection that never blocks and never waits without a deadline.

asyncio's own streams are left aside for opening and writing: a connect that times out has to close its socket (a chip
has about ten), and what does not go out at once would be collected in a growing byte string.
"""

import asyncio
import select
import socket
from errno import EINPROGRESS

from firmware.wire import const

_POLL_MS = const(10)
_TCP = const(6)  # IPPROTO_TCP; not every port has the names
_TCP_NODELAY = const(1)


class LinkError(Exception):
    """The connection cannot go on; the text says why."""


class Transport:
    """One connection at a time; `clock` has ticks_ms and ticks_diff. Call `close` whatever happened."""

    def __init__(self, clock) -> None:
        self._clock = clock
        self._raw: socket.socket | None = None
        self._sock: socket.socket | None = None
        self.written_ms = 0  # when something went out last

    @property
    def is_open(self) -> bool:
        """True between `open` and `close`."""
        return self._sock is not None

    async def open(self, address: tuple, context, server_name: str, limit_ms: int) -> None:
        """Connect to (host, port), LinkError or OSError; with a TLS context the first write makes the handshake."""
        began = self._clock.ticks_ms()
        info = socket.getaddrinfo(address[0], address[1], 0, socket.SOCK_STREAM)[0]  # blocks for a name; an IP does not
        self._raw = self._sock = socket.socket(info[0], info[1], info[2])
        self._raw.setblocking(False)
        try:
            # Else a small packet waits until the one before is acknowledged, which the other side puts off by 40 ms.
            self._raw.setsockopt(_TCP, _TCP_NODELAY, 1)
        except OSError:
            pass  # this port cannot: it is slower so, and works
        try:
            self._raw.connect(info[-1])
        except OSError as error:
            if error.errno != EINPROGRESS:
                raise
        poller = select.poll()
        poller.register(self._raw, select.POLLOUT)
        while not poller.poll(0):
            await self._pause(began, limit_ms, "a TCP connection")
        if context is not None:
            self._sock = context.wrap_socket(self._raw, server_hostname=server_name, do_handshake_on_connect=False)
            self._sock.setblocking(False)

    def close(self) -> None:
        """Let go of the socket."""
        for sock in (self._sock, self._raw):
            if sock is not None:
                try:
                    sock.close()
                except OSError:
                    pass  # it is gone already, which is what we want
        self._sock = self._raw = None

    def stream(self) -> asyncio.StreamReader:
        """For the task that reads: `readinto` waits in asyncio's poller, and may return None."""
        return asyncio.StreamReader(self._sock)

    async def write(self, view: memoryview, limit_ms: int) -> None:
        """Write all of `view`; LinkError when the other side takes nothing for `limit_ms` in all."""
        began = self._clock.ticks_ms()
        while len(view):
            count = self._open_socket().write(view)
            if count:
                view = view[count:]
            else:
                await self._pause(began, limit_ms, "room for %d bytes" % len(view))
        self.written_ms = self._clock.ticks_ms()

    def write_now(self, data: bytes) -> bool:
        """Write `data` without waiting; False when nothing went out, LinkError when a part did."""
        count = self._open_socket().write(data)
        if not count:
            return False
        if count < len(data):
            raise LinkError("expected the link to take %d bytes, got a standstill after %d" % (len(data), count))
        self.written_ms = self._clock.ticks_ms()
        return True

    async def read(self, view: memoryview, limit_ms: int) -> int:
        """Read some bytes into `view`, return how many; LinkError when none come or the connection is closed."""
        began = self._clock.ticks_ms()
        while True:
            count = self._open_socket().readinto(view)
            if count:
                return count
            if count == 0:
                raise LinkError("expected an answer, got a closed connection")
            await self._pause(began, limit_ms, "an answer")

    def _open_socket(self) -> socket.socket:
        if self._sock is None:
            raise LinkError("expected an open connection, got a closed one")
        return self._sock

    async def _pause(self, began: int, limit_ms: int, what: str) -> None:
        if self._clock.ticks_diff(self._clock.ticks_ms(), began) > limit_ms:
            raise LinkError("expected %s within %d ms, got none" % (what, limit_ms))
        await asyncio.sleep_ms(_POLL_MS)


def describe(error: Exception) -> str:
    """One line about an exception of the link: OSError with its number, the others with their text."""
    if isinstance(error, OSError) and len(error.args) == 1:
        return "OSError %s" % error.args[0]
    return " ".join(str(argument) for argument in error.args) or type(error).__name__
