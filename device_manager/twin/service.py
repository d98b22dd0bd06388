"""One request of SensorThings -> one answer. What is known is refreshed first, so that an answer is never old.

    twin = Twin(parts, Terms())
    twin.answer("Things(1)/Datastreams", [("$top", "5")], "http://host/v1.1", now_s)

Not for two threads at once.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from device_manager import frames as wire
from device_manager.series.archive import Archive
from device_manager.series.epochs import Epochs
from device_manager.series.feed import Feed
from device_manager.series.store import FrameSource, SeriesReader
from device_manager.twin import catalogue as catalogues
from device_manager.twin import naming
from device_manager.twin.catalogue import Catalogue, Sources
from device_manager.twin.conformance import root
from device_manager.twin.evaluation.answering import Answering, Place
from device_manager.twin.evaluation.budget import Budget
from device_manager.twin.live import Live
from device_manager.twin.ports import Identities, Measured, Register, Terms
from device_manager.twin.public import FULL, Seen, View, seen
from device_manager.twin.query import options
from device_manager.twin.query.path import read_path
from device_manager.twin.query.syntax import QueryError
from device_manager.twin.reading import Reader
from device_manager.twin.sources import Newests, Observed
from device_manager.twin.writing.answer import Answer, error, listing, one

log = logging.getLogger("citynode.twin")
_KINDS = ("Measured", "Sensor", "ObservedProperty", "Datastream")
_ROUNDS = 3


class Parts(NamedTuple):
    """What the twin's side stands on."""

    register: Register
    identities: Identities
    source: FrameSource
    series: SeriesReader
    loads: Callable[[bytes], object]


class Twin:
    """Answers requests."""

    def __init__(self, parts: Parts, terms: Terms) -> None:
        self._parts = parts
        self._terms = terms
        self._epochs = Epochs(parts.source.record, parts.loads)
        archive = Archive(parts.source, parts.series, parts.loads)
        self.reader = Reader(archive, Feed(parts.source, parts.series, parts.loads), parts.series)
        self.live = Live(parts.source, parts.series, self.reader)
        self._known: object = None
        self._catalogue: Catalogue | None = None
        self._seen: tuple[Catalogue, View, Catalogue, Seen] | None = None

    def refresh(self, now_s: float) -> Catalogue:
        """Take in what changed in the register and what was measured; returns the catalogue as it is now."""
        for _ in range(_ROUNDS):
            made = self._up_to_date(now_s)
            self.live.refresh(made)
            if not self.reader.unknown:
                return made
        return made

    def answer(
        self,
        path: str,
        pairs: Sequence[tuple[str, str]],
        base: str,
        now_s: float,
        budget: Budget | None = None,
        view: View = FULL,
    ) -> Answer:
        """Return the answer to GET `base`/`path`?`pairs` for somebody who may see `view`."""
        try:
            return self._answered(path, pairs, base, now_s, budget or Budget(), view)
        except QueryError as wrong:
            return error(wrong)

    def sight(self, view: View, now_s: float) -> tuple[Catalogue, Observed, Newests]:
        """Return catalogue and observations as somebody who may see `view` sees them, up to date."""
        whole = self.refresh(now_s)
        if view.everything:
            return whole, self.reader, self.live
        if self._seen is None or self._seen[0] is not whole or self._seen[1] != view:
            self._seen = whole, view, seen(whole, view), Seen(whole, view, self.reader, self.live)
        return self._seen[2], self._seen[3], self._seen[3]

    def _answered(
        self, path: str, pairs: Sequence[tuple[str, str]], base: str, now_s: float, budget: Budget, view: View
    ) -> Answer:
        target = read_path(path)
        if not target.steps:
            return Answer(200, "application/json", orjson.dumps(root(base)))
        kind = target.steps[-1].kind
        query = options.read(kind, pairs)
        answering = Answering(*self.sight(view, now_s), base, now_s, budget)
        here: Place = answering.place(target)
        if here.id is not None:
            return one(answering.one(here, query), target.field)
        others = [(name, value) for name, value in pairs if not name.strip().startswith("$")]
        return listing(answering.listing(here, query, f"{base}/{path.strip('/')}", others), query, answering, base)

    def _up_to_date(self, now_s: float) -> Catalogue:
        register = self._parts.register
        sites, nodes, deployments = register.sites(), register.nodes(), register.deployments()
        decided = len(self._parts.source.decisions())
        known: Any = (sites, [(node.node_id, node.name) for node in nodes], deployments, decided)
        if self._catalogue is not None and known == self._known and not self.reader.unknown:
            return self._catalogue
        identities = self._parts.identities
        measured = self._measured() | self.reader.unknown
        calibrations = self.reader.calibrations()
        for kind, keys in naming.keys_needed(measured, calibrations).items():
            identities.give(kind, keys)
        identities.move(naming.moved(sites, identities.places(), deployments, int(now_s)))
        ids = {kind: identities.ids(kind) for kind in _KINDS}
        self._catalogue = catalogues.build(Sources(sites, nodes, deployments, identities.places(), ids), self._terms)
        self._known = known
        self.reader.unknown.clear()
        return self._catalogue

    def _measured(self) -> set[Measured]:
        """Return what was measured anywhere: remembered before, in roll-ups, and in the newest frames."""
        found = {naming.measured_of(key) for key in self._parts.identities.ids("Measured")}
        for site_id, node_id, channels in self._parts.series.layouts():
            found |= {Measured(site_id, node_id, c.sensor, c.quantity, c.unit) for c in channels}
        frames = self._parts.register.latest_frames()
        present = {row.node_id: row.site_id for row in self._parts.register.deployments() if row.until_s is None}
        epochs = wire.heads([frame.payload for frame in frames], self._parts.loads).epoch.tolist() if frames else []
        for frame, seq in zip(frames, epochs, strict=True):
            epoch, site = self._epochs.get(frame.log_id, seq), present.get(frame.node_id)
            if epoch is not None and site is not None:
                found |= {Measured(site, frame.node_id, c.sensor, c.quantity, c.unit) for c in epoch.channels}
        return found
