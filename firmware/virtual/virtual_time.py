"""What `time` gives a node whose clock is wrong or runs faster: see there."""

import json
import sys

_path = sys.path[:]
sys.path[:] = []  # so that this import finds the module that is built in
try:
    from time import sleep as _sleep
    from time import sleep_us as _sleep_us
    from time import ticks_diff
    from time import ticks_us as _ticks_us
    from time import time as _true_time
    from time import time_ns as _true_time_ns
finally:
    sys.path[:] = _path
del _path

factor = 1
_started_us = _ticks_us()
_ahead_ns = 0  # of true time, at the start
_started_ns = _true_time_ns()
_clock = {}


def ticks_us() -> int:
    """Microseconds of a counter."""
    now = _ticks_us()
    return now + (now - _started_us) * (factor - 1)


def ticks_ms() -> int:
    """Milliseconds of the same counter; at least the true one, which the scheduler in C compares with."""
    return ticks_us() // 1000


def sleep_us(duration_us: int) -> None:
    """Block."""
    _sleep_us(duration_us // factor)


def sleep_ms(duration_ms: int) -> None:
    """Block."""
    _sleep_us(duration_ms * 1000 // factor)


def sleep(duration_s: float) -> None:
    """Block."""
    _sleep(duration_s / factor)


def _wrong_s() -> float:
    """Seconds by which the virtual clock is wrong now."""
    if not _clock or ticks_diff(ticks_us(), _started_us) >= 1000000 * _clock.get("sync_after_s", 1 << 40):
        return 0
    return _clock["wrong_s"]


def set_unix_s(unix_s: float) -> None:
    """Set the virtual clock, as `machine.RTC` does."""
    global _clock
    _clock = {}
    wrong_s = unix_s - time()
    _clock = {"wrong_s": wrong_s}


def time_ns() -> int:
    """Nanoseconds since 1970 by the virtual node's clock."""
    now = _true_time_ns()
    return now + _ahead_ns + (now - _started_ns) * (factor - 1) + int(_wrong_s() * 1000000000)


def time() -> float:
    """Seconds since 1970 by the virtual node's clock."""
    return time_ns() / 1000000000


def waiting(poll: object) -> object:
    """The port's poll, by this clock."""
    if factor == 1:
        return poll
    from firmware.virtual.faster_poll import Poll

    return Poll(poll)


def _read_settings() -> None:
    global factor, _ahead_ns, _clock
    try:
        with open("virtual.json") as file:
            settings = json.load(file)
    except OSError:
        return
    factor = settings.get("factor", 1)
    if factor < 1 or factor != int(factor):
        raise ValueError("expected a whole factor of 1 or more in virtual.json, got %s" % factor)
    if factor > 1:
        print("citynode: virtual clock, %d times as fast" % factor)
        from_s = settings.get("factor_from_s", _true_time())
        _ahead_ns = int((_true_time() - from_s) * (factor - 1)) * 1000000000
    wrong = settings.get("clock", {})
    if wrong:
        wrong["wrong_s"] = wrong["unix_s"] - time()
        _clock = wrong


_read_settings()
