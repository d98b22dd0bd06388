"""Shim of `time`: the one virtual clock of a node, by virtual.json.

"factor": 60                                  an hour passes in a minute: ticks, Unix time and sleeps; `select` and all
                                              models follow, because they ask here
"factor_from_s": 1763000000                   the Unix time at which virtual and true time were the same, so that nodes
                                              and restarts agree; without it: the start of the process
"pacer": [port, "node"]                       time passes when nothing is left to do: see `paced_time`
"clock": {"unix_s": 0}                        the clock starts at 1970 and is never set
"clock": {"unix_s": 0, "sync_after_s": 20}    it is set right 20 s after the start

Deadlines pass as fast as everything else: at factor 60 a broker has 0.25 s for an answer within 15. Ticks never wrap
here; tests give `hal.clock.Clock` some that do.

A node with none of these has the port's own clock, which can be set: the rest is in modules of its own, and stays out
of the heap that stands for the chip's. `waiting` makes the port's poll wait by the same clock.
"""

import json
import sys

_path = sys.path[:]
sys.path[:] = []  # so that this import finds the module that is built in
try:
    from time import (
        gmtime,
        localtime,
        mktime,
        sleep,
        sleep_ms,
        sleep_us,
        ticks_add,
        ticks_cpu,
        ticks_diff,
        ticks_ms,
        ticks_us,
    )
    from time import time_ns as _true_time_ns
finally:
    sys.path[:] = _path
del _path

__all__ = ("gmtime", "localtime", "mktime", "sleep", "sleep_ms", "sleep_us", "ticks_add", "ticks_cpu", "ticks_diff")
__all__ += ("factor", "set_unix_s", "ticks_ms", "ticks_us", "time", "time_ns", "waiting")

factor = 1
_ahead_ns = 0


def time_ns() -> int:
    """Nanoseconds since 1970 by the node's clock."""
    return _true_time_ns() + _ahead_ns


def time() -> float:
    """Seconds since 1970 by the node's clock."""
    return time_ns() / 1000000000


def set_unix_s(unix_s: float) -> None:
    """Set the node's clock, as `machine.RTC` does."""
    global _ahead_ns
    _ahead_ns = int(unix_s * 1000000000) - _true_time_ns()


def waiting(poll: object) -> object:
    """The port's poll waits by this clock."""
    return poll


def _settings() -> dict:
    try:
        with open("virtual.json") as file:
            return json.load(file)
    except OSError:
        return {}


_found = _settings()
if "pacer" in _found:
    from firmware.virtual.paced_time import Poll as waiting
    from firmware.virtual.paced_time import set_unix_s, sleep, sleep_ms, sleep_us, ticks_ms, ticks_us, time, time_ns
elif _found.get("clock") or _found.get("factor", 1) != 1:
    from firmware.virtual.virtual_time import (
        factor,
        set_unix_s,
        sleep,
        sleep_ms,
        sleep_us,
        ticks_ms,
        ticks_us,
        time,
        time_ns,
        waiting,
    )
del _found
