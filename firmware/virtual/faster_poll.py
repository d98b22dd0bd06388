"""Waiting in virtual time, for a clock that runs faster than the true one; loaded by `select` when it does."""

import time


class Poll:
    """poll, ipoll with timeouts in virtual milliseconds; the rest is the port's."""

    def __init__(self, inner: object) -> None:
        self._inner = inner
        self.register, self.modify, self.unregister = inner.register, inner.modify, inner.unregister

    def poll(self, timeout_ms: int = -1) -> list:
        """Wait for at most `timeout_ms`, or for ever when it is negative."""
        return self._inner.poll(_true_ms(timeout_ms))

    def ipoll(self, timeout_ms: int = -1) -> object:
        """The same as an iterator."""
        return self._inner.ipoll(_true_ms(timeout_ms))


def _true_ms(virtual_ms: int) -> int:
    if virtual_ms <= 0:
        return virtual_ms
    return (virtual_ms + time.factor - 1) // time.factor
