"""Where the evaluation of queries gets observations from: everything, or what an asker may see (see `public`)."""

from collections.abc import Iterable
from typing import Protocol

from device_manager.twin.catalogue import Catalogue, Stream
from device_manager.twin.observations import Rows


class Observed(Protocol):
    """Observations by time and by number, see `reading.Reader`."""

    def rows(self, catalogue: Catalogue, streams: Iterable[Stream], since_s: int, until_s: int) -> Rows:
        """Return the observations of the Datastreams that begin in [since_s, until_s), in no order."""
        ...

    def between(self, catalogue: Catalogue, low: int, high: int) -> Rows:
        """Return the observations with the numbers low..high, by number."""
        ...

    def last_number(self) -> int:
        """Return the highest number that was given."""
        ...


class Newests(Protocol):
    """The newest observations, see `live.Live`."""

    def latest(self, stream_ids: Iterable[int]) -> Rows:
        """Return the newest observation of each Datastream that has one."""
        ...

    def has_more(self, stream_id: int) -> bool:
        """True when a Datastream has observations before its newest."""
        ...
