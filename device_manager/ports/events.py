"""What happened to a node, as the writer tells the fold of its shadow."""

from typing import Any, NamedTuple


class StateSeen(NamedTuple):
    """A state message: `fields` as `firmware.wire.messages` decodes them; `retained` ones may be old."""

    received_ms: int
    retained: bool
    fields: dict[str, Any]


class HealthSeen(NamedTuple):
    """A health message: `fields` as `firmware.wire.messages` decodes them."""

    received_ms: int
    fields: dict[str, Any]


class UpdateSeen(NamedTuple):
    """A report of an update: `fields` as `firmware.wire.messages` decodes them; see `firmware.wire.releases`."""

    received_ms: int
    fields: dict[str, Any]


class FramesStored(NamedTuple):
    """Frames that were committed, summed up: the fold of a sum is the fold of its parts in any order."""

    received_ms: int
    frames: int
    values: int
    payload_bytes: int
    last_end_s: int | None
    rescued: int
    """of these, how many stand in a range that was declared lost before"""
    span_s: int = 0
    """seconds that the longest of them covers"""
    backfilled: int = 0
    """of these, how many came long after they were measured, see `device_manager.backfill`"""


class ChannelsStored(NamedTuple):
    """A channels record: what the node runs."""

    received_ms: int
    log: int
    epoch: int
    firmware: str
    record_s: int = 0
    configuration: int | None = None


class LossStored(NamedTuple):
    """A loss record of `first`..`last`: `lost` of these, not committed before, are gone."""

    received_ms: int
    lost: int
    reason: str
    log: int = 0
    first: int = 0
    last: int = 0


class Rejected(NamedTuple):
    """A message was not accepted."""

    received_ms: int
    reason: str


class WatermarkMoved(NamedTuple):
    """The log's commit state after a step; `above` is one more than the highest committed number.

    `want` are the lowest holes below it.
    """

    log: int
    next: int
    above: int
    want: tuple[tuple[int, int], ...] = ()
    received_ms: int = 0


ShadowEvent = (
    StateSeen | HealthSeen | UpdateSeen | FramesStored | ChannelsStored | LossStored | Rejected | WatermarkMoved
)
