"""What ends when, and which nodes are cut off by it if nothing is done. Pure: from dates to rows, the soonest first."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class End(NamedTuple):
    """On `end_s` (Unix s) `what` ends, and `nodes` become unreachable; `remedy` is what prevents it."""

    end_s: float
    what: str
    nodes: tuple[str, ...]
    remedy: str


def forecast(leaves: Mapping[str, float], shared: Iterable[tuple[str, float, str]], nodes: Iterable[str]) -> list[End]:
    """Return the ends, soonest first.

    leaves: node -> end of the certificate that it uses; shared: (what, end, remedy) of what cuts everybody off;
    nodes: those that count, all others are left out. A node without a certificate is shown as ended at 0.
    """
    chosen = tuple(sorted(nodes))
    rows = [End(end_s, what, chosen, remedy) for what, end_s, remedy in shared]
    for node in chosen:
        rows.append(End(leaves.get(node, 0.0), f"certificate of {node}", (node,), f"`citynode ca renew {node}`"))
    return sorted(rows)


def unreachable_from(ends: Iterable[End], node: str) -> float | None:
    """Return when `node` becomes unreachable if nothing is done, None when it is not part of the forecast."""
    return min((end.end_s for end in ends if node in end.nodes), default=None)
