"""Silence windows: for whom, for which rule and until when nobody is told. Pure. The alerts are kept all the same."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Silence(NamedTuple):
    """`nodes` and `rule` empty: all. Holds in [from_ms, until_ms); `reason` and `actor` for the record."""

    number: int
    rule: str
    nodes: tuple[str, ...]
    from_ms: int
    until_ms: int
    reason: str
    actor: str


def silenced(rule: str, nodes: Sequence[str], silences: Iterable[Silence], now_ms: int) -> bool:
    """True when every node of an alert of `rule` is silenced at `now_ms`; one that is not is reason enough to tell."""
    holding = [one for one in silences if one.from_ms <= now_ms < one.until_ms and one.rule in ("", rule)]
    if any(not one.nodes for one in holding):
        return True
    quiet = {node for one in holding for node in one.nodes}
    return bool(nodes) and set(nodes) <= quiet
