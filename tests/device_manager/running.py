"""Helpers to watch processes."""

import time
from collections.abc import Callable
from pathlib import Path


def exists(pid: int) -> bool:
    """True while a process runs; one that ended and was not collected by its parent does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for(condition: Callable[[], object], timeout_s: float = 8.0) -> None:
    """Wait until `condition` is true; AssertionError after `timeout_s`."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.02)
