"""The virtual time of a fleet that no PC can be too slow for: it passes once every node has done what was due.

    pacer = Pacer(began_s)
    {"pacer": [pacer.port, "node-01"]}    in virtual.json, see firmware/virtual/paced_time.py
    pacer.expect()                        a node was started: time waits until it has said who it is
    pacer.step(2.0)                       so much time passes; returns when all have lived it
    pacer.hang("node-01")                 a process that stands still is not waited for

It is the fleet's `Clock` port too.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import time

NAME_BYTES = 32
MOMENT = struct.Struct("<Q")
PATIENCE_S = 90.0


class Pacer:
    """One server, one connection a node."""

    def __init__(self, began_s: float) -> None:
        self._now_us = int(1_000_000 * began_s)
        self._server = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = int(self._server.getsockname()[1])
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server, selectors.EVENT_READ)
        self._names: dict[socket.socket, str] = {}
        self._awaited: set[socket.socket] = set()
        self._expected = 0

    def now_ms(self) -> int:
        """Return Unix ms."""
        return self._now_us // 1000

    def close(self) -> None:
        """End all connections."""
        for link in list(self._names):
            self._forget(link)
        self._selector.close()
        self._server.close()

    def expect(self) -> None:
        """Wait for one more node."""
        self._expected += 1

    def hang(self, name: str) -> None:
        """Wait no longer for a node that stands still."""
        for link in [link for link, mine in self._names.items() if mine == name]:
            self._forget(link)

    def step(self, seconds: float) -> None:
        """Let time pass; TimeoutError names who has not lived it after PATIENCE_S."""
        self.settle()
        self._now_us += int(1_000_000 * seconds)
        for link in list(self._names):
            self._grant(link)
        self.settle()

    def settle(self) -> None:
        """Wait until all that run wait."""
        end_s = time.monotonic() + PATIENCE_S
        while self._expected or self._awaited:
            if time.monotonic() > end_s:
                late = [self._names[link] for link in self._awaited]
                raise TimeoutError(f"expected all nodes to go on; got nothing of {late}, {self._expected} not started")
            for key, _ in self._selector.select(1.0):
                if key.fileobj is self._server:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._hear(key.fileobj)

    def _accept(self) -> None:
        link, _ = self._server.accept()
        self._names[link] = link.recv(NAME_BYTES, socket.MSG_WAITALL).rstrip(b"\0").decode("ascii")
        self._selector.register(link, selectors.EVENT_READ)
        self._expected -= 1
        self._grant(link)

    def _grant(self, link: socket.socket) -> None:
        self._awaited.add(link)
        with contextlib.suppress(OSError):  # one that has ended is found so when it is read
            link.sendall(MOMENT.pack(self._now_us))

    def _hear(self, link: socket.socket) -> None:
        try:
            said = link.recv(MOMENT.size, socket.MSG_WAITALL)
        except OSError:
            said = b""
        if not said:
            self._forget(link)
        elif MOMENT.unpack(said)[0] >= self._now_us:
            self._awaited.discard(link)

    def _forget(self, link: socket.socket) -> None:
        self._awaited.discard(link)
        self._names.pop(link, None)
        self._selector.unregister(link)
        link.close()
