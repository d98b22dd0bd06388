"""The answer to a Query at a resource path: entities and observations, with everything that is expanded."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from device_manager.twin.catalogue import Catalogue, Stream
from device_manager.twin.evaluation import columns, entities, many
from device_manager.twin.evaluation.budget import Budget
from device_manager.twin.evaluation.observing import Asked, Found, page
from device_manager.twin.model import BY_NAME, DATASTREAM, OBSERVATION, THING, Kind
from device_manager.twin.observations import Rows
from device_manager.twin.query.options import Expand, Query
from device_manager.twin.query.path import Step, Target
from device_manager.twin.query.syntax import NotFound, QueryError
from device_manager.twin.query.unparse import next_link
from device_manager.twin.sources import Newests, Observed
from device_manager.twin.writing import entities as write

Entity = dict[str, Any]


class Place(NamedTuple):
    """Where a path ended: one entity by `id`, or the collection of those `ids` (None: of observations)."""

    kind: Kind
    id: int | None
    ids: Sequence[int] | None
    row: Rows | None = None
    streams: Sequence[Stream] | None = None
    feature: int | None = None


class Listing(NamedTuple):
    """A page: items as they are written (`rows` for observations), their total, and the link to the next page."""

    items: list[Entity]
    total: int | None
    next: str | None
    rows: Rows | None = None
    ids: Sequence[int] = ()


class Answering:
    """Answers one request."""

    def __init__(
        self, catalogue: Catalogue, reader: Observed, live: Newests, base: str, now_s: float, budget: Budget
    ) -> None:
        self._catalogue = catalogue
        self._reader = reader
        self._live = live
        self._base = base
        self._now_s = now_s
        self._budget = budget

    # Where a path leads

    def place(self, target: Target) -> Place:
        """Return where a path ends; NotFound for an entity that is not there."""
        here = self._first(target.steps[0])
        for step in target.steps[1:]:
            here = self._next(here, step)
        return here

    def _first(self, step: Step) -> Place:
        if step.kind is OBSERVATION:
            return self._observation(step.id) if step.id is not None else Place(OBSERVATION, None, None)
        known = self._catalogue.entities[step.kind.name]
        return self._at(step, list(known))

    def _next(self, here: Place, step: Step) -> Place:
        if here.row is not None:
            table = columns.table(self._catalogue, here.row, self._now_s)
            found = here.row.stream if step.kind is DATASTREAM else table.feature
            return Place(step.kind, int(found[0]), None)
        assert here.id is not None
        if step.kind is OBSERVATION:
            return self._of_entity(here.kind, here.id, step.id)
        ids = self._catalogue.related(here.kind.name, here.id, step.kind.name)
        relation = here.kind.relation(step.kind.name)
        if relation is not None and not relation.many:
            if not ids:
                raise NotFound(f"{here.kind.name} {here.id} has no {step.kind.name}")
            return Place(step.kind, ids[-1], None)
        return self._at(step, ids)

    def _at(self, step: Step, ids: Sequence[int]) -> Place:
        if step.id is None:
            return Place(step.kind, None, ids)
        if step.id not in ids:
            raise NotFound(f"there is no {step.kind.name} {step.id} here")
        return Place(step.kind, step.id, None)

    def _of_entity(self, kind: Kind, entity_id: int, number: int | None) -> Place:
        """Return the observations of a Datastream or of a FeatureOfInterest, or one of them."""
        streams, feature = self.observed(kind, entity_id)
        if number is None:
            return Place(OBSERVATION, None, None, None, streams, feature)
        found = self._observation(number)
        assert found.row is not None
        table = columns.table(self._catalogue, found.row, self._now_s)
        there = int(found.row.stream[0]) in {s.stream_id for s in streams}
        if not there or (feature is not None and int(table.feature[0]) != feature):
            raise NotFound(f"there is no Observation {number} here")
        return found

    def observed(self, kind: Kind, entity_id: int) -> tuple[list[Stream], int | None]:
        """Return the Datastreams whose observations an entity has, and the place that they must be of."""
        if kind is DATASTREAM:
            return [self._catalogue.streams[entity_id]], None
        site_id = self._catalogue.related("HistoricalLocation", entity_id, "Thing")[0]
        streams = self._catalogue.related("Thing", site_id, "Datastream")
        return [self._catalogue.streams[i] for i in streams], entity_id

    def _observation(self, number: int) -> Place:
        rows = self._reader.between(self._catalogue, number, number)
        if not len(rows):
            raise NotFound(f"there is no Observation {number}; it may have been replaced by a later one")
        return Place(OBSERVATION, number, None, rows)

    # What stands there

    def one(self, here: Place, query: Query) -> Entity:
        """Return the entity where a path ended."""
        if here.row is not None:
            return self._observations(here.row, query)[0]
        assert here.id is not None
        if here.id not in self._catalogue.entities[here.kind.name]:
            raise NotFound(f"there is no {here.kind.name} {here.id}")
        return self._entities(here.kind, [here.id], query)[0]

    def listing(self, here: Place, query: Query, url: str, others: Sequence[tuple[str, str]] = ()) -> Listing:
        """Return the page of the collection where a path ended; `url` is where it stands."""
        if here.kind is OBSERVATION:
            return self._listed(self._page(here.streams, query, here.feature), query, url, others)
        if query.cursor:
            raise QueryError("expected no $cursor: it belongs to Observations", 0, "$cursor")
        ids = entities.chosen(self._catalogue, query, here.ids or (), self._now_s, self._budget)
        shown = ids[query.skip : query.skip + query.top]
        more = query.top > 0 and len(ids) > query.skip + query.top
        link = next_link(url, query, others, "") if more else None
        return Listing(self._entities(here.kind, shown, query), len(ids) if query.count else None, link, None, shown)

    def _listed(self, found: Found, query: Query, url: str, others: Sequence[tuple[str, str]] = ()) -> Listing:
        items = [] if query.form == "dataArray" else self._observations(found.rows, query)
        link = next_link(url, query, others, found.cursor) if found.more and query.top else None
        return Listing(items, found.total, link, found.rows)

    def places(self, found: Listing, kind: Kind) -> list[Any]:
        """Return the geometries of what a page lists."""
        features = self._catalogue.entities["FeatureOfInterest"]
        if found.rows is not None:
            return [features[i]["feature"] for i in self.table(found.rows).feature.tolist()]
        if kind is THING:
            places = [self._catalogue.related("Thing", i, "Location")[-1:] for i in found.ids]
            return [features[place[0]]["feature"] if place else None for place in places]
        field = {"Location": "location", "FeatureOfInterest": "feature", "Datastream": "observedArea"}[kind.name]
        return [self._catalogue.entities[kind.name][i][field] for i in found.ids]

    def table(self, rows: Rows) -> columns.Table:
        """Return observations with what they belong to."""
        return columns.table(self._catalogue, rows, self._now_s)

    def _page(self, streams: Sequence[Stream] | None, query: Query, feature: int | None = None) -> Found:
        return page(Asked(self._catalogue, streams, query, self._now_s, feature), self._reader, self._budget)

    def _entities(self, kind: Kind, ids: Sequence[int], query: Query) -> list[Entity]:
        known = self._catalogue.entities[kind.name]
        items = [write.entity(self._base, kind, i, known[i], query.select) for i in ids]
        for expand in query.expands:
            self._expand(kind, ids, items, expand)
        return items

    def _observations(self, rows: Rows, query: Query) -> list[Entity]:
        table = self.table(rows)
        items = write.observations(self._base, table, query.select)
        for expand in query.expands:
            kind = BY_NAME[expand.relation.kind]
            ids = (rows.stream if kind is DATASTREAM else table.feature).tolist()
            written = dict(zip(distinct := list(dict.fromkeys(ids)), self._entities(kind, distinct, expand.query),
                               strict=True))  # fmt: skip
            for item, one in zip(items, ids, strict=True):
                item[expand.relation.name] = written[one]
        return items

    def _expand(self, kind: Kind, ids: Sequence[int], items: Sequence[Entity], expand: Expand) -> None:
        """Write into each item what it is related to."""
        relation, query = expand
        target = BY_NAME[relation.kind]
        if target is OBSERVATION and self._wants_latest(kind, query):
            self._expand_latest(ids, items, expand)
            return
        if target is OBSERVATION and kind is DATASTREAM and many.can_page(query):
            self._expand_pages(ids, items, expand)
            return
        for entity_id, item in zip(ids, items, strict=True):
            self._budget.look()
            if not relation.many:
                found = self._catalogue.related(kind.name, entity_id, target.name)[-1:]
                item[relation.name] = self._entities(target, found, query)[0] if found else None
                continue
            if target is OBSERVATION:
                streams, feature = self.observed(kind, entity_id)
                here = Place(target, None, None, None, streams, feature)
            else:
                here = Place(target, None, self._catalogue.related(kind.name, entity_id, target.name))
            url = f"{write.entity_url(self._base, kind, entity_id)}/{relation.name}"
            _put(item, relation.name, self.listing(here, query, url))

    def _expand_pages(self, ids: Sequence[int], items: Sequence[Entity], expand: Expand) -> None:
        """Write into each Datastream its page of observations, read together."""
        name, query = expand.relation.name, expand.query
        streams = [self._catalogue.streams[stream_id] for stream_id in ids]
        found = many.pages(self._catalogue, streams, query, self._now_s, self._reader, self._budget)
        for stream_id, item in zip(ids, items, strict=True):
            url = f"{write.entity_url(self._base, DATASTREAM, stream_id)}/{name}"
            _put(item, name, self._listed(found[stream_id], query, url))

    def _wants_latest(self, kind: Kind, query: Query) -> bool:
        """True for the newest observation of Datastreams, which is known without reading."""
        newest = [(o.path.names, o.descending) for o in query.orders[:1]] == [(("phenomenonTime",), True)]
        plain = query.filter is None and not query.skip and not query.count and query.top == 1
        return kind is DATASTREAM and newest and plain and len(query.orders) == 1

    def _expand_latest(self, ids: Sequence[int], items: Sequence[Entity], expand: Expand) -> None:
        name, query = expand.relation.name, expand.query
        rows = self._live.latest(ids)
        found = dict(zip(rows.stream.tolist(), self._observations(rows, query), strict=True))
        cursors = zip(rows.start_s.tolist(), rows.end_s.tolist(), rows.number.tolist(), strict=True)
        cursor = dict(zip(rows.stream.tolist(), cursors, strict=True))
        for stream_id, item in zip(ids, items, strict=True):
            listed = [found[stream_id]] if stream_id in found else []
            link = None
            if listed and self._live.has_more(stream_id):
                url = f"{write.entity_url(self._base, DATASTREAM, stream_id)}/{name}"
                link = next_link(url, query, (), ",".join(map(str, cursor[stream_id])))
            _put(item, name, Listing(listed, None, link))


def _put(item: Entity, name: str, listing: Listing) -> None:
    if listing.total is not None:
        item[f"{name}@iot.count"] = listing.total
    item[name] = listing.items
    if listing.next is not None:
        item[f"{name}@iot.nextLink"] = listing.next
