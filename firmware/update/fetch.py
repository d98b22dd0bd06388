"""Which pieces to ask for next, and which to keep: pure, time comes in as milliseconds.

Pieces come at QoS 0 and are kept in their order only; at most WINDOW of them are under way, so an interruption costs no
more. A piece that does not come is asked for again, from where we are, after AGAIN_MS, then twice as long, up to
AGAIN_MAX_MS.

    >>> fetch = Fetch(0, 1 << 20)
    >>> fetch.due(0)
    (0, 2)
    >>> fetch.take(0, 5000, 2048, 10), fetch.due(10)
    (True, (4096, 1))
"""

from firmware.wire import const
from firmware.wire.progress import CHUNK_BYTES

WINDOW = 2
AGAIN_MS = 5000
AGAIN_MAX_MS = 60000
TOO_LONG, ANOTHER = "too long", "another"
_UNKNOWN = const(-1)


class Fetch:
    """`got` bytes are there already; more than `most` in all are refused."""

    def __init__(self, got: int, most: int) -> None:
        self.got = got
        self.total = _UNKNOWN
        self.fault = ""
        self._most = most
        self._asked = got  # all below was asked for
        self._wait_ms = AGAIN_MS
        self._since_ms = _UNKNOWN  # of the last question or answer

    @property
    def done(self) -> bool:
        """True when all of it is there."""
        return self.total == self.got

    def due(self, now_ms: int) -> tuple | None:
        """Return (offset, how many pieces) to ask for now, None when nothing is."""
        if self._since_ms != _UNKNOWN and self._asked > self.got and now_ms - self._since_ms >= self._wait_ms:
            self._wait_ms = min(2 * self._wait_ms, AGAIN_MAX_MS)
            self._asked = self.got
        limit = self.got + WINDOW * CHUNK_BYTES
        if self.total != _UNKNOWN:
            limit = min(limit, self.total)
        count = (limit - self._asked + CHUNK_BYTES - 1) // CHUNK_BYTES
        if count <= 0 or self.done:
            return None
        offset, self._asked, self._since_ms = self._asked, self._asked + count * CHUNK_BYTES, now_ms
        return offset, count

    def again(self) -> None:
        """The connection is new: nothing that was asked for will come."""
        self._asked = self.got

    def take(self, offset: int, total: int, length: int, now_ms: int) -> bool:
        """True when this piece is the next one and must be kept; a `fault` means that the whole cannot be had so."""
        if total > self._most:
            self.fault = TOO_LONG
        elif self.total not in (_UNKNOWN, total) or total < self.got:
            self.fault = ANOTHER
        if self.fault:
            return False
        self.total = total
        if offset != self.got or offset + length > total or not length:
            return False
        self.got += length
        self._since_ms, self._wait_ms = now_ms, AGAIN_MS
        self._asked = max(self._asked, self.got)
        return True
