"""From conditions to alerts: what has one cause is one alert. Pure.

1. While a rule that explains another one holds for all (the broker is away), for the same node (it is silent) or the
   same sensor (it fails), the explained condition adds its node to that alert.
2. Where at least `group_least` nodes, and `group_share` of the accepted ones, of the fleet or else of a district have
   the same rule, they are one alert.
3. What is left is an alert each. Who was told together stays together until it is well, so that the end of a power cut
   does not make new alerts; `before` says who was.

Every node whose condition holds is in exactly one alert for that rule: none is lost and none is told twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from device_manager.monitoring.rules import Rule

MANAGER = "manager"
FLEET = "fleet"
DISTRICT = "district "


class Subject(NamedTuple):
    """What a rule judges: a node, a sensor or channel of it ("sen55", "sen55/pm2_5"), or the manager with no node."""

    node: str
    part: str = ""

    @property
    def name(self) -> str:
        """The name for people: node/part, "manager" without a node."""
        return "/".join(part for part in (self.node or MANAGER, self.part) if part)


class Held(NamedTuple):
    """A condition that holds."""

    rule: str
    subject: Subject
    since_ms: int
    active_ms: int
    value: float | None
    worst: float | None


class Group(NamedTuple):
    """What becomes one alert. `place`: a subject's name, "district X" or "fleet"; `held` are its own conditions, the
    oldest first; `explained` those of other rules that it explains."""

    rule: str
    place: str
    held: tuple[Held, ...]
    explained: tuple[Held, ...] = ()

    @property
    def shared(self) -> bool:
        """True for many nodes told together."""
        return self.place == FLEET or self.place.startswith(DISTRICT)

    @property
    def nodes(self) -> tuple[str, ...]:
        """All nodes of it, by name."""
        return tuple(sorted({one.subject.node for one in (*self.held, *self.explained) if one.subject.node}))


Together = Mapping[tuple[str, str], str]
"""{(rule, node): place} of those who were told together."""


def group(
    held: Iterable[Held], rules: Mapping[str, Rule], districts: Mapping[str, str], before: Together
) -> list[Group]:
    """Return the groups of all conditions that hold; `districts` gives the district of each accepted node."""
    held = sorted(held, key=lambda one: (one.rule, one.subject))
    reasons = _Reasons(held, rules)
    explained: dict[tuple[str, Subject], list[Held]] = {}
    own: dict[str, list[Held]] = {}
    for one in held:
        head = reasons.root(one)
        if head is one:
            own.setdefault(one.rule, []).append(one)
        else:
            explained.setdefault((head.rule, head.subject), []).append(one)
    made: list[Group] = []
    for name, members in own.items():
        made += _grouped(rules[name], members, explained, districts, before)
    return made


class _Reasons:
    """Which condition explains another one."""

    def __init__(self, held: Sequence[Held], rules: Mapping[str, Rule]) -> None:
        self._rules = rules
        self._by = {(one.rule, one.subject): one for one in held}

    def root(self, one: Held) -> Held:
        """Return the condition that is at the bottom of `one`; itself when nothing explains it."""
        seen = {one.rule}
        while True:
            above = next((found for name in self._rules[one.rule].because if (found := self._find(name, one))), None)
            if above is None or above.rule in seen:
                return one
            seen.add(above.rule)
            one = above

    def _find(self, rule: str, one: Held) -> Held | None:
        """Return what holds of the manager, the node, its sensor or the same part."""
        node, part = one.subject
        wider = (Subject(""), Subject(node), Subject(node, part.partition("/")[0]), one.subject)
        return next((found for subject in wider if (found := self._by.get((rule, subject)))), None)


def _grouped(
    rule: Rule,
    members: Sequence[Held],
    explained: Mapping[tuple[str, Subject], Sequence[Held]],
    districts: Mapping[str, str],
    before: Together,
) -> list[Group]:
    """Return the groups of one rule."""
    together = {one.subject.node: before[rule.name, one.subject.node]
                for one in members if (rule.name, one.subject.node) in before}  # fmt: skip
    places = {**_places(rule, members, districts), **together}
    sorted_in: dict[str, list[Held]] = {}
    for one in members:
        sorted_in.setdefault(places.get(one.subject.node, one.subject.name), []).append(one)
    made = []
    for place, mine in sorted_in.items():
        mine.sort(key=lambda one: (one.since_ms, one.subject))
        under = tuple(other for one in mine for other in explained.get((one.rule, one.subject), ()))
        made.append(Group(rule.name, place, tuple(mine), under))
    return made


def _places(rule: Rule, members: Sequence[Held], districts: Mapping[str, str]) -> dict[str, str]:
    """Return {node: place} of those nodes that are told together."""
    if not rule.group_least:
        return {}
    nodes = {one.subject.node for one in members} & set(districts)
    several = len({districts[node] for node in nodes}) > 1
    if several and _enough(rule, len(nodes), len(districts)):
        return dict.fromkeys(nodes, FLEET)
    found = {}
    for district in {districts[node] for node in nodes}:
        mine = {node for node in nodes if districts[node] == district}
        if district and _enough(rule, len(mine), sum(other == district for other in districts.values())):
            found.update(dict.fromkeys(mine, DISTRICT + district))
    return found


def _enough(rule: Rule, count: int, of: int) -> bool:
    return count >= rule.group_least and count >= rule.group_share * of
