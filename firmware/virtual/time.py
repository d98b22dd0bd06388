"""Shim of `time`: the port's own, and a clock that virtual.json can set wrong.

"clock": {"unix_s": 0}                        the clock starts at 1970 and is never set
"clock": {"unix_s": 0, "sync_after_s": 20}    it is set right 20 s after the start
"""

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
        time_ns,
    )
    from time import time as _true_time
finally:
    sys.path[:] = _path
del _path

__all__ = ("gmtime", "localtime", "mktime", "sleep", "sleep_ms", "sleep_us", "ticks_add", "ticks_cpu", "ticks_diff")
__all__ += ("set_unix_s", "ticks_ms", "ticks_us", "time", "time_ns")

_started = ticks_ms()
_clock = None


def _wrong_s() -> float:
    """Seconds by which the virtual clock is wrong now."""
    global _clock
    if _clock is None:
        from firmware.virtual.board import read_file

        _clock = read_file().get("clock", {})
        if _clock:
            _clock["wrong_s"] = _clock["unix_s"] - _true_time()
    if not _clock or ticks_diff(ticks_ms(), _started) >= 1000 * _clock.get("sync_after_s", 1 << 40):
        return 0
    return _clock["wrong_s"]


def set_unix_s(unix_s: float) -> None:
    """Set the virtual clock, as `machine.RTC` does."""
    global _clock
    _clock = {"wrong_s": unix_s - _true_time()}


def time() -> float:
    """Seconds since 1970 by the virtual node's clock."""
    return _true_time() + _wrong_s()
