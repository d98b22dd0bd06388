"""A thread of the running manager that does its steps again and again, each so long after its last end.

thread = Periodic("upkeep", Step(courier.step, 1.0), Step(renew, 3600.0, waits="certificates are renewed later"))
thread.start(); thread.wake(); thread.stop()

A step that fails keeps neither the others nor its own next turn: what is wrong is logged under the service's name, once
for as long as it stays the same, and that it works again. An error that no person is meant to meet is ours: its
traceback is logged too.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from device_manager.errors import CitynodeError

_log = logging.getLogger("citynode.services")


@dataclass
class Step:
    """`run` is due `every_s` after its last end, the first time `first_s` after the start (None: `every_s`)."""

    run: Callable[[], object]
    every_s: float
    first_s: float | None = None
    waits: str = ""
    """What does not happen while it fails, as the end of the message."""

    by_wake: bool = False
    """Whether `wake` makes it due."""


class _Standing:
    """A step that stands in a service: when it is due, and what was said of it last."""

    def __init__(self, step: Step, now_s: float) -> None:
        self.step, self.said = step, ""
        self.due_s = now_s + (step.every_s if step.first_s is None else step.first_s)

    def run(self, name: str) -> None:
        """Take one turn; nothing is raised."""
        try:
            self.step.run()
        except CitynodeError as error:
            self._say(name, error, ours=False)
        except Exception as error:  # whatever one step meets, the service goes on
            self._say(name, error, ours=True)
        else:
            if self.said:
                _log.warning("%s: works again", name)
            self.said = ""

    def _say(self, name: str, error: Exception, *, ours: bool) -> None:
        words = f"{type(error).__name__}: {error}" if ours else str(error)
        if words != self.said:
            self.said = words
            _log.error("%s: %s%s", name, words, self.step.waits and f"; {self.step.waits}", exc_info=ours)


class Periodic:
    """The service `name`; `start` and `stop` once each."""

    def __init__(self, name: str, *steps: Step, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._name, self._clock_s = name, clock_s
        self._steps = [_Standing(step, clock_s()) for step in steps]
        self._ended, self._woken = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step that runs; what is due is left."""
        self._ended.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join()

    def wake(self) -> None:
        """Have the steps that ask for it done now; from any thread."""
        self._woken.set()

    def ending(self) -> bool:
        """Return True once it shall end: for steps that take long."""
        return self._ended.is_set()

    def turn(self, *, woken: bool = False) -> float:
        """Do in order what is due; return the seconds until something is."""
        for one in self._steps:
            if self.ending():
                break
            if self._clock_s() >= one.due_s or (woken and one.step.by_wake):
                one.run(self._name)
                one.due_s = self._clock_s() + one.step.every_s
        return max(0.0, min(one.due_s for one in self._steps) - self._clock_s())

    def _run(self) -> None:
        rest_s = self.turn()
        while not self.ending():
            woken = self._woken.wait(rest_s)
            self._woken.clear()
            rest_s = self.turn(woken=woken)
