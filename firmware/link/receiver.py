"""Cuts the byte stream of an MQTT connection into packets, inside one buffer that never grows."""

from firmware.wire import const

MALFORMED = 0x81
PROTOCOL_ERROR = 0x82
TOO_LARGE = 0x95
_FIXED_BYTES = const(5)


class PacketError(ValueError):
    """The broker broke the protocol; `reason` is the code that DISCONNECT tells it."""

    def __init__(self, text: str, reason: int = MALFORMED) -> None:
        super().__init__(text)
        self.reason = reason


class Receiver:
    """Cuts a byte stream into packets inside one buffer of `size` bytes; a longer packet is refused, never read.

    Fill `space()`, tell `filled(count)`, then take packets by `take()` until it says False: `kind`, `flags` and `body`
    (a view into the buffer, valid until the next `space()`).
    """

    def __init__(self, size: int) -> None:
        self._view = memoryview(bytearray(size))
        self._size = size
        self._start = self._end = 0
        self.kind = self.flags = 0
        self.body = self._view[:0]

    def reset(self) -> None:
        """Forget what is in the buffer."""
        self._start = self._end = 0

    def space(self) -> memoryview:
        """The free part of the buffer, never empty."""
        if self._start:
            rest = self._end - self._start
            self._view[:rest] = self._view[self._start : self._end]
            self._start, self._end = 0, rest
        return self._view[self._end :]

    def filled(self, count: int) -> None:
        """`count` bytes were put into `space()`."""
        self._end += count

    def take(self) -> bool:
        """Find the next whole packet; PacketError for a length that is malformed or does not fit."""
        have = self._end - self._start
        if have < 2:
            return False
        length, size = self._remaining_length(min(have, _FIXED_BYTES))
        if not size or have < size + length:
            return False
        first = self._view[self._start]
        self.kind, self.flags = first >> 4, first & 15
        self.body = self._view[self._start + size : self._start + size + length]
        self._start += size + length
        return True

    def _remaining_length(self, have: int) -> tuple:
        """(remaining length, bytes of the fixed header), size 0 when more bytes are needed [1.5.5]."""
        length = 0
        for i in range(1, have):
            byte = self._view[self._start + i]
            length |= (byte & 127) << 7 * (i - 1)
            if byte < 128:
                if byte == 0 and i > 1:
                    raise PacketError("expected the shortest form of a packet's length, got %d bytes" % i)
                if length + i + 1 > self._size:
                    raise PacketError("expected packets of at most %d bytes, got %d" % (self._size, length), TOO_LARGE)
                return length, i + 1
        if have == _FIXED_BYTES:
            raise PacketError("expected a packet's length in 4 bytes")
        return 0, 0
