"""Observations out of a store: pages in commit order, and the latest value of every channel."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np

from device_manager.ports import Codec, FleetReader
from device_manager.series.decisions import Decision, State, fold
from device_manager.series.deployments import NO_SITE, Deployments
from device_manager.series.epochs import Epochs
from device_manager.series.flags import INVALID
from device_manager.series.observations import Observations, observations

PAGE_FRAMES = 2000


class LastValue(NamedTuple):
    """The newest present value of a channel in its node's newest frame; `value` None when all of it are missing."""

    node_id: int
    site_id: int | None
    sensor: str
    quantity: str
    unit: str
    value: float | None
    flags: int
    start_s: int
    end_s: int


class Series:
    """Reads observations; keeps epochs between calls. Not for two threads at once."""

    def __init__(self, reader: FleetReader, codec: Codec) -> None:
        self._reader = reader
        self._loads = codec.loads
        self._epochs = Epochs(reader.record, codec.loads)

    def pages(
        self, *, after: int = 0, node_id: int | None = None, since_s: int | None = None, until_s: int | None = None
    ) -> Iterator[Observations]:
        """Yield observations of frames above number `after` in commit order, some 2000 frames a page.

        With a window (Unix s), readings whose begin lies in [since_s, until_s).
        """
        deployments = Deployments(self._reader.deployments())
        records = self._reader.records(after=after, node_id=node_id, since_s=since_s, until_s=until_s)
        while page := list(islice(records, PAGE_FRAMES)):
            found = observations(page, self._epochs, deployments, self._loads)
            yield _inside(_judged(found, self._state()), since_s, until_s)

    def latest(self) -> list[LastValue]:
        """Return the latest value of every channel of every node, by node and in the order of its channels."""
        deployments = Deployments(self._reader.deployments())
        found = observations(self._reader.latest_frames(), self._epochs, deployments, self._loads)
        found = _judged(found, self._state())
        return [_last(found, row) for row in _newest_rows(found)]

    def newest_frames(self) -> Observations:
        """Return all readings of the newest frame of every node, as the nodes sent them."""
        deployments = Deployments(self._reader.deployments())
        return observations(self._reader.latest_frames(), self._epochs, deployments, self._loads)

    def _state(self) -> State:
        return fold(Decision(*row) for row in self._reader.decisions())


def _judged(found: Observations, state: State) -> Observations:
    """Return the rows with the bit of those that people said are invalid."""
    if not state.invalidations or not len(found):
        return found
    flags = found.flags.copy()
    quantities = np.array([channel.quantity for channel in found.channels])[found.channel]
    for said in state.invalidations.values():
        rows = said.covers(found.site_id, found.start_s, found.end_s)
        if said.quantity is not None:
            rows &= quantities == said.quantity
        if said.node_id is not None:
            rows &= found.node_id == said.node_id
        flags[rows] |= INVALID
    return replace(found, flags=flags)


def _inside(found: Observations, since_s: int | None, until_s: int | None) -> Observations:
    if since_s is None and until_s is None:
        return found
    low = since_s if since_s is not None else 0
    high = until_s if until_s is not None else np.iinfo(np.int64).max
    return found.where((found.start_s >= low) & (found.start_s < high))


def _newest_rows(found: Observations) -> list[int]:
    """Return for each (node, channel) the row with the latest present value, else the latest row."""
    newest: dict[tuple[int, int], int] = {}
    present = ~np.isnan(found.value)
    keys = zip(found.node_id.tolist(), found.channel.tolist(), strict=True)
    for row, (key, is_present) in enumerate(zip(keys, present.tolist(), strict=True)):
        if key not in newest or is_present or not present[newest[key]]:
            newest[key] = row
    return list(newest.values())


def _last(found: Observations, row: int) -> LastValue:
    channel = found.channels[found.channel[row]]
    value, site_id = float(found.value[row]), int(found.site_id[row])
    return LastValue(
        node_id=int(found.node_id[row]),
        site_id=None if site_id == NO_SITE else site_id,
        sensor=channel.sensor,
        quantity=channel.quantity,
        unit=channel.unit,
        value=None if np.isnan(value) else value,
        flags=int(found.flags[row]),
        start_s=int(found.start_s[row]),
        end_s=int(found.end_s[row]),
    )
