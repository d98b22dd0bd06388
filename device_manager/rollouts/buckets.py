"""In which order nodes are taken: by a hash of rollout and node, the first ones spread over board, district and supply.

The same nodes always give the same order, whatever order they come in, and another rollout has other canaries.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from hashlib import sha256

from device_manager.rollouts.model import Node, Stage

SPREAD = 50  # so many are spread; of more than that every kind is there by itself


def bucket(rollout: int, node: str) -> bytes:
    """Return where a node stands in a rollout."""
    return sha256(f"{rollout}:{node}".encode()).digest()


def order(rollout: int, nodes: Collection[Node]) -> list[Node]:
    """Return the nodes in the order of the rollout."""
    buckets = {node.name: bucket(rollout, node.name) for node in nodes}
    ordered = sorted(nodes, key=lambda node: buckets[node.name])
    kinds: dict[tuple[str, str, str], list[Node]] = defaultdict(list)
    for node in reversed(ordered):
        kinds[node.board, node.district, node.supply].append(node)
    taken: Counter[tuple[int, str]] = Counter()
    first: list[Node] = []
    while kinds and len(first) < SPREAD:
        kind = min(kinds, key=lambda one: (_had(taken, one), buckets[kinds[one][-1].name]))
        taken.update(enumerate(kind))
        first.append(kinds[kind].pop())
        if not kinds[kind]:
            del kinds[kind]
    names = {node.name for node in first}
    return first + [node for node in ordered if node.name not in names]


def _had(taken: Counter[tuple[int, str]], kind: tuple[str, str, str]) -> int:
    return sum(taken[trait] for trait in enumerate(kind))


def assign(rollout: int, stages: Sequence[Stage], nodes: Collection[Node]) -> dict[str, int]:
    """Return {node: stage}; the last stage takes whoever is left, whatever it says."""
    left, found = order(rollout, nodes), {}
    for index, stage in enumerate(stages[:-1]):
        part = _part(stage.text, left, len(nodes))
        found.update({node.name: index for node in part})
        left = [node for node in left if node.name not in found]
    found.update({node.name: len(stages) - 1 for node in left})
    return found


def _part(text: str, left: list[Node], of: int) -> list[Node]:
    if text.startswith("group:"):
        return [node for node in left if text.removeprefix("group:") in node.groups]
    if text == "all":
        return left
    return left[: math.ceil(of * float(text[:-1]) / 100) if text.endswith("%") else int(text)]
