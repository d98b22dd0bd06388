"""One rule at one subject over time: a small state machine. Pure.

    state     bad               between           good              not known
    ok        pending           ok                ok                ok
    pending   pending, active   ok                ok                pending
    active    active            active            clearing          active
    clearing  active            active            clearing, ok      clearing

A pending condition becomes active when it has been bad for the rule's `for_s`, a clearing one ok when it has been good
for `clear_for_s`; a time of 0 passes at once. So whatever is active ends once the figure is good for long enough, and
a figure that swings faster than that makes one alert, not many.

Counters are judged by their growth within `over_s`: the points at which they changed are kept for so long.
"""

from collections.abc import Sequence
from typing import NamedTuple

from device_manager.monitoring.rules import Rule

OK, PENDING, ACTIVE, CLEARING = "ok", "pending", "active", "clearing"
BAD, BETWEEN, GOOD, UNKNOWN = "bad", "between", "good", "not known"

TABLE = {
    (OK, BAD): PENDING,
    (OK, BETWEEN): OK,
    (OK, GOOD): OK,
    (OK, UNKNOWN): OK,
    (PENDING, BAD): PENDING,
    (PENDING, BETWEEN): OK,
    (PENDING, GOOD): OK,
    (PENDING, UNKNOWN): PENDING,
    (ACTIVE, BAD): ACTIVE,
    (ACTIVE, BETWEEN): ACTIVE,
    (ACTIVE, GOOD): CLEARING,
    (ACTIVE, UNKNOWN): ACTIVE,
    (CLEARING, BAD): ACTIVE,
    (CLEARING, BETWEEN): ACTIVE,
    (CLEARING, GOOD): CLEARING,
    (CLEARING, UNKNOWN): CLEARING,
}
"""The next state; time then moves pending to active and clearing to ok."""


class Condition(NamedTuple):
    """State of one rule at one subject. `since_ms`: first bad of this time; `changed_ms`: of this state."""

    state: str = OK
    since_ms: int = 0
    changed_ms: int = 0
    value: float | None = None
    worst: float | None = None
    points: tuple[tuple[int, float], ...] = ()

    @property
    def holds(self) -> bool:
        """True while there is to be an alert."""
        return self.state in (ACTIVE, CLEARING)

    @property
    def is_plain(self) -> bool:
        """True when a new one does as well: all is good, and no points of a counter are kept."""
        return self.state == OK and not self.points


def step(rule: Rule, before: Condition, fact: float | None, now_ms: int) -> Condition:
    """Return the condition after `fact` was looked at; None: it is not known. Times must not run backwards."""
    points, value = _growth(rule, before.points, fact, now_ms)
    seen = UNKNOWN if value is None else BAD if rule.is_bad(value) else GOOD if rule.is_good(value) else BETWEEN
    state = TABLE[before.state, seen]
    changed_ms = before.changed_ms if state == before.state else now_ms
    if state == PENDING and seen == BAD and now_ms - changed_ms >= 1000 * rule.for_s:
        state, changed_ms = ACTIVE, now_ms
    if state == CLEARING and seen == GOOD and now_ms - changed_ms >= 1000 * rule.clear_for_s:
        state, changed_ms = OK, now_ms
    since_ms = before.since_ms if before.state != OK else now_ms
    worst = _worse(rule, before.worst if before.state != OK else None, value)
    shown = before.value if value is None else value
    return Condition(state, 0 if state == OK else since_ms, changed_ms, shown, worst, points)


def _growth(
    rule: Rule, points: tuple[tuple[int, float], ...], fact: float | None, now_ms: int
) -> tuple[tuple[tuple[int, float], ...], float | None]:
    """Return the points to keep, and what the rule judges: the fact, or how much a counter grew within `over_s`."""
    if not rule.over_s:
        return (), fact
    if fact is not None and (not points or points[-1][1] != fact):
        points = (*points, (now_ms, fact))
    begin_ms = now_ms - int(1000 * rule.over_s)
    first = max((index for index, point in enumerate(points) if point[0] <= begin_ms), default=0)
    points = points[first:]
    return points, None if fact is None else _risen([value for _, value in points])


def _risen(values: Sequence[float]) -> float:
    """Return the sum of all rises; a counter that starts again begins at 0."""
    return sum(
        later - earlier if later >= earlier else later for earlier, later in zip(values, values[1:], strict=False)
    )


def _worse(rule: Rule, before: float | None, value: float | None) -> float | None:
    if before is None or value is None:
        return value if before is None else before
    return max(before, value) if rule.above is not None else min(before, value)
