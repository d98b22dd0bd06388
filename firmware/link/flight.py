"""Publishes at QoS 1 that the broker has not answered: packet id, the owner's token, when it was sent.

A connection that breaks leaves them here. When the broker still has the session at the next one they are `stale`: to be
sent again under the same packet id [4.4], or dropped because nobody needs them any more. Pure; never grows.
"""

NOBODY = 0  # no packet has this id


class Flight:
    """Room for `size` publishes; times are ticks in ms."""

    def __init__(self, size: int) -> None:
        self._ids = [NOBODY] * size
        self._tokens = [0] * size
        self._sent_ms = [0] * size
        self._stale = [False] * size
        self._last_id = 0

    @property
    def count(self) -> int:
        """Publishes without an answer."""
        return len(self._ids) - self._ids.count(NOBODY)

    def next_id(self) -> int:
        """A packet id that is free now."""
        while True:
            self._last_id = self._last_id % 65535 + 1
            if self._last_id not in self._ids:
                return self._last_id

    def take(self, token: int, now_ms: int) -> int:
        """Put a publish in, return its packet id; ValueError when there is no room."""
        slot = self._ids.index(NOBODY)
        self._ids[slot] = self.next_id()
        self._tokens[slot], self._sent_ms[slot], self._stale[slot] = token, now_ms, False
        return self._ids[slot]

    def answered(self, packet_id: int) -> int:
        """Take a publish out, return its token; ValueError when there is none of this id."""
        if packet_id == NOBODY:
            raise ValueError("expected a packet id above 0")
        slot = self._ids.index(packet_id)
        self._ids[slot] = NOBODY
        return self._tokens[slot]

    def is_late(self, now_ms: int, limit_ms: int, diff) -> bool:
        """True when a publish waits longer than that for its answer; `diff` is ticks_diff."""
        for slot, packet_id in enumerate(self._ids):
            if packet_id != NOBODY and not self._stale[slot] and diff(now_ms, self._sent_ms[slot]) > limit_ms:
                return True
        return False

    def keep(self, session_present: bool) -> None:
        """A new connection: what is here is stale, or forgotten with the session."""
        for slot in range(len(self._ids)):
            self._stale[slot] = True
            if not session_present:
                self._ids[slot] = NOBODY

    def stale(self) -> list:
        """Tokens of stale publishes in the order of their first sending."""
        slots = [slot for slot in range(len(self._ids)) if self._ids[slot] != NOBODY and self._stale[slot]]
        return [self._tokens[slot] for slot in sorted(slots, key=self._age)]

    def renew(self, token: int, now_ms: int) -> int:
        """A stale publish is sent again now: return its packet id."""
        slot = self._find(token)
        self._sent_ms[slot], self._stale[slot] = now_ms, False
        return self._ids[slot]

    def drop(self, token: int) -> None:
        """Forget a stale publish."""
        self._ids[self._find(token)] = NOBODY

    def _age(self, slot: int) -> int:
        return (self._ids[slot] - self._last_id - 1) % 65535

    def _find(self, token: int) -> int:
        for slot in range(len(self._ids)):
            if self._ids[slot] != NOBODY and self._stale[slot] and self._tokens[slot] == token:
                return slot
        raise ValueError("expected a stale publish, got token %d" % token)
