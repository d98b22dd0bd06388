"""The resource path -> where a request begins.

>>> read_path("Things(1)/Datastreams(7)/Observations")
Target(steps=(Step(kind=Kind(name='Thing', ...), id=1, single=True), ...), field='')
"""

import re
from typing import NamedTuple

from device_manager.twin.model import BY_COLLECTION, BY_NAME, Kind
from device_manager.twin.query.syntax import NotFound, QueryError, Unsupported

_SEGMENT = re.compile(r"([A-Za-z]+)(?:\((?:(\d{1,18})|('(?:[^']|'')*'|[^()]*))\))?")
MOST_STEPS = 8


class Step(NamedTuple):
    """A kind and the entity's id where one is named; `single` when it is one entity, by id or by relation."""

    kind: Kind
    id: int | None
    single: bool


class Target(NamedTuple):
    """Steps from a collection on; `field` is a property of the last entity, "" for none."""

    steps: tuple[Step, ...]
    field: str = ""


def read_path(path: str) -> Target:
    """Return where a path leads; NotFound for what is no collection or relation, Unsupported for $ref and the like."""
    parts = [part for part in path.strip("/").split("/") if part]
    if len(parts) > MOST_STEPS:
        raise QueryError(f"expected at most {MOST_STEPS} parts of a path, got {len(parts)}")
    steps: list[Step] = []
    for index, part in enumerate(parts):
        if part.startswith("$"):
            raise Unsupported(f"{part} is not supported")
        step = _step(steps[-1] if steps else None, part)
        if step is None:
            return Target(tuple(steps), _field(steps, parts[index:]))
        steps.append(step)
    return Target(tuple(steps))


def _step(before: Step | None, part: str) -> Step | None:
    """Return the next step, None when `part` is a property of the entity before."""
    match = _SEGMENT.fullmatch(part)
    if match is None:
        raise NotFound(f"no such resource: {part[:60]!r}")
    name, number, other = match.groups()
    if before is None:
        kind, many = BY_COLLECTION.get(name), True
    else:
        found = before.kind.relation(name) if before.single else None
        kind, many = (BY_NAME[found.kind], found.many) if found else (None, True)
        if found is None and before.single and before.kind.field(name):
            return None
    if kind is None:
        raise NotFound(f"no such resource: {part[:60]!r}")
    if other is not None:
        raise NotFound(f"no entity {part[:60]!r}: ids are whole numbers")
    return Step(kind, int(number) if number else None, bool(number) or not many)


def _field(steps: list[Step], rest: list[str]) -> str:
    if len(rest) > 1:
        raise Unsupported(f"{rest[1][:20]} behind a property is not supported")
    field = steps[-1].kind.field(rest[0]) or ""
    return "@iot.id" if field == "id" else field
