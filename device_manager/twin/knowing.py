"""What every request stands on: the catalogue as it is now, and the newest observation of every Datastream.

Shared by all that answer at the same time: `refresh` is done by one after the other, and what it gives is only read.
"""

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from device_manager import frames as wire
from device_manager.series.archive import Archive
from device_manager.series.epochs import Epochs
from device_manager.series.feed import Feed
from device_manager.series.store import FrameSource, SeriesReader
from device_manager.twin import catalogue as catalogues
from device_manager.twin import naming
from device_manager.twin.catalogue import Catalogue, Sources
from device_manager.twin.live import Live
from device_manager.twin.ports import Identities, Measured, Register, Terms
from device_manager.twin.reading import Reader

_KINDS = ("Measured", "Sensor", "ObservedProperty", "Datastream")
_ROUNDS = 3


class Parts(NamedTuple):
    """What the twin's side stands on."""

    register: Register
    identities: Identities
    source: FrameSource
    series: SeriesReader
    loads: Callable[[bytes], object]


class Knowledge:
    """Keeps catalogue and newest observations up to date."""

    def __init__(self, parts: Parts, terms: Terms) -> None:
        self._parts = parts
        self._terms = terms
        self._epochs = Epochs(parts.source.record, parts.loads)
        self._unknown: set[Measured] = set()
        self._reader = self.reader()
        self._known: object = None
        self._catalogue: Catalogue | None = None
        self._lock = threading.Lock()
        self.live = Live(parts.source, parts.series, self._reader)

    def reader(self) -> Reader:
        """Return a reader for one thread at a time; what it meets without a Datastream gets one at the next refresh."""
        source, series, loads = self._parts.source, self._parts.series, self._parts.loads
        return Reader(Archive(source, series, loads), Feed(source, series, loads), series, self._unknown)

    def refresh(self, now_s: float) -> Catalogue:
        """Take in what changed in the register and what was measured; returns the catalogue as it is now."""
        with self._lock:
            for _ in range(_ROUNDS):
                made = self._up_to_date(now_s)
                self.live.refresh(made)
                if not self._unknown:
                    return made
            return made

    def _up_to_date(self, now_s: float) -> Catalogue:
        register = self._parts.register
        sites, names, deployments = register.sites(), register.names(), register.deployments()
        decided = len(self._parts.source.decisions())
        known: Any = (sites, names, deployments, decided)
        unknown = set(self._unknown)
        if self._catalogue is not None and known == self._known and not unknown:
            return self._catalogue
        identities = self._parts.identities
        for kind, keys in naming.keys_needed(self._measured() | unknown, self._reader.calibrations()).items():
            identities.give(kind, keys)
        identities.move(naming.moved(sites, identities.places(), deployments, int(now_s)))
        ids = {kind: identities.ids(kind) for kind in _KINDS}
        self._catalogue = catalogues.build(Sources(sites, names, deployments, identities.places(), ids), self._terms)
        self._known = known
        self._unknown.difference_update(unknown)
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
