"""The ladder of a connection: a pure state machine, and the whole of it is TABLE.

    REST      wait (back-off with jitter), then
    JOIN      Wi-Fi
    CLOCK     the time, which TLS needs; goes on after CLOCK_MS without it, and TLS then refuses by itself
    OPEN      TCP, TLS, MQTT CONNECT
    ANNOUNCE  subscribe, publish state
    AWAIT     the manager's watermark, for AWAIT_MS at most
    SEND      records, until something fails

The runner does what the state says and reports what came of it by `on(event)`. An event that TABLE does not have for
the state is a mistake of the runner: it raises and changes nothing.

One number of the node's configuration, `max_offline_s`, says how hard it tries. LADDER is what it does, each once, when
neither broker nor manager has taken anything for that percentage of it; the longest rest is its 240th part.

    RETRY    rest, and the next broker address
    RADIO    Wi-Fi off and on again
    RENEW    read certificates and key again, ask for the address again
    REBOOT   a controlled reboot: the open frame is kept
"""

from firmware.wire import const

REST, JOIN, CLOCK, OPEN, ANNOUNCE, AWAIT, SEND = "rest", "join", "clock", "open", "announce", "await", "send"
DONE, FAILED, TIMEOUT = "done", "failed", "timeout"

TABLE = {
    (REST, TIMEOUT): JOIN,
    (JOIN, DONE): CLOCK,
    (JOIN, FAILED): REST,
    (CLOCK, DONE): OPEN,
    (CLOCK, TIMEOUT): OPEN,
    (OPEN, DONE): ANNOUNCE,
    (OPEN, FAILED): REST,
    (ANNOUNCE, DONE): AWAIT,
    (ANNOUNCE, FAILED): REST,
    (AWAIT, DONE): SEND,
    (AWAIT, TIMEOUT): SEND,
    (AWAIT, FAILED): REST,
    (SEND, FAILED): REST,
}

RETRY, RADIO, RENEW, REBOOT = "retry", "radio", "renew", "reboot"
LADDER = ((0, RETRY), (25, RADIO), (50, RENEW), (100, REBOOT))

MAX_OFFLINE_S = 14400
CLOCK_MS = 10000
AWAIT_MS = 3000
FIRST_REST_MS = 1000
_REST_SHARE = const(240)  # four hours: one minute
STEADY_MS = 10000
_UNSTEADY_FAILURES = const(3)  # rests of 2 to 4 s
_MANY_FAILURES = const(16)


class Session:
    """`brokers` is how many addresses there are; `random_u32()` spreads the nodes of a city after a power cut."""

    def __init__(self, brokers: int, random_u32, max_offline_s: int = MAX_OFFLINE_S) -> None:
        if brokers < 1:
            raise ValueError("expected at least one broker in the configuration, got none")
        self.state = REST
        self.broker = 0
        self.failures = 0
        self._brokers = brokers
        self._max_offline_s = max_offline_s
        self._rung = 0  # of LADDER, taken last
        self._random_u32 = random_u32

    def on(self, event: str) -> str:
        """Take what came of the state, return the next state."""
        if (self.state, event) not in TABLE:
            raise ValueError("expected an event of state %s, got %s" % (self.state, event))
        if event == FAILED:
            self.failures += 1
            if self.state != JOIN:
                self.broker = (self.broker + 1) % self._brokers
        self.state = TABLE[self.state, event]
        return self.state

    def useful(self, lasted_ms: int) -> None:
        """The connection did what it is for, and was opened `lasted_ms` ago: the next rest will be a short one.

        Not the shortest before STEADY_MS: two nodes of one name throw each other out again and again.
        """
        self._rung = 0
        self.failures = 0 if lasted_ms >= STEADY_MS else min(self.failures, _UNSTEADY_FAILURES)

    def measure(self, offline_s: int) -> str:
        """What to do before the next attempt, when nothing was taken for `offline_s`: a rung of LADDER."""
        if self._rung + 1 < len(LADDER) and 100 * offline_s >= LADDER[self._rung + 1][0] * self._max_offline_s:
            self._rung += 1
            return LADDER[self._rung][1]
        return RETRY

    def rival(self) -> None:
        """The broker says that somebody else uses our name: come back as late as the back-off allows."""
        self.failures = _MANY_FAILURES

    def rest_ms(self) -> int:
        """How long to rest now: doubles with every failure, between half and all of it; shorter after a start."""
        if not self.failures:
            return self._random_u32() % FIRST_REST_MS
        limit = max(2 * FIRST_REST_MS, 1000 * self._max_offline_s // _REST_SHARE)
        longest = min(FIRST_REST_MS << min(self.failures - 1, _MANY_FAILURES), limit)
        return longest // 2 + self._random_u32() % (longest // 2)
