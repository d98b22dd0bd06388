"""A filter and an order of many observations at once.

A comparison of an observation's own numbers and times with a constant is one numpy expression. Whatever asks for what
many observations share (Datastream, place, lineage, quality) is answered once for each that occurs. What is neither is
answered with 501.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from device_manager.series.flags import UNUSABLE, names
from device_manager.twin.catalogue import Catalogue
from device_manager.twin.evaluation import expressions
from device_manager.twin.evaluation.entities import values_at
from device_manager.twin.evaluation.values import FLIPPED, OPERATORS, Moment, Span, as_time, rank
from device_manager.twin.model import OBSERVATION
from device_manager.twin.observations import Making, Rows
from device_manager.twin.query.check import Way, kind_of, resolve
from device_manager.twin.query.parser import nodes
from device_manager.twin.query.syntax import Both, Compared, Either, Expression, Negated, Order, Path, Unsupported

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
OWN = ("id", "phenomenonTime", "resultTime", "result")


class Table(NamedTuple):
    """Observations with what they belong to; `feature` is the id of each one's FeatureOfInterest."""

    catalogue: Catalogue
    rows: Rows
    feature: Ints
    now_s: float


def table(catalogue: Catalogue, rows: Rows, now_s: float) -> Table:
    """Return rows as a table."""
    site_of = {stream_id: catalogue.streams[stream_id].site_id for stream_id in np.unique(rows.stream).tolist()}
    distinct, at = np.unique(rows.stream, return_inverse=True)
    sites = np.array([site_of[s] for s in distinct.tolist()], dtype=np.int64)[at] if len(rows) else rows.stream
    return Table(catalogue, rows, catalogue.features(sites, rows.start_s), now_s)


def parameters(flags: int, replaces: int, making: Making) -> dict[str, Any]:
    """Return an observation's `parameters`: quality bits, lineage, and the number that it replaces."""
    return {
        "q": flags,
        "node": making.node,
        "sensor": making.sensor,
        "firmware": making.firmware,
        "configuration": making.configuration,
        "soundCalibration": making.sound_calibration,
        "calibration": making.calibration or None,
        "replaces": replaces or None,
    }


def quality(flags: int) -> dict[str, Any]:
    """Return an observation's `resultQuality`: whether one may calculate with it, and its bits by name."""
    return {"usable": flags & UNUSABLE == 0, "flags": names(flags)}


def truth(tree: Expression, of: Table) -> Bools:
    """Return for each observation whether the filter holds."""
    if isinstance(tree, Both):
        return truth(tree.left, of) & truth(tree.right, of)
    if isinstance(tree, Either):
        return truth(tree.left, of) | truth(tree.right, of)
    if isinstance(tree, Negated):
        return ~truth(tree.inner, of)
    paths = [node for node in nodes(tree) if isinstance(node, Path)]
    if any(_is_own(path) for path in paths):
        return _own(tree, of)
    return _shared(tree, paths, of)


def _way(path: Path) -> Way:
    return resolve(OBSERVATION, path)


def _is_own(path: Path) -> bool:
    way = _way(path)
    return not way.relations and (way.field in OWN or way.inner[:1] == ("replaces",))


def _own(tree: Expression, of: Table) -> Bools:
    """Compare a column with a constant."""
    if isinstance(tree, Compared):
        operator, path, other = tree.operator, tree.left, tree.right
        if not isinstance(path, Path):
            operator, path, other = FLIPPED[operator], other, path
        if isinstance(path, Path) and not any(isinstance(node, Path) for node in nodes(other)):
            (value,) = expressions.values(other, lambda _: [], of.now_s)
            return _compared(of.rows, _way(path), operator, value)
    position = next(node.position for node in nodes(tree) if isinstance(node, Path))
    raise Unsupported("an observation's own values can only be compared with a constant", position)


def _compared(rows: Rows, way: Way, operator: str, value: Any) -> Bools:
    if way.field in ("phenomenonTime", "resultTime"):
        return _time_compared(rows, way.field, operator, as_time(value))
    column, missing = _numbers(rows, way)
    if value is None:
        return missing if operator == "eq" else ~missing if operator == "ne" else np.zeros(len(rows), dtype=bool)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return np.full(len(rows), operator == "ne")
    found = _operate(operator, column, value)
    return found | missing if operator == "ne" else found & ~missing


def _operate(operator: str, column: npt.NDArray[Any], value: float) -> Bools:
    return np.asarray(OPERATORS[operator](column, value), dtype=bool)


