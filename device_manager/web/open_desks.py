"""Desks at which requests are answered at the same time, so that a slow one does not hold up the others.

They share one interpreter and one store: more desks make no request faster. The desk that was left last is taken first,
so that a follower who comes alone finds what was read ahead for it.
"""

import queue
from collections.abc import Iterator
from contextlib import contextmanager

from device_manager.twin.service import Twin

DESKS = 3
WAIT_S = 10.0


class Busy(Exception):
    """All desks were taken for too long."""


class Desks:
    """Twins that share what they know, each for one request at a time."""

    def __init__(self, twin: Twin, number: int = DESKS, wait_s: float = WAIT_S) -> None:
        self._free: queue.LifoQueue[Twin] = queue.LifoQueue()
        self._wait_s = wait_s
        for one in [*(twin.beside() for _ in range(number - 1)), twin]:
            self._free.put(one)

    @contextmanager
    def take(self) -> Iterator[Twin]:
        """Give a desk as soon as one is free; Busy when none is in time."""
        try:
            twin = self._free.get(timeout=self._wait_s)
        except queue.Empty:
            message = f"all desks were taken for {self._wait_s:.0f} s: come again in a moment"
            raise Busy(message) from None
        try:
            yield twin
        finally:
            self._free.put(twin)
