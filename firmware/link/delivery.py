"""What to send next: the pure part of the delivery protocol.

A record is delivered when the manager says so by a watermark (log, next, want): it has committed everything below
`next`. PUBACK only says that the broker has it. So there are three ways in which a record is sent again:

    connection   a new connection begins at max(next, tail)
    want         the manager names holes; they are sent at once, unless they are in flight
    stall        everything was sent and acknowledged by the broker, and the watermark has not moved for `resend_ms`:
                 everything from the watermark on is sent again. If the manager was silent since the last time, only
                 one window of records (its queue in the broker would fill with copies), and ever more rarely

What is there when records begin to flow goes in two lanes, if it is more than BACKLOG records: the newest one and
whatever is recorded from now on goes out at once, and everything older follows in order at `backlog_per_s` records a
second, after a random part of a second. So a city that comes back all at once shows its present state first, and does
not come like a wall. A hole between the two lanes that the manager names is no loss: the older lane passes there.

And two ways in which one is given up, each by a loss record that the outbox appends:

    a record that was sent again by MAX_STALLS stalls while the manager answered and the broker took other records, and
    the watermark still stands exactly at it
    records that the manager waits for and the outbox no longer has (after one stall: their loss record may just have
    died on its way), or cannot read

The caller obeys: `step` says WAIT, SEND (of record `.seq`; tell `sent`, later `acked`) or DECLARE (of `.first`..`.last`
with `.reason`, by a loss record). Records are numbers here; nothing is kept for each of them. Times are ticks in ms.

    >>> d = Delivery(log=7, mark=0, window=2, resend_ms=30000, ticks_diff=lambda a, b: a - b)
    >>> d.connected()
    >>> d.begin(tail=0, head=1, now_ms=0)
    >>> d.step(0, 2, now_ms=0) == SEND, d.seq
    (True, 0)
    >>> d.sent(0)
    >>> d.acked(0, reason=0)
    >>> d.watermark(7, 1, [], 0, 2, 9), d.mark
    (True, 1)
"""

from firmware.wire import const

WAIT, SEND, DECLARE = 0, 1, 2
MAX_STALLS = 5
BACKLOG = 64
BACKLOG_PER_S = 50
NOT_ACCEPTED = "not accepted"
NOT_HELD = "no longer held"

_REFUSED = const(0x80)  # reason codes from here on are failures
_WANT_QUIET_MS = const(2000)  # the same want again within this time was written before our answer arrived
_MAX_SLOWER = const(32)
_MAX_GIVEN_UP = const(8)


