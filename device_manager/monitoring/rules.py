"""Rules as data: what is watched, with limits, and what to do. `rules.toml` ships; `alerts.toml` of a fleet changes it.

>>> rules = read({"node-memory": {"below": 4096}}, base=shipped())
>>> rules["node-memory"].create, rules["node-memory"].clear
(4096.0, 12288.0)
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from importlib import resources
from typing import Any

from device_manager.errors import SetupError
from device_manager.monitoring.facts import FACTS, SUBJECTS

SEVERITIES = ("info", "warning", "critical")  # the later, the worse
_NUMBERS = ("above", "below", "clear", "for_s", "clear_for_s", "over_s", "escalate_s", "group_least", "group_share")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; the keys of `rules.toml`. Exactly one of `above` and `below` is given."""

    name: str
    on: str
    fact: str
    severity: str
    title: str
    next_step: str
    above: float | None = None
    below: float | None = None
    clear_limit: float | None = None
    for_s: float = 0
    clear_for_s: float = 0
    over_s: float = 0
    escalate_s: float = 0
    group_least: int = 0
    group_share: float = 1.0
    because: tuple[str, ...] = ()
    enabled: bool = True

    @property
    def create(self) -> float:
        """The limit beyond which it is bad."""
        return float(self.above if self.above is not None else self.below)  # type: ignore[arg-type]  # checked by `read`

    @property
    def clear(self) -> float:
        """The limit at which it is good again."""
        return self.create if self.clear_limit is None else self.clear_limit

    @property
    def unit(self) -> str:
        """Unit of value and limit."""
        return FACTS[self.fact].unit

    def is_bad(self, value: float) -> bool:
        """True beyond the limit."""
        return value > self.create if self.above is not None else value < self.create

    def is_good(self, value: float) -> bool:
        """True on the good side of the clear limit; what is neither bad nor good changes nothing."""
        return value <= self.clear if self.above is not None else value >= self.clear


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, Rule]:
    """Return the rules that come with citynode, by name."""
    text = resources.files("device_manager.monitoring").joinpath("rules.toml").read_text("utf-8")
    return read(tomllib.loads(text), base={}, where="rules.toml")


def read(document: Mapping[str, Any], base: Mapping[str, Rule], where: str = "alerts.toml") -> dict[str, Rule]:
    """Return `base` changed by a document {rule: {key: value}}; SetupError names the rule and key that is wrong."""
    made = dict(base)
    for name, table in document.items():
        if not isinstance(table, Mapping):
            _refuse(f"a table [{name}]", table, where)
        made[name] = _rule(name, table, made.get(name), where)
    for rule in made.values():
        unknown = [other for other in rule.because if other not in made]
        if unknown:
            _refuse(f"known rules in because of [{rule.name}]", unknown[0], where)
    return made


def _rule(name: str, table: Mapping[str, Any], before: Rule | None, where: str) -> Rule:
    values = {("clear_limit" if key == "clear" else key): value for key, value in table.items()}
    for key, value in values.items():
        _check_value(name, key, value, where)
    if "because" in values:
        values["because"] = tuple(values["because"])
    if before is None:
        missing = [key for key in ("on", "fact", "severity", "title", "next_step") if key not in values]
        if missing:
            _refuse(f"{missing[0]} in [{name}]", "none", where)
        made = Rule(name=name, **values)
    else:
        made = replace(before, **values)
    _check_rule(made, where)
    return made


def _check_value(name: str, key: str, value: object, where: str) -> None:
    known = {field.name for field in fields(Rule)} - {"name"}
    if key not in known:
        _refuse(f"a known key in [{name}]", key, where)
    plain = "clear" if key == "clear_limit" else key
    if plain in _NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float)):
        _refuse(f"a number for {plain} in [{name}]", value, where)
    if key == "because" and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        _refuse(f"a list of rules for because in [{name}]", value, where)
    if key in ("on", "fact", "severity", "title", "next_step") and not isinstance(value, str):
        _refuse(f"text for {key} in [{name}]", value, where)


def _check_rule(rule: Rule, where: str) -> None:
    if rule.fact not in FACTS or FACTS[rule.fact].on != rule.on:
        _refuse(f"a fact on {'one of ' + ', '.join(SUBJECTS) if rule.on not in SUBJECTS else rule.on} in [{rule.name}]",
                rule.fact, where)  # fmt: skip
    if rule.severity not in SEVERITIES:
        _refuse(f"severity {', '.join(SEVERITIES)} in [{rule.name}]", rule.severity, where)
    if (rule.above is None) == (rule.below is None):
        _refuse(f"either above or below in [{rule.name}]", "both or none", where)
    wrong_side = rule.clear > rule.create if rule.above is not None else rule.clear < rule.create
    if wrong_side:
        _refuse(f"clear of [{rule.name}] on the good side of {rule.create:g}", rule.clear, where)
    if min(rule.for_s, rule.clear_for_s, rule.over_s, rule.escalate_s, rule.group_least) < 0:
        _refuse(f"no negative time or count in [{rule.name}]", "one", where)
    if not 0 < rule.group_share <= 1:
        _refuse(f"a group_share above 0 and up to 1 in [{rule.name}]", rule.group_share, where)


def _refuse(expected: str, got: object, where: str) -> None:
    raise SetupError(expected=f"{expected} of {where}", got=repr(got), todo="see `citynode alert rules`")
