"""What survives a reset but not a power cut: 2048 bytes of RTC memory, kept whole or not at all.

    rtc = Rtc(machine.RTC().memory)
    rtc.note, rtc.frame           # of the time before the reset; b"" each after a power cut
    buf = rtc.reserve(720)        # room for the longest frame: whoever encodes it does so in place
    rtc.keep(b"note", 612)        # a note of at most NOTE_BYTES, and the first 612 bytes of that room

    0   u32  MAGIC
    4   u32  CRC-32 of everything behind it
    8   u16  bytes of the note, u16 bytes of the frame
    12       note, then frame
    -8       where boot.py counts the starts of a trial (firmware/boot.py): "CNB1", u32; it is carried along

The chip guards this memory by a magic only, so it has a CRC of its own: a reset in the middle of a write costs what was
kept, and never gives half of it.
"""

import struct
from binascii import crc32

from micropython import const

MEMORY_BYTES = 2048
NOTE_BYTES = 512
_MAGIC = 0x31524E43  # "CNR1"
_HEAD = "<IIHH"
_HEAD_BYTES = const(12)
_CRC_FROM = const(8)
_TAIL, _TAIL_BYTES = b"CNB1", const(8)


class Rtc:
    """`memory()` returns what is kept, `memory(data)` keeps data, as machine.RTC.memory does."""

    def __init__(self, memory) -> None:
        self._memory = memory
        kept = memory()
        self.note, self.frame = _unpack(kept)
        self.tail = kept[-_TAIL_BYTES:] if kept[-_TAIL_BYTES:-4] == _TAIL else b""
        self._buf = memoryview(bytearray(_HEAD_BYTES + NOTE_BYTES + _TAIL_BYTES))

    def reserve(self, frame_bytes: int) -> memoryview:
        """Make room for frames of up to that length and return it; it keeps its content between calls of `keep`."""
        self._buf = memoryview(bytearray(_HEAD_BYTES + NOTE_BYTES + frame_bytes + _TAIL_BYTES))
        return self._buf[_HEAD_BYTES + NOTE_BYTES : len(self._buf) - _TAIL_BYTES]

    def keep(self, note: bytes, frame_bytes: int = 0) -> bool:
        """Replace what is kept; False when the frame is too long for the memory: then only the note is kept."""
        fits = _HEAD_BYTES + len(note) + frame_bytes + len(self.tail) <= MEMORY_BYTES
        if len(note) > NOTE_BYTES:
            raise ValueError("expected a note of at most %d bytes, got %d" % (NOTE_BYTES, len(note)))
        length = frame_bytes if fits else 0
        start = NOTE_BYTES - len(note)  # the note ends where the frame begins
        end = _HEAD_BYTES + NOTE_BYTES + length
        data = self._buf[start:end]
        data[_HEAD_BYTES : _HEAD_BYTES + len(note)] = note
        struct.pack_into(_HEAD, data, 0, _MAGIC, 0, len(note), length)
        struct.pack_into("<I", data, 4, crc32(data[_CRC_FROM:]))
        self._buf[end : end + len(self.tail)] = self.tail
        self._memory(self._buf[start : end + len(self.tail)])
        return fits


def _unpack(data: bytes) -> tuple:
    """(note, frame) of the memory's content, (b"", b"") when it is none of ours or damaged."""
    if len(data) < _HEAD_BYTES:
        return b"", b""
    magic, crc, note_bytes, frame_bytes = struct.unpack_from(_HEAD, data, 0)
    end = _HEAD_BYTES + note_bytes
    if magic != _MAGIC or len(data) < end + frame_bytes or crc32(data[_CRC_FROM : end + frame_bytes]) != crc:
        return b"", b""
    return data[_HEAD_BYTES:end], data[end : end + frame_bytes]
