"""Shim of `select`: waiting takes virtual time, so that asyncio sleeps as fast as the clock of `time` runs."""

import sys

_path = sys.path[:]
sys.path[:] = []  # so that this import finds the module that is built in
try:
    import select as _select
finally:
    sys.path[:] = _path
del _path

import time  # noqa: E402 - the lines above must come first

POLLIN, POLLOUT, POLLERR, POLLHUP = _select.POLLIN, _select.POLLOUT, _select.POLLERR, _select.POLLHUP


def poll() -> object:
    """A poll object that waits by the clock of `time`."""
    return time.waiting(_select.poll())
