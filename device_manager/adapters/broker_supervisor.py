"""Keeps a broker alive: starts it, notices its death, starts it again with growing pauses, and says so.

    died -> pause 0.5 s -> start -> ready        (pause back to 0.5 s after it ran for 60 s)
                              `-> failed -> twice the pause, at most 30 s

The broker is anything with prepare, start, wait_ready, alive, last_words, complaints, stop and name (mosquitto,
iotcore). What it complains of is repeated in our log, the same words at most once a minute.
"""

import logging
import threading
import time
from typing import Protocol

from device_manager.errors import CitynodeError

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
SETTLED_S = 60.0
QUIET_S = 60.0
_POLL_S = 0.2

log = logging.getLogger("citynode.broker")


class Broker(Protocol):
    """A broker process that can be started again after it ended."""

    name: str

    def prepare(self) -> str | None: ...
    def start(self) -> None: ...
    def wait_ready(self) -> None: ...
    def alive(self) -> bool: ...
    def last_words(self) -> str: ...
    def complaints(self) -> list[str]: ...
    def stop(self) -> None: ...


class Supervisor:
    """Runs one broker from `start` to `stop`; `restarts` counts how often it had to be started again."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._said_s: dict[str, float] = {}
        self.restarts = self._seen_restarts = 0

    def start(self) -> None:
        """Start the broker and wait until it answers; raises the broker's own error when the first start fails."""
        note = self._broker.prepare()
        if note:
            log.warning(note)
        self._broker.start()
        try:
            self._broker.wait_ready()
        except CitynodeError:
            self._broker.stop()
            raise
        self._thread = threading.Thread(target=self._watch, name="broker-supervisor", daemon=True)
        self._thread.start()

    def was_away(self) -> bool:
        """True when the broker is away, or was since the last call."""
        seen, self._seen_restarts = self._seen_restarts, self.restarts
        return seen != self.restarts or not self._broker.alive()

    def stop(self) -> None:
        """Stop watching, then stop the broker. Safe to call twice."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._broker.stop()

    def _watch(self) -> None:
        pause_s, started_s = FIRST_PAUSE_S, time.monotonic()
        while not self._stopping.wait(_POLL_S):
            self._repeat()
            if self._broker.alive():
                continue
            if time.monotonic() - started_s > SETTLED_S:
                pause_s = FIRST_PAUSE_S
            words = self._broker.last_words()
            log.warning("broker %s died (%s); starting it again in %.1f s", self._broker.name, words, pause_s)
            if self._stopping.wait(pause_s):
                return
            self._restart()
            started_s = time.monotonic()
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _repeat(self) -> None:
        now_s = time.monotonic()
        self._said_s = {words: said_s for words, said_s in self._said_s.items() if now_s - said_s < QUIET_S}
        for words in self._broker.complaints():
            if self._said_s.setdefault(words, now_s) == now_s:
                log.warning("broker %s says: %s", self._broker.name, words)

    def _restart(self) -> None:
        self.restarts += 1
        try:
            self._broker.prepare()
            self._broker.start()
            self._broker.wait_ready()
        except CitynodeError as error:
            self._broker.stop()
            log.error("broker %s did not start again: %s", self._broker.name, error)
        else:
            log.info("broker %s is back", self._broker.name)
