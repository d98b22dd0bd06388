"""What the twin's side asks of the outside, and the values that cross."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from device_manager.ports import Deployment, Site, StoredRecord


class Placed(NamedTuple):
    """Where a site was from `since_s` (Unix s) on, until its next place: id of its Location, HistoricalLocation and
    FeatureOfInterest; degrees WGS 84, `height_m` above ground."""

    location_id: int
    site_id: int
    since_s: int
    latitude: float
    longitude: float
    height_m: float


class Measured(NamedTuple):
    """A quantity that a sensor of a node measured at a site, in `unit` (UCUM)."""

    site_id: int
    node_id: int
    sensor: str
    quantity: str
    unit: str


class Register(Protocol):
    """Sites, nodes, and which node hung where."""

    def sites(self) -> list[Site]:
        """Return all sites."""
        ...

    def names(self) -> dict[int, str]:
        """Return the names of all nodes by `node_id`."""
        ...

    def deployments(self) -> list[Deployment]:
        """Return all deployments."""
        ...

    def latest_frames(self) -> list[StoredRecord]:
        """Return the newest dated frame of every node that has one."""
        ...


class Identities(Protocol):
    """Ids that are given once and never change, by kind and key; durable when a call returns."""

    def ids(self, kind: str) -> Mapping[str, int]:
        """Return all ids of a kind."""
        ...

    def give(self, kind: str, keys: Iterable[str]) -> None:
        """Give an id to each of the keys that has none, in their order."""
        ...

    def places(self) -> Sequence[Placed]:
        """Return all places of sites by begin."""
        ...

    def move(self, places: Iterable[Placed]) -> None:
        """Add places; their ids are given now."""
        ...


class Terms(NamedTuple):
    """Under what terms the data are open; stands in every Datastream."""

    licence: str = "dl-de/by-2-0"
    licence_url: str = "https://www.govdata.de/dl-de/by-2-0"
    retention: str = "records and aggregates are kept without end"
