"""The note that a node leaves for itself in RTC memory: why it was reset, and how it was until then.

    note = Note(rtc.note)                     # of the boot before, whatever it holds
    note.last_crash, note.last_heap_floor, note.last_lateness, note.last_time, note.guessed
    data = pack(time, guessed, heap_floor, lateness, crash)

It is a CBOR array [version, time, guessed, heap floor, lateness, crash]; what cannot be read is an empty note. A crash
is told by the boot that follows it, and by no later one: that one writes a note without it.
"""

from firmware.wire import WireError, cbor, const
from firmware.wire.messages import TEXT_MAX_BYTES

_VERSION = const(1)
_FIELDS = const(6)
_FRAMES = const(5)  # calls of a traceback that are worth their bytes


class Note:
    """The note of the boot before; empty after a power cut."""

    def __init__(self, data: bytes) -> None:
        items = _read(data)
        self.found = bool(items)
        self.last_time, self.guessed, self.last_heap_floor, self.last_lateness, self.last_crash = (
            items[1:] if items else (0, False, 0, [], "")
        )


def _read(data: bytes) -> list:
    try:
        items = cbor.decode(data) if data else []
    except WireError:
        return []
    return items if isinstance(items, list) and len(items) == _FIELDS and items[0] == _VERSION else []


def pack(time_s: int, guessed: bool, heap_floor: int, lateness: list, crash: str) -> bytes:
    """Write a note; `time_s` is 0 when it is not known."""
    return cbor.encode([_VERSION, time_s, guessed, heap_floor, lateness, crash])


def clip(text: str) -> str:
    """Cut a text to what a message may carry."""
    text = text[:TEXT_MAX_BYTES]
    while len(text.encode()) > TEXT_MAX_BYTES:
        text = text[:-1]
    return text


def shorten(printed: str) -> str:
    """One line of a printed traceback: the exception, then the last calls, innermost first, as file:line function.

    >>> shorten('Traceback (most recent call last):\\n  File "firmware/app.py", line 7, in run\\nValueError: no\\n')
    'ValueError: no | app.py:7 run'
    """
    lines = printed.strip().split("\n")
    calls = []
    for line in lines:
        parts = line.strip().split('"')
        if len(parts) == 3 and parts[0] == "File ":
            words = parts[2].split(", ")  # ', line 7, in run'
            calls.append("%s:%s %s" % (parts[1].split("/")[-1], words[1][5:], words[2][3:]))
    calls.reverse()
    return clip(" | ".join([lines[-1]] + calls[:_FRAMES]))
