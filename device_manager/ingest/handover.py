"""A bounded queue between the broker's thread and the ingest thread, cheap enough for every message."""

import threading
from collections import deque

from device_manager.ports import Incoming

_FULL_POLL_S = 0.05


class HandOver:
    """One side puts, the other takes batches; a full queue makes the putting side wait."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._waiting: deque[Incoming] = deque()
        self._ready = threading.Event()
        self._room = threading.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: Incoming) -> None:
        """Add a message; waits while the queue is full, drops it (unacknowledged) once the queue is closed."""
        while len(self._waiting) >= self._capacity and not self._closed:
            self._room.clear()
            self._room.wait(_FULL_POLL_S)
        if self._closed:
            return
        self._waiting.append(message)
        if not self._ready.is_set():
            self._ready.set()

    def wait(self, timeout_s: float) -> bool:
        """Return True as soon as something is there, False after `timeout_s`."""
        return self._ready.wait(timeout_s)

    def take(self, limit: int) -> list[Incoming]:
        """Return up to `limit` messages, oldest first, without waiting."""
        self._ready.clear()
        batch = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
        if self._waiting:
            self._ready.set()
        self._room.set()
        return batch

    def close(self) -> None:
        """Take nothing more; what is there can still be taken."""
        self._closed = True
        self._room.set()
        self._ready.set()