class Delivery:
    """State of one log's delivery; `mark` is the first number that the manager has not confirmed."""

    def __init__(self, log: int, mark: int, window: int, resend_ms: int, ticks_diff,
                 backlog_per_s: int = BACKLOG_PER_S, random_u32=lambda: 0) -> None:  # fmt: skip
        self.log = log
        self.mark = mark
        self.window = window
        self.resent = self.bad_watermarks = self.refused = 0
        self.last_refusal = 0
        self.seq = self.first = self.last = 0
        self.reason = ""
        self._resend_ms = resend_ms
        self._diff = ticks_diff
        self._per_s = backlog_per_s
        self._random_u32 = random_u32
        # Older lane: _older.._live_first-1, begun at _lane_first. Newer lane: _newer..head-1, begun at _live_first.
        self._lane_first = self._older = self._live_first = self._newer = mark
        self._credit = 0  # records that the older lane may send now
        self._credit_ms = 0  # when it was counted last
        self._sent_below = mark  # everything from the first mark to here was sent at least once
        self._flight: list = []  # at most `window` numbers
        self._wants: list = []  # [first, last] still to be sent
        self._last_wants: list = []
        self._last_wants_ms = 0
        self._given_up: list = []  # (first, last) declared by a loss record that the mark has not passed
        # Since when everything is sent and acknowledged, with the mark where it is.
        self._caught_up_ms: int | None = None
        self._heard = False  # of the manager since the last stall
        self._slower = 1
        self._stalls = 0
        self._stalled_at = -1
        self._accepted = False  # the broker took a record since the last stall
        self._refusals = 0  # one after the other
        self._paused = False

    def connected(self) -> None:
        """A new connection: forget what was in flight and who was heard on the old one."""
        self._flight.clear()
        self._wants.clear()
        self._last_wants = []
        self._caught_up_ms = None
        self._heard = self._accepted = self._paused = False
        self._refusals = 0
        self._slower = 1

    def begin(self, tail: int, head: int, now_ms: int) -> None:
        """Records may be sent now: from the watermark on, or from what is left above it."""
        self._lane_first = self._older = max(self.mark, tail)
        has_backlog = head - self._older > BACKLOG
        self._live_first = self._newer = head - 1 if has_backlog else self._older
        self._credit = -(self._random_u32() % self._per_s)
        self._credit_ms = now_ms

    def watermark(self, log: int, next_seq: int, want: list, tail: int, head: int, now_ms: int) -> bool:
        """Take the manager's word; False (and counted) for a foreign log or numbers that were never written."""
        if log != self.log or next_seq > head:
            self.bad_watermarks += 1
            return False
        self._heard = True
        self._slower = 1
        if next_seq != self.mark:
            self.mark = next_seq
            self._caught_up_ms = None
            self._newer = max(self._newer, next_seq)
            self._given_up = [gap for gap in self._given_up if gap[1] >= next_seq]
        self._take_wants(want, tail, head, now_ms)
        return True

    def step(self, tail: int, head: int, now_ms: int) -> int:
        """Return WAIT, SEND or DECLARE, given what the outbox has."""
        if len(self._flight) >= self.window:
            return WAIT
        if not self._paused:
            if self._next_want(tail):
                return SEND
            self.seq = self._newer = self._skip(max(self._newer, tail))
            if self.seq < head:
                return SEND
            self.seq = self._older = self._skip(max(self._older, self.mark, tail))
            if self.seq < self._live_first:
                return SEND if self._has_credit(now_ms) else WAIT
        return self._step_caught_up(tail, head, now_ms)

    def sent(self, seq: int) -> None:
        """Record `seq` was handed to the broker."""
        if seq < self._sent_below:
            self.resent += 1
        self._flight.append(seq)
        if seq == self._newer:
            self._newer += 1
        elif seq == self._older:
            self._older += 1
            self._credit -= 1
        passed = self._newer if self._older >= self._live_first else self._older
        self._sent_below = max(self._sent_below, passed)

    def acked(self, seq: int, reason: int) -> None:
        """The broker answered for record `seq` with a reason code."""
        if seq in self._flight:
            self._flight.remove(seq)
        if reason < _REFUSED:
            self._refusals = 0
            self._accepted = True
            return
        self.refused += 1
        self.last_refusal = reason
        self._refusals += 1
        # One refused record must not hold up the others; when all are refused (access list), sending on is useless.
        self._paused = self._refusals >= self.window

    def give_up(self, first: int, last: int) -> bool:
        """Skip records from now on; True when they still need a loss record."""
        if any(gap[0] <= first and last <= gap[1] for gap in self._given_up):
            return False
        if len(self._given_up) >= _MAX_GIVEN_UP:
            self._given_up.pop(0)  # declared again at worst
        self._given_up.append((first, last))
        return True

    def _take_wants(self, want: list, tail: int, head: int, now_ms: int) -> None:
        if self._wants or not want:
            return
        recent = self._last_wants if self._diff(now_ms, self._last_wants_ms) < _WANT_QUIET_MS else ()
        for first, last in want:
            if any(old[0] <= first and last <= old[1] for old in recent):
                return
            if self._is_between_lanes(first, last):
                first = self._live_first
            first, last = max(first, self.mark, tail), min(last, self._newer - 1, head - 1)
            if first <= last:
                self._wants.append([first, last])
        self._last_wants, self._last_wants_ms = want, now_ms

    def _is_between_lanes(self, first: int, last: int) -> bool:
        """True for a hole that the older lane has not passed yet, or whose last records are still on their way."""
        inside = self._lane_first <= first < self._live_first
        return inside and (last >= self._older or last == self._live_first - 1)

    def _has_credit(self, now_ms: int) -> bool:
        """True when the rate of the older lane allows a record now; it saves up a third of a second."""
        earned = self._diff(now_ms, self._credit_ms) * self._per_s // 1000
        if earned > 0:
            self._credit_ms = now_ms
            self._credit = min(self._credit + earned, max(self.window, self._per_s // 3))
        return self._credit > 0

    def _next_want(self, tail: int) -> bool:
        while self._wants:
            wanted = self._wants[0]
            seq = self._skip(max(wanted[0], self.mark, tail))
            wanted[0] = seq + 1
            if seq <= wanted[1]:
                self.seq = seq
                return True
            self._wants.pop(0)
        return False

    def _skip(self, seq: int) -> int:
        """The first number from `seq` on that is neither given up nor in flight."""
        moved = True
        while moved:
            moved = False
            for first, last in self._given_up:
                if first <= seq <= last:
                    seq, moved = last + 1, True
            if seq in self._flight:
                seq, moved = seq + 1, True
        return seq

    def _step_caught_up(self, tail: int, head: int, now_ms: int) -> int:
        if self._flight or self.mark >= head:
            return WAIT
        if self._caught_up_ms is None:
            self._caught_up_ms = now_ms
        if self._diff(now_ms, self._caught_up_ms) < self._resend_ms * self._slower:
            return WAIT
        self._caught_up_ms = None
        return self._stall(tail, head, now_ms)

    def _stall(self, tail: int, head: int, now_ms: int) -> int:
        """The time is over: send again, or give up what stands at the watermark."""
        heard, refused = self._heard, self._refusals > 0 and not self._accepted
        self._heard = self._paused = self._accepted = False
        self._refusals = 0
        if not heard or refused:
            self._slower = min(2 * self._slower, _MAX_SLOWER)
        if not heard:
            first = max(self.mark, tail)
            self._wants = [[first, min(first + self.window, self._newer) - 1]]
            return WAIT
        if not refused and self._must_give_up(tail) and self.give_up(self.first, self.last):
            return DECLARE
        self.begin(tail, head, now_ms)
        return WAIT

    def _must_give_up(self, tail: int) -> bool:
        if self._stalled_at != self.mark:
            self._stalled_at, self._stalls = self.mark, 0
        self._stalls += 1
        self.first, self.last, self.reason = self.mark, self.mark, NOT_ACCEPTED
        if self.mark < tail:
            self.last, self.reason = tail - 1, NOT_HELD
            return self._stalls > 1
        return self._stalls > MAX_STALLS
