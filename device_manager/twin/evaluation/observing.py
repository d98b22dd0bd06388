"""Pages of observations, read no further than they are asked for.

    walk   order by phenomenonTime: stretches of time from the begin (or the end) on, until there are enough
    feed   order by id: stretches of numbers, likewise
    sort   any other order, and $count: everything within the filter's bounds

A page ends with a cursor, the key of its last row; the next page goes on behind it, so that a deep page costs what the
first one does, and new observations move nothing. `$skip` without a cursor reads what it skips. Each stretch is
charged to the budget.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from device_manager.twin.catalogue import Catalogue, Stream
from device_manager.twin.evaluation import bounds, columns
from device_manager.twin.evaluation.bounds import Bounds
from device_manager.twin.evaluation.budget import SITE_COST, Budget
from device_manager.twin.observations import Rows, by_time, joined, none
from device_manager.twin.query.options import Query, order_path
from device_manager.twin.query.syntax import QueryError
from device_manager.twin.sources import Observed

Ints = npt.NDArray[np.int64]
FIRST_STRETCH_S = 3600
USUAL_S = {"15min": 900, "1h": 3600, "1d": 86_400, "noise_day": 86_400}  # what an observation covers
RECORD_S = 60  # what a record of a node usually covers
FIRST_NUMBERS = 2000
MOST_NUMBERS = 200_000
AIM_ROWS = 100_000
EVERYTHING = 1 << 60


class Asked(NamedTuple):
    """What observations are asked for: of `streams`, or of all when it is None; `feature` leaves those of one place."""

    catalogue: Catalogue
    streams: Sequence[Stream] | None
    query: Query
    now_s: float
    feature: int | None = None


class Found(NamedTuple):
    """A page in order; `more` when others follow, behind `cursor`; the `total` of all when it was asked for."""

    rows: Rows
    more: bool
    total: int | None
    cursor: str


def page(asked: Asked, reader: Observed, budget: Budget) -> Found:
    """Return the page that a query asks for."""
    query = with_order(asked)
    within = bounds.find(query.filter, asked.now_s)
    streams = _streams(asked, within) if asked.streams is not None or within.streams is not None else None
    asked = asked._replace(query=query, streams=streams)
    if query.top == 0 and not query.count:
        return Found(none(), False, None, "")
    key = _first_key(query)
    if key == "phenomenonTime" and not query.count:
        return full_page(_walk(asked, within, reader, budget), query, time_cursor)
    if key == "id" and streams is None and not query.count:
        return full_page(_feed(asked, within, reader, budget), query, _number_cursor)
    return _sorted(asked, within, reader, budget)


def _first_key(query: Query) -> str:
    """Return the field that alone decides the order, "" when there are more; what follows the id decides nothing."""
    names = "/".join(query.orders[0].path.names)
    first = {"id": "id", "@iot.id": "id", "phenomenonTime": "phenomenonTime"}.get(names, "")
    return first if len(query.orders) == 1 or first == "id" or _by_time_and_id(query) else ""


def _by_time_and_id(query: Query) -> bool:
    """True for phenomenonTime, then id, in one direction: what phenomenonTime alone means."""
    if len(query.orders) != 2 or query.orders[0].path.names != ("phenomenonTime",):
        return False
    first, last = query.orders
    return last.path.names in (("id",), ("@iot.id",)) and last.descending == first.descending


def by_time_only(query: Query) -> bool:
    """True when time alone decides the order, as it does within a Datastream when nothing else is asked for."""
    return not query.orders or _first_key(query) == "phenomenonTime"


def first_width(streams: Sequence[Stream], need: int) -> int:
    """Return how long the first stretch of time is, in s, so that it probably brings `need` observations of each."""
    usual_s = min((USUAL_S.get(stream.aggregate, RECORD_S) for stream in streams), default=RECORD_S)
    return max(FIRST_STRETCH_S, min(need, AIM_ROWS) * usual_s)


def with_order(asked: Asked) -> Query:
    """Return the query with an order: by time within Datastreams, by number over all."""
    if asked.query.orders:
        return asked.query
    name = "id" if asked.streams is None else "phenomenonTime"
    return replace(asked.query, orders=(order_path(name),))


def full_page(parts: Iterable[Rows], query: Query, cursor_of: Callable[[Rows], str]) -> Found:
    """Take rows until the page is full and one more is known."""
    skip = 0 if query.cursor else query.skip
    held, enough = [], skip + query.top + 1
    for part in parts:
        held.append(part)
        enough -= len(part)
        if enough <= 0:
            break
    rows = joined(held)
    taken = rows.where(slice(skip, skip + query.top))
    return Found(taken, len(rows) > skip + query.top, None, cursor_of(taken) if len(taken) else "")


def time_cursor(rows: Rows) -> str:
    """Return the key of the last row of a page by time."""
    return f"{rows.start_s[-1]},{rows.end_s[-1]},{rows.number[-1]}"


def _number_cursor(rows: Rows) -> str:
    return str(rows.number[-1])


def read_cursor(text: str, parts: int) -> list[int]:
    """Return the numbers of a cursor; QueryError for text that is none."""
    found = text.split(",")
    if len(found) != parts or not all(word.lstrip("-").isdigit() and len(word) < 20 for word in found):
        raise QueryError(f"expected the $cursor of a nextLink, got {text[:30]!r}", 0, "$cursor")
    return [int(word) for word in found]


def _feed(asked: Asked, within: Bounds, reader: Observed, budget: Budget) -> Iterator[Rows]:
    """Yield matching rows by number, stretch by stretch."""
    query, descending = asked.query, asked.query.orders[0].descending
    low, high = within.low, min(within.high, reader.last_number())
    if query.cursor:
        (behind,) = read_cursor(query.cursor, 1)
        low, high = (low, min(high, behind - 1)) if descending else (max(low, behind + 1), high)
    size = max(FIRST_NUMBERS, min(query.skip + query.top + 1, MOST_NUMBERS))
    while low <= high:
        first, last = (max(low, high - size + 1), high) if descending else (low, min(high, low + size - 1))
        budget.charge(last - first + 1)
        rows = matching(asked, reader.between(asked.catalogue, first, last))
        yield rows.where(slice(None, None, -1)) if descending else rows
        low, high = (low, first - 1) if descending else (last + 1, high)
        size = min(size * 2, MOST_NUMBERS)


def _walk(asked: Asked, within: Bounds, reader: Observed, budget: Budget) -> Iterator[Rows]:
    """Yield matching rows by time, stretch by stretch."""
    query, descending = asked.query, asked.query.orders[0].descending
    key = tuple(read_cursor(query.cursor, 3)) if query.cursor else None
    since_s, until_s = _span(asked, within)
    if key is not None:
        since_s, until_s = (since_s, min(until_s, key[0] + 1)) if descending else (max(since_s, key[0]), until_s)
    need = (1 if query.cursor else query.skip) + query.top + 1  # the cursor's own row comes again
    for rows in _stretches(asked, within, (since_s, until_s), need, reader, budget, descending=descending):
        found = by_time(matching(asked, rows), descending=descending)
        yield found if key is None else found.where(_behind(found, key, descending=descending))


def _behind(rows: Rows, key: tuple[int, ...], *, descending: bool) -> npt.NDArray[np.bool_]:
    start_s, end_s, number = key
    sides = [(rows.start_s, start_s), (rows.end_s, end_s), (rows.number, number)]
    found = np.zeros(len(rows), dtype=bool)
    for column, value in reversed(sides):
        beyond = column < value if descending else column > value
        found = beyond | ((column == value) & found)
    return found


def _span(asked: Asked, within: Bounds) -> tuple[int, int]:
    """Return the time in which there can be answers."""
    known = asked.catalogue.spans
    spans = [known[stream.stream_id] for stream in _streams(asked, within) if stream.stream_id in known]
    if not spans:
        return 0, 0
    first_s, last_s = min(span[0] for span in spans), max(span[1] for span in spans)
    return max(within.since_s, first_s), min(within.until_s, last_s + 1)


def _streams(asked: Asked, within: Bounds) -> Sequence[Stream]:
    streams = asked.streams if asked.streams is not None else list(asked.catalogue.streams.values())
    return streams if within.streams is None else [s for s in streams if s.stream_id in within.streams]


def _stretches(
    asked: Asked,
    within: Bounds,
    span: tuple[int, int],
    need: int,
    reader: Observed,
    budget: Budget,
    *,
    descending: bool = False,
) -> Iterator[Rows]:
    """Yield what begins in a span, in stretches that grow as long as they bring little."""
    since_s, until_s = span
    streams = _streams(asked, within)
    sites = len({stream.site_id for stream in streams})
    width = first_width(streams, need)
    while since_s < until_s and streams:
        low, high = (max(since_s, until_s - width), until_s) if descending else (since_s, min(until_s, since_s + width))
        budget.charge(SITE_COST * sites)
        rows = reader.rows(asked.catalogue, streams, low, high)
        budget.charge(len(rows))
        yield rows
        since_s, until_s = (since_s, low) if descending else (high, until_s)
        need -= len(rows)
        width = wider(high - low, len(rows), need)


def wider(width: int, brought: int, need: int) -> int:
    """Return the next stretch: as long as what is needed seems to take, a quarter to 16 times the last."""
    wanted = min(need, AIM_ROWS) if need > 0 else AIM_ROWS
    return int(width * min(max(1.1 * wanted / max(brought, 1), 0.25), 16.0)) + 1


def _sorted(asked: Asked, within: Bounds, reader: Observed, budget: Budget) -> Found:
    """Read everything within the bounds, and sort it."""
    query = asked.query
    numbered = within.low > 1 or within.high < bounds.LAST
    if asked.streams is None and (numbered or within.since_s == -bounds.EVER_S):
        parts = list(_feed(_by_number(asked), within, reader, budget))
    else:
        span = _span(asked, within)
        parts = [matching(asked, rows) for rows in _stretches(asked, within, span, EVERYTHING, reader, budget)]
    rows = joined(parts)
    rows = rows.where(columns.order(query.orders, columns.table(asked.catalogue, rows, asked.now_s)))
    skip = query.skip
    taken = rows.where(slice(skip, skip + query.top))
    return Found(taken, len(rows) > skip + query.top, len(rows) if query.count else None, "")


def _by_number(asked: Asked) -> Asked:
    return asked._replace(query=replace(asked.query, orders=(order_path("id"),), cursor=""))


def matching(asked: Asked, rows: Rows) -> Rows:
    """Return the rows of the Datastreams that are asked for, for which the filter holds."""
    if not len(rows):
        return rows
    table = columns.table(asked.catalogue, rows, asked.now_s)
    if asked.feature is not None:
        rows = rows.where(table.feature == asked.feature)
        table = columns.table(asked.catalogue, rows, asked.now_s)
    return columns.holds(asked.query.filter, table)
