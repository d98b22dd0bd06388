"""Stale repeats: an answer that is the same, bit for bit, for longer than the noise of a working part allows.

A part whose analog side has died goes on answering with its last numbers. Nobody can tell that from a calm hour until
enough answers have been equal; how many that takes, each driver knows from its part's resolution and noise.
"""

from firmware.sensing.drivers import SensorError
from firmware.wire import quality

RESTART_AFTER = 2  # times the limit: then the part is started anew


class Repeats:
    """Compares answers of `size` bytes; `limit` equal ones in a row are stuck."""

    def __init__(self, size: int, limit: int) -> None:
        self._last = bytearray(size)
        self._limit = limit
        self.count = 0

    def restart(self) -> None:
        """After a start: a part that still says the same is still stuck."""
        self.count = min(self.count, self._limit)

    def stuck(self, answer: bytearray) -> bool:
        """True while the answer has been the same too often; SensorError when that goes on."""
        last = self._last
        same = True
        for i in range(len(last)):
            if last[i] != answer[i]:
                last[i] = answer[i]
                same = False
        self.count = self.count + 1 if same else 0
        if self.count > RESTART_AFTER * self._limit:
            raise SensorError("expected answers with noise, got the same %d times" % self.count)
        return self.count >= self._limit


def blank(values: list, flags: list, at: int, count: int) -> None:
    """Make `count` inputs missing because they are stuck."""
    for i in range(at, at + count):
        values[i] = None
        flags[i] |= quality.STUCK
