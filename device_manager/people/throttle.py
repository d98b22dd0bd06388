"""Wrong passwords: after FREE of them within WINDOW_MS a name, or an address, must wait until the window is over.

In memory and bounded: a restart forgives, and whoever invents names cannot fill the machine.
"""

from collections import OrderedDict

FREE = 10
WINDOW_MS = 300_000
_REMEMBERED = 10_000


class Throttle:
    """Counts failures by key, for instance `name anna` and `from 192.0.2.1`."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[int, int]] = OrderedDict()  # key -> (count, begin of the window)

    def wait_ms(self, key: str, now_ms: int) -> int:
        """Return how long this key must wait before it may try, 0 for not at all."""
        count, begun_ms = self._failures.get(key, (0, now_ms))
        return max(0, begun_ms + WINDOW_MS - now_ms) if count >= FREE else 0

    def failed(self, key: str, now_ms: int) -> None:
        """Note a failure."""
        count, begun_ms = self._failures.pop(key, (0, now_ms))
        if now_ms - begun_ms >= WINDOW_MS:
            count, begun_ms = 0, now_ms
        self._failures[key] = count + 1, begun_ms
        if len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget the failures of a key."""
        self._failures.pop(key, None)
