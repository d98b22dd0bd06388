"""How a node is at a given time: a state and its reason, from the shadow alone. Pure.

    never seen  nothing live was heard of it
    online      connected, and heard a moment ago
    quiet       connected and silent, and nothing is due yet
    buffering   its readings wait: it is disconnected (it may be, for `max_offline_s`), or it is catching up
    late        connected, but what was due has not come: any message, or frames
    lost        no sign of life for longer than `max_offline_s`

Time alone only makes it worse: online, quiet, late, lost; or buffering, then lost. Data that arrives late never does:
it is `gaps` that says what is missing, and a gap is a hole in a log that nobody filled for a long time.
"""

from typing import NamedTuple

from device_manager.shadow.fold import Shadow

NEVER, ONLINE, QUIET, BUFFERING, LATE, LOST = "never seen", "online", "quiet", "buffering", "late", "lost"
ALIVE_S = 60  # two keepalives
BACKLOG = 3  # records; fewer are on their way at any moment
_LATE_FRAMES = 3
_SLACK_S = 30


class Expected(NamedTuple):
    """A node's rhythm: seconds of a record and of a frame, and how long it may be away."""

    record_s: int = 60
    frame_s: int = 300
    max_offline_s: int = 86_400

    @property
    def due_s(self) -> int:
        """Seconds after a message by which the next one must have come."""
        return self.frame_s + max(_SLACK_S, self.frame_s // 2)


class Liveness(NamedTuple):
    """A state from the list above and the reason for it, for people."""

    state: str
    reason: str


class Gap(NamedTuple):
    """Numbers `first`..`last` of `log` that have been missing since `since_ms`."""

    log: int
    first: int
    last: int
    since_ms: int


def expected(shadow: Shadow, default: Expected = Expected()) -> Expected:  # noqa: B008  # immutable
    """Return the rhythm that the node's own records show, the default where they do not say."""
    record_s = shadow.record_s or default.record_s
    return Expected(record_s, max(shadow.frame_s or default.frame_s, record_s), default.max_offline_s)


def judge(shadow: Shadow, now_ms: int, rhythm: Expected | None = None) -> Liveness:
    """Return how the node is at `now_ms`; `rhythm` None takes `expected(shadow)`."""
    rhythm = rhythm or expected(shadow)
    if shadow.last_seen_ms is None:
        return Liveness(NEVER, "nothing was heard of it")
    age_s = max(0, now_ms - shadow.last_seen_ms) // 1000
    if age_s > rhythm.max_offline_s:
        return Liveness(LOST, f"no sign of life for {_span(age_s)}, expected within {_span(rhythm.max_offline_s)}")
    if shadow.online is False:
        away = f"disconnected, last heard {_span(age_s)} ago; it keeps its readings"
        return Liveness(BUFFERING, f"{away}, and is lost after {_span(rhythm.max_offline_s)}")
    if age_s > rhythm.due_s:
        return Liveness(LATE, f"connected, but silent for {_span(age_s)}; expected every {_span(rhythm.frame_s)}")
    if (shadow.buffered or 0) > BACKLOG:
        return Liveness(BUFFERING, f"catching up: {shadow.buffered} records to come")
    return _connected(shadow, now_ms, rhythm, age_s)


def gaps(shadow: Shadow, now_ms: int, rhythm: Expected | None = None) -> list[Gap]:
    """Return the holes that are open for so long that they are no delay any more: twice the time of a message."""
    if not shadow.holes:
        return []
    rhythm = rhythm or expected(shadow)
    before_ms = now_ms - 2000 * rhythm.due_s
    return [Gap(*hole) for hole in shadow.holes if hole[3] <= before_ms]


def _connected(shadow: Shadow, now_ms: int, rhythm: Expected, age_s: int) -> Liveness:
    """Judge a node that is connected and not silent for too long."""
    frame_age_s = max(0, now_ms - max(shadow.last_frame_ms or 0, shadow.connected_ms or 0)) // 1000
    if frame_age_s > _LATE_FRAMES * rhythm.frame_s + _SLACK_S:
        return Liveness(LATE, f"connected, but no frame for {_span(frame_age_s)}; see its last health")
    if age_s <= max(ALIVE_S, 2 * rhythm.record_s):
        return Liveness(ONLINE, f"heard {_span(age_s)} ago")
    return Liveness(QUIET, f"heard {_span(age_s)} ago, next message due within {_span(rhythm.due_s - age_s)}")


def _span(seconds: int) -> str:
    """Return seconds in the largest unit that keeps them short."""
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds // size} {unit}"
    return f"{seconds // 86_400} d"
