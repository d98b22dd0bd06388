"""Which numbers of a log are committed: everything below `next`, and ranges ahead of it.

Numbers come in any order and any number of times; committing one twice changes nothing. The state stays small: at most
MAX_AHEAD ranges are kept, and a number that would need one more is refused for now (`fits`), because the sender sends
everything above the watermark again anyway.

>>> state = LogState()
>>> state.commit_range(0, 2), state.commit(5), state.commit(5)
(3, True, False)
>>> state.next, state.want()
(3, ((3, 4),))
"""

from bisect import bisect_right
from collections.abc import Sequence

MAX_AHEAD = 1024
_NONE: list[int] = []  # of the many logs without a hole; nobody writes into it
MAX_WANT = 32  # ranges that a watermark message may carry, see firmware.wire.messages.WANT_MAX


class LogState:
    """The committed set of one log, as `next` and the sorted, disjoint, not adjoining closed ranges above it."""

    __slots__ = ("_firsts", "_lasts", "next")

    def __init__(self, next_seq: int = 0, ahead: Sequence[tuple[int, int]] = ()) -> None:
        self.next = next_seq
        self._firsts = [first for first, _ in ahead] if ahead else _NONE
        self._lasts = [last for _, last in ahead] if ahead else _NONE

    @property
    def ahead(self) -> tuple[tuple[int, int], ...]:
        """Committed ranges above `next`, in order."""
        return tuple(zip(self._firsts, self._lasts, strict=True)) if self._firsts else ()

    @property
    def above(self) -> int:
        """One more than the highest committed number."""
        return self._lasts[-1] + 1 if self._lasts else self.next

    def copy(self) -> "LogState":
        """Return an independent state: a batch works on copies until it is durable."""
        return LogState(self.next, self.ahead if self._firsts else ())

    def __contains__(self, seq: int) -> bool:
        if seq < self.next:
            return True
        at = bisect_right(self._firsts, seq) - 1
        return at >= 0 and seq <= self._lasts[at]

    def fits(self, seq: int) -> bool:
        """True when `seq` can be committed without keeping more than MAX_AHEAD ranges."""
        return len(self._firsts) < MAX_AHEAD or seq == self.next or seq in self

    def commit(self, seq: int) -> bool:
        """Commit one number; False when it was committed before."""
        if seq == self.next and not self._firsts:
            self.next += 1
            return True
        return self.commit_range(seq, seq) == 1

    def commit_range(self, first: int, last: int) -> int:
        """Commit `first`..`last` (both included); return how many of them were not committed before."""
        first = max(first, self.next)
        if first > last:
            return 0
        if self._firsts is _NONE:
            self._firsts, self._lasts = [], []
        low, high = self._touching(first, last)
        covered = sum(
            min(last, self._lasts[i]) - max(first, self._firsts[i]) + 1
            for i in range(low, high)
            if self._firsts[i] <= last and self._lasts[i] >= first
        )
        self._merge(low, high, first, last)
        self._advance()
        return last - first + 1 - covered

    def want(self, most: int = MAX_WANT) -> tuple[tuple[int, int], ...]:
        """Return the lowest `most` holes below the highest committed number, as closed ranges."""
        if not self._firsts:
            return ()
        firsts = [self.next] + [last + 1 for last in self._lasts[: most - 1]]
        return tuple((first, until - 1) for first, until in zip(firsts, self._firsts[:most], strict=False))

    def _touching(self, first: int, last: int) -> tuple[int, int]:
        """Return the slice of ranges that overlap or adjoin first..last."""
        low = bisect_right(self._firsts, first)
        if low and self._lasts[low - 1] >= first - 1:
            low -= 1
        return low, max(low, bisect_right(self._firsts, last + 1))

    def _merge(self, low: int, high: int, first: int, last: int) -> None:
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def _advance(self) -> None:
        if self._firsts and self._firsts[0] <= self.next:
            self.next = self._lasts[0] + 1
            del self._firsts[0], self._lasts[0]
