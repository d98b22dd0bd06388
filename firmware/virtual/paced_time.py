"""The clock of a node whose time a pacer on the host gives: it passes when nothing is left to do, on any PC.

"pacer": [port, "node"] of virtual.json; `tests/benchmarks/pacer.py` is the other side. Over one TCP connection the node
says who it is and then, whenever it waits, the moment up to which it has lived; the pacer gives the moment up to which
it may go on. Between both the node's clock jumps from one thing that is due to the next. A message that arrives while
it waits comes at the end of its span. Moments are Unix time in us, 8 bytes, little-endian.

Reading the clock takes READ_US, so that a loop that waits for it ends.
"""

import json
import socket
import struct
import sys

_path = sys.path[:]
sys.path[:] = []  # so that this import finds the module that is built in
try:
    from time import ticks_us as _true_ticks_us
finally:
    sys.path[:] = _path
del _path

READ_US = 5
NAME_BYTES = 32
AHEAD_US = 10 * 86400 * 1000000  # of the true ticks, with which the scheduler in C compares

factor = 1
_ahead_us = 0  # the node's Unix time minus the pacer's
_told = False  # the pacer knows that this node waits


def _connect(port: int, name: str) -> object:
    link = socket.socket()
    link.connect(socket.getaddrinfo("127.0.0.1", port)[0][-1])
    link.write((name.encode() + bytes(NAME_BYTES))[:NAME_BYTES])
    return link


def _granted() -> int:
    """Read until when this node may go on."""
    global _told
    _told = False
    return struct.unpack("<Q", _link.read(8))[0]


def _tell() -> None:
    global _told
    if not _told:
        _told = True
        _link.write(struct.pack("<Q", _until_us))


with open("virtual.json") as _file:
    _link = _connect(*json.load(_file)["pacer"])
_now_us = _until_us = _granted()
_ticks_less_us = _now_us - _true_ticks_us() - AHEAD_US


def ticks_us() -> int:
    """Microseconds of a counter."""
    global _now_us
    _now_us += READ_US
    return _now_us - _ticks_less_us


def ticks_ms() -> int:
    """Milliseconds of the same counter."""
    return ticks_us() // 1000


def sleep_us(duration_us: int) -> None:
    """Block."""
    global _now_us, _until_us
    end_us = _now_us + duration_us
    while end_us > _until_us:
        _tell()
        _until_us = _granted()
    _now_us = end_us


def sleep_ms(duration_ms: int) -> None:
    """Block."""
    sleep_us(duration_ms * 1000)


def sleep(duration_s: float) -> None:
    """Block."""
    sleep_us(int(duration_s * 1000000))


def set_unix_s(unix_s: float) -> None:
    """Set the node's clock, as `machine.RTC` does."""
    global _ahead_us
    _ahead_us = int(unix_s * 1000000) - _now_us


def time_ns() -> int:
    """Nanoseconds since 1970 by the node's clock."""
    global _now_us
    _now_us += READ_US
    return (_now_us + _ahead_us) * 1000


def time() -> float:
    """Seconds since 1970 by the node's clock."""
    return time_ns() / 1000000000


class Poll:
    """poll, ipoll in paced time; what the shims make readable (`readable_in_ms`) is waited for like a sleep.

    The port takes a millisecond to look at a TLS stream, so streams are looked at only when that can have changed: when
    one is taken in, and when the pacer gives time.
    """

    def __init__(self, inner: object) -> None:
        self._inner = inner
        self._made = []
        self._look = False
        inner.register(_link, 1)

    def register(self, thing: object, events: int) -> None:
        """Take `thing` in."""
        if hasattr(thing, "readable_in_ms"):
            self._made.append(thing)
        else:
            self._inner.register(thing, events)
            self._look = True

    def modify(self, thing: object, events: int) -> None:
        """Wait for other events of `thing`."""
        if thing not in self._made:
            self._inner.modify(thing, events)
            self._look = True

    def unregister(self, thing: object) -> None:
        """Let `thing` go."""
        if thing in self._made:
            self._made.remove(thing)
        else:
            self._inner.unregister(thing)

    def poll(self, timeout_ms: int = -1) -> list:
        """Wait for at most `timeout_ms`, or for ever when it is negative."""
        global _now_us
        end_us = _now_us + 1000 * timeout_ms if timeout_ms >= 0 else 1 << 60
        ready = self._ready(0) if self._look else []
        ready += [(thing, 1) for thing in self._made if not thing.readable_in_ms()]
        while not ready and _now_us < end_us:
            due_us = min([end_us] + [_now_us + 1000 * thing.readable_in_ms() for thing in self._made])
            if due_us <= _until_us:
                _now_us = due_us
                ready = [(thing, 1) for thing in self._made if not thing.readable_in_ms()]
            else:
                _now_us = max(_now_us, _until_us)
                _tell()
                ready = self._ready(-1)
        return ready

    def ipoll(self, timeout_ms: int = -1) -> list:
        """The same."""
        return self.poll(timeout_ms)

    def _ready(self, timeout_ms: int) -> list:
        """Streams that are ready; the pacer's word is taken here."""
        global _until_us
        self._look = False
        ready = []
        for thing, events in self._inner.poll(timeout_ms):
            if thing is _link:
                _until_us = _granted()
                self._look = True
            else:
                ready.append((thing, events))
        return ready
