"""What a rollout is: whom, in which stages, under which conditions; and how far each node is. Times in ms since 1970.

>>> parse_stage("10%"), parse_stage("5").abort
(Stage(text='10%', abort=Condition(count=None, percent=5.0, minimum=20)), Condition(count=2, percent=None, minimum=1))
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from device_manager.errors import UsageError
from device_manager.rollouts import states
from firmware.wire import releases as wire

HOUR_S, DAY_S = 3600, 86_400


class Told(NamedTuple):
    """What a node last said about an update, see `Shadow.update`."""

    number: int
    attempt: int
    state: str | None
    reason: str = ""


class Node(NamedTuple):
    """One node as the planner sees it; `quiet_s`: since its last frame; `crashes`: all that we know of."""

    name: str
    board: str = ""
    district: str = ""
    supply: str = ""
    zone: str = "Europe/Berlin"
    groups: frozenset[str] = frozenset()
    release: int | None = None
    told: Told | None = None
    online: bool = False
    quiet_s: float = 0.0
    crashes: int = 0
    quarantined: frozenset[int] = frozenset()
    """Numbers that failed here in other rollouts."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds for `hits` of `sample`: so many, or so many percent once the sample is large enough."""

    count: int | None = None
    percent: float | None = None
    minimum: int = 1

    def holds(self, hits: int, sample: int, size: int) -> bool:
        """True when it holds; `size` is what the sample can grow to: no minimum asks for more."""
        if self.count is not None:
            return hits >= self.count
        return sample >= max(1, min(self.minimum, size)) and hits * 100 >= (self.percent or 0.0) * sample

    def __str__(self) -> str:
        return f"{self.count}" if self.count is not None else f"{self.percent:g} % of at least {self.minimum}"


class Stage(NamedTuple):
    """`text` is "5" (nodes), "10%" (of all nodes of the rollout), "group:NAME" or "all" (whoever is left)."""

    text: str
    abort: Condition


class Update(NamedTuple):
    """One node's part; `began_ms` is when it said something or was there after the offer, 0 before."""

    node: str
    stage: int
    state: str = states.QUEUED
    attempt: int = 0
    reason: str = ""
    since_ms: int = 0
    offered_ms: int = 0
    began_ms: int = 0
    crashes: int = 0


class Judgement(NamedTuple):
    """What the gate said about the nodes of a stage at a time: "good", "bad" or "unknown", and its findings."""

    stage: int
    at_ms: int
    verdict: str
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """How careful a rollout is. `window` is "22:00-05:00" in the node's local time, "" for always."""

    success_percent: float = 80.0
    minimum: int = 3
    soak_s: int = DAY_S
    timeout_s: int = 6 * HOUR_S
    silent_s: int = 2 * HOUR_S
    crashes: int = 2
    at_once: int = 500
    window: str = ""
    approve_stages: bool = False
    gate: bool = True
    gate_every_s: int = HOUR_S
    take_back: bool = True
    """Whether a halt also takes updated nodes back to the release from which they came."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """`stage` is the one that runs; `back` the number under which the old release was signed again, None: none."""

    id: int
    number: int
    group: str = ""
    stages: tuple[Stage, ...] = ()
    rules: Rules = Rules()
    state: str = states.DRAFT
    reason: str = ""
    stage: int = 0
    settled_ms: int = 0
    started_ms: int = 0
    looked_ms: int = 0
    present_ms: int = 0
    """Since when the manager looks without a break; nobody's silence is older than that."""
    approved: int = 0
    """Up to which stage people have approved."""
    came_from: int | None = None
    back: int | None = None
    wants_back: bool = False
    judgement: Judgement | None = None
    updates: Mapping[str, Update] = field(default_factory=dict)

    def after(self, event: str, reason: str = "") -> "Rollout":
        """Return the rollout after an event; UsageError when its state knows no such event."""
        state = states.ROLLOUT.get((self.state, event))
        if state is None:
            able = sorted(
                name for known, name in states.ROLLOUT if known == self.state and name not in states.BY_ITSELF
            )
            todo = f"what can be done now: {', '.join(able) or 'nothing'}"
            raise UsageError(expected=f"a rollout in a state to {event} it", got=f"{self.id}, {self.state}", todo=todo)
        return replace(self, state=state, reason=reason)

    def counts(self, stage: int | None = None) -> Counter[str]:
        """Return how many nodes are in which state, of one stage or of all."""
        return Counter(one.state for one in self.updates.values() if stage is None or one.stage == stage)


def parse_stage(text: str) -> Stage:
    """Return a stage; a small one stops at 2 bad nodes, others at 5 % of 20. UsageError for another text."""
    if re.fullmatch(r"[1-9][0-9]{0,5}", text):
        return Stage(text, Condition(count=2 if int(text) > 1 else 1))
    percent = re.fullmatch(r"([0-9]{1,2}(\.[0-9]+)?|100)%", text)
    if (percent and float(percent[1]) > 0) or text == "all" or re.fullmatch(r"group:[a-z0-9-]{1,64}", text):
        return Stage(text, Condition(percent=5.0, minimum=20))
    raise UsageError(
        expected="a stage as 5, 10%, group:NAME or all", got=repr(text), todo="see `citynode rollout create --help`"
    )


def parse_condition(text: str) -> Condition:
    """Return the condition of "3", "5%" or "5%/20" (of a sample of at least 20); UsageError for another text."""
    if re.fullmatch(r"[1-9][0-9]{0,5}", text):
        return Condition(count=int(text))
    found = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]+)?)%(?:/([1-9][0-9]{0,5}))?", text)
    if not found or not 0 < float(found[1]) <= 100:
        raise UsageError(expected="a condition as 3, 5% or 5%/20", got=repr(text), todo="correct it")
    return Condition(percent=float(found[1]), minimum=int(found[2] or 1))


def bad(counts: Mapping[str, int]) -> int:
    """Return how many ended badly: failed, rolled back, rejected, timed out."""
    return sum(counts.get(state, 0) for state in states.BAD)


def sample(counts: Mapping[str, int]) -> int:
    """Return how many ended in a way that tells something."""
    return bad(counts) + counts.get(wire.SUCCEEDED, 0)
