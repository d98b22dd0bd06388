"""Waiting for another process or thread: patient, because a loaded machine is slow; no figure comes from it."""

import time
from collections.abc import Callable

PATIENCE_S = 120.0


def wait_for(
    condition: Callable[[], object],
    timeout_s: float = PATIENCE_S,
    what: Callable[[], object] = str,
    every_s: float = 0.02,
) -> None:
    """Wait until `condition` is true; AssertionError after `timeout_s`, with what `what` says then."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"it did not happen within {timeout_s:g} s: {what()}"
        time.sleep(every_s)
