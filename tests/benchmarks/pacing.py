"""Frames at a given rate through a broker into an ingest, and how long each took until a watermark covered it."""

from __future__ import annotations

import socket
import threading
import time
from collections import defaultdict, deque

import cbor2

from device_manager.database import Database
from tests.benchmarks.drain import Ingesting
from tests.benchmarks.ingest_sqlite import _packet, _text

TICK_S = 0.005
PATIENCE_S = 60.0


class Watching:
    """A subscriber of watermarks that notes when each frame was covered; written by hand to cost little."""

    def __init__(self, port: int) -> None:
        self.sent: defaultdict[int, deque[tuple[int, float]]] = defaultdict(deque)  # log -> (seq, moment)
        self.found_ms: list[float] = []
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.sendall(_packet(0x10, b"\x00\x04MQTT\x04\x02\x00\x00" + _text("watching")))
        self._read(4)
        self._socket.sendall(_packet(0x82, b"\x00\x01" + _text("citynode/1/+/down/watermark") + b"\x00"))
        self._read(5)
        threading.Thread(target=self._run, daemon=True).start()

    def _read(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            some = self._socket.recv(size - len(found))
            if not some:
                raise EOFError
            found += some
        return found

    def _run(self) -> None:
        try:
            while True:
                self._read(1)
                size, shift = 0, 0
                while True:
                    byte = self._read(1)[0]
                    size |= (byte & 127) << shift
                    shift += 7
                    if byte < 128:
                        break
                body = self._read(size)
                mark = cbor2.loads(body[2 + int.from_bytes(body[:2], "big") :])
                self._covered(mark[1], mark[2], time.perf_counter())
        except (OSError, EOFError):
            return

    def _covered(self, log: int, following: int, now: float) -> None:
        waiting = self.sent[log]
        while waiting and waiting[0][0] < following:
            self.found_ms.append(1000 * (now - waiting.popleft()[1]))

    def close(self) -> None:
        """End."""
        self._socket.close()


def latencies_ms(port: int, database: Database, messages: list[tuple[str, bytes]], rate: float) -> list[float]:
    """Publish `messages` (topic, frame) at `rate` a second and return all latencies, sorted."""
    ingesting, watching = Ingesting(port, database), Watching(port)
    heads = [cbor2.loads(payload)[1:3] for _, payload in messages]
    packets = [_packet(0x30, _text(topic) + payload) for topic, payload in messages]
    try:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(_packet(0x10, b"\x00\x04MQTT\x04\x02\x00\x00" + _text("pacing")))
            connection.recv(4)
            began, done = time.perf_counter(), 0
            while done < len(packets):
                due = min(len(packets), int((time.perf_counter() - began) * rate))
                now = time.perf_counter()
                for log, seq in heads[done:due]:
                    watching.sent[log].append((seq, now))
                connection.sendall(b"".join(packets[done:due]))
                done = due
                time.sleep(TICK_S)
        deadline = time.monotonic() + PATIENCE_S
        while len(watching.found_ms) < len(packets) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        watching.close()
        ingesting.stop()
    if len(watching.found_ms) < len(packets):
        raise RuntimeError(f"expected {len(packets)} frames covered, got {len(watching.found_ms)}")
    return sorted(watching.found_ms)
