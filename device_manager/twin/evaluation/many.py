"""Pages of many Datastreams at once, for `$expand=Observations`: what lies together is read together.

Datastreams of one site and aggregate share frames or chunks, so they are read in one stretch of time after the other,
each as long as its page is not full. The page of each is the one that `observing.page` would give.
"""

from collections.abc import Collection, Sequence

from device_manager.twin.catalogue import Catalogue, Stream
from device_manager.twin.evaluation import bounds
from device_manager.twin.evaluation.budget import SITE_COST, Budget
from device_manager.twin.evaluation.observing import (
    Asked,
    Found,
    by_time_only,
    first_width,
    full_page,
    matching,
    time_cursor,
    wider,
    with_order,
)
from device_manager.twin.observations import Rows, by_time
from device_manager.twin.query.options import Query
from device_manager.twin.sources import Observed

Span = tuple[int, int]


def can_page(query: Query) -> bool:
    """True for queries whose pages are found from one end of time on."""
    return by_time_only(query) and not query.count and not query.cursor and query.top > 0


def pages(
    catalogue: Catalogue, streams: Sequence[Stream], query: Query, now_s: float, reader: Observed, budget: Budget
) -> dict[int, Found]:
    """Return the page of each Datastream, by its id."""
    asked = Asked(catalogue, streams, query, now_s)
    asked = asked._replace(query=with_order(asked))
    groups: dict[tuple[int, str], list[Stream]] = {}
    for stream in streams:
        groups.setdefault((stream.site_id, stream.aggregate), []).append(stream)
    found: dict[int, Found] = {}
    for some in groups.values():
        found |= _of_group(asked._replace(streams=some), reader, budget)
    return found


def _of_group(asked: Asked, reader: Observed, budget: Budget) -> dict[int, Found]:
    query, streams = asked.query, asked.streams or ()
    wanted = query.skip + query.top + 1
    held: dict[int, list[Rows]] = {stream.stream_id: [] for stream in streams}
    lacking = dict.fromkeys(held, wanted)
    open_spans = _spans(asked)
    edge, width = None, first_width(streams, wanted)
    while open_spans:
        low, high = edge = _stretch(open_spans.values(), edge, width, descending=query.orders[0].descending)
        rows = _read(asked, [s for s in streams if s.stream_id in open_spans], edge, reader, budget)
        brought = 0
        for stream_id, (since_s, until_s) in list(open_spans.items()):
            part = rows.where(rows.stream == stream_id)
            held[stream_id].append(part)
            lacking[stream_id] -= len(part)
            brought = max(brought, len(part))
            over = low <= since_s if query.orders[0].descending else high >= until_s
            if over or lacking[stream_id] <= 0:
                del open_spans[stream_id]
        width = wider(high - low, brought, max(lacking.values()))
    return {stream_id: full_page(parts, query, time_cursor) for stream_id, parts in held.items()}


def _spans(asked: Asked) -> dict[int, Span]:
    """Return the time in which each Datastream can have answers; those without are left out."""
    within = bounds.find(asked.query.filter, asked.now_s)
    found = {}
    for stream in asked.streams or ():
        known = asked.catalogue.spans.get(stream.stream_id)
        if known is not None and (within.streams is None or stream.stream_id in within.streams):
            since_s, until_s = max(within.since_s, known[0]), min(within.until_s, known[1] + 1)
            if since_s < until_s:
                found[stream.stream_id] = since_s, until_s
    return found


def _stretch(spans: Collection[Span], before: Span | None, width: int, *, descending: bool) -> Span:
    """Return the next stretch of time, behind the one before, where somebody still lacks something."""
    since_s, until_s = min(span[0] for span in spans), max(span[1] for span in spans)
    if descending:
        high = until_s if before is None else min(before[0], until_s)
        return max(since_s, high - width), high
    low = since_s if before is None else max(before[1], since_s)
    return low, min(until_s, low + width)


def _read(asked: Asked, streams: Sequence[Stream], span: Span, reader: Observed, budget: Budget) -> Rows:
    budget.charge(SITE_COST)
    rows = reader.rows(asked.catalogue, streams, *span)
    budget.charge(len(rows))
    return by_time(matching(asked, rows), descending=asked.query.orders[0].descending)
