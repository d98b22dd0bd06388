"""One request of SensorThings -> one answer. What is known is refreshed first, so that an answer is never old.

    twin = Twin(Knowledge(parts, Terms()))
    twin.answer("Things(1)/Datastreams", [("$top", "5")], "http://host/v1.1", now_s)

A Twin is not for two threads at once; `beside` gives another one that shares what is known.
"""

from collections.abc import Sequence

import orjson

from device_manager.twin.catalogue import Catalogue
from device_manager.twin.conformance import root
from device_manager.twin.evaluation.answering import Answering, Place
from device_manager.twin.evaluation.budget import Budget
from device_manager.twin.knowing import Knowledge
from device_manager.twin.live import Live
from device_manager.twin.public import FULL, Seen, View, seen
from device_manager.twin.query import options
from device_manager.twin.query.path import read_path
from device_manager.twin.query.syntax import QueryError
from device_manager.twin.reading import Reader
from device_manager.twin.sources import Newests, Observed
from device_manager.twin.writing.answer import Answer, error, listing, one


class Twin:
    """Answers requests."""

    def __init__(self, known: Knowledge) -> None:
        self._known = known
        self.reader: Reader = known.reader()
        self.live: Live = known.live
        self._seen: tuple[Catalogue, View, Catalogue, Seen] | None = None

    def beside(self) -> "Twin":
        """Return another one that shares what is known, for another thread."""
        return Twin(self._known)

    def refresh(self, now_s: float) -> Catalogue:
        """See `Knowledge.refresh`."""
        return self._known.refresh(now_s)

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