def _numbers(rows: Rows, way: Way) -> tuple[npt.NDArray[Any], Bools]:
    """Return a column of numbers and where it is null."""
    if way.field == "result":
        return rows.value, np.isnan(rows.value)
    if way.field == "id":
        return rows.number, np.zeros(len(rows), dtype=bool)
    return rows.replaces, rows.replaces == 0


def _time_compared(rows: Rows, field: str, operator: str, value: Moment | Span | None) -> Bools:
    if value is None:
        return np.full(len(rows), operator == "ne")
    if field == "resultTime" or isinstance(value, Moment):
        return _operate(operator, rows.end_s if field == "resultTime" else rows.start_s, value[0])
    before = (rows.start_s < value.start_s) | ((rows.start_s == value.start_s) & (rows.end_s < value.end_s))
    same = (rows.start_s == value.start_s) & (rows.end_s == value.end_s)
    parts: dict[str, Bools] = {
        "eq": same,
        "ne": ~same,
        "lt": before,
        "le": before | same,
        "gt": ~before & ~same,
        "ge": ~before,
    }
    return parts[operator]


def _shared(tree: Expression, paths: Sequence[Path], of: Table) -> Bools:
    """Answer once for each combination of what the paths ask for."""
    firsts, at = _groups([_way(path) for path in paths], of)

    def lookup_in(row: int) -> Any:
        return lambda path: _values(_way(path), row, of)

    found = [expressions.truth(tree, lookup_in(row), of.now_s) for row in firsts]
    return np.array(found, dtype=bool)[at]


def _groups(ways: Sequence[Way], of: Table) -> tuple[list[int], Ints]:
    """Return a row for each combination of what the ways depend on, and to which of them each row belongs."""
    columns = {_depends(way): None for way in ways}
    sources = {"stream": of.rows.stream, "feature": of.feature, "flags": of.rows.flags, "made": of.rows.made}
    group = np.zeros(len(of.rows), dtype=np.int64)
    for name in columns:
        _, at = np.unique(sources[name], return_inverse=True)
        group = np.unique(group * (int(at.max(initial=0)) + 1) + at, return_inverse=True)[1]
    _, first, at = np.unique(group, return_index=True, return_inverse=True)
    return first.tolist(), at


def _depends(way: Way) -> str:
    if way.relations:
        return "stream" if way.relations[0].kind == "Datastream" else "feature"
    if way.field == "resultQuality" or way.inner[:1] == ("q",):
        return "flags"
    return "made"


def _values(way: Way, row: int, of: Table) -> list[Any]:
    """Return the values that a way leads to from one observation."""
    rows = of.rows
    if way.relations:
        first = way.relations[0]
        start = int(rows.stream[row]) if first.kind == "Datastream" else int(of.feature[row])
        rest = way._replace(relations=way.relations[1:])
        return values_at(of.catalogue, rest, kind_of(first), start)
    flags, making = int(rows.flags[row]), rows.makings[rows.made[row]]
    value: Any = quality(flags) if way.field == "resultQuality" else parameters(flags, int(rows.replaces[row]), making)
    for name in way.inner:
        value = value.get(name) if isinstance(value, dict) else None
    return [value]


def order(orders: Sequence[Order], of: Table) -> Ints:
    """Return the rows in order; the number goes last, in the direction of the last key."""
    keys: list[npt.NDArray[Any]] = []
    for key in orders:
        columns = _keys(_way(key.path), of, descending=key.descending)
        keys += [-column for column in columns] if key.descending else columns
    last = of.rows.number
    keys.append(-last if orders and orders[-1].descending else last)
    return np.lexsort(keys[::-1])


def _keys(way: Way, of: Table, *, descending: bool) -> list[npt.NDArray[Any]]:
    rows = of.rows
    if not way.relations and way.field == "phenomenonTime":
        return [rows.start_s, rows.end_s]
    if not way.relations and way.field == "resultTime":
        return [rows.end_s]
    if not way.relations and (way.field in OWN or way.inner[:1] == ("replaces",)):
        column, missing = _numbers(rows, way)
        return [(~missing).astype(np.int64), np.where(missing, 0, column)]
    firsts, at = _groups([way], of)
    ranked = [[rank(value) for value in _values(way, row, of)] or [rank(None)] for row in firsts]
    found = [max(some) if descending else min(some) for some in ranked]
    places = {value: place for place, value in enumerate(sorted(set(found)))}
    return [np.array([places[value] for value in found], dtype=np.int64)[at]]


def holds(tree: Expression | None, of: Table) -> Rows:
    """Return the rows for which a filter holds; all without one."""
    return of.rows if tree is None or not len(of.rows) else of.rows.where(truth(tree, of))
