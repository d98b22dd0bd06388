"""Observations -> channels as the quality rules see them: one a node, sensor and quantity, in order of time. Pure."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from device_manager.quality import Channel
from device_manager.series import Observations
from firmware.wire.quantities import QUANTITIES

HOUR_S = 3600
WHOLE_HOUR = 0.75
_Ints = npt.NDArray[np.int64]
_Columns = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.int64]]


class RolledUp(Protocol):
    """Roll-ups of one channel by the hour, as `charting.Series` has them."""

    @property
    def node(self) -> str: ...
    @property
    def sensor(self) -> str: ...
    @property
    def quantity(self) -> str: ...
    @property
    def start_s(self) -> _Ints: ...
    @property
    def end_s(self) -> _Ints: ...
    @property
    def value(self) -> npt.NDArray[np.float64]: ...
    @property
    def coverage(self) -> npt.NDArray[np.float64] | None: ...


def channels_of(pages: Sequence[Observations], names: Mapping[int, str]) -> list[Channel]:
    """Return the channels of the nodes that `names` knows; of two readings of one time the later committed stays."""
    pieces: dict[tuple[str, str, str], list[_Columns]] = {}
    for page in pages:
        for node_id, channel in {*zip(page.node_id.tolist(), page.channel.tolist(), strict=True)}:
            rows = (page.node_id == node_id) & (page.channel == channel)
            found = page.channels[channel]
            if node_id in names:
                columns = (page.start_s[rows], page.value[rows], page.flags[rows])
                pieces.setdefault((names[node_id], found.sensor, found.quantity), []).append(columns)
    return [_channel(*key, parts) for key, parts in sorted(pieces.items())]


def _channel(node: str, sensor: str, quantity: str, parts: Sequence[_Columns]) -> Channel:
    start_s, value, flags = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    times, last = np.unique(start_s[::-1], return_index=True)
    rows = len(start_s) - 1 - last
    is_total = quantity in QUANTITIES and str(QUANTITIES[quantity][2]) == "total"
    return Channel(node, quantity, times, value[rows], flags[rows], sensor=sensor, is_total=is_total)


def by_the_hour(rolled: RolledUp, until_s: int) -> Channel:
    """Return people (or whatever was rolled up) an hour; NaN where less than WHOLE_HOUR of it is known."""
    over = rolled.end_s <= until_s
    coverage = np.ones(len(over)) if rolled.coverage is None else rolled.coverage
    value = np.where(coverage >= WHOLE_HOUR, rolled.value, np.nan)[over]
    return Channel(rolled.node, rolled.quantity, rolled.start_s[over], value, interval_s=HOUR_S, sensor=rolled.sensor)
