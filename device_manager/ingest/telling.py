"""What a batch tells the shadows: the events of each node, frames summed up to one event."""

from collections.abc import Iterator
from typing import Any, cast

from device_manager.backfill import is_backfilled
from device_manager.ingest.admit import Message, Record
from device_manager.ingest.watermark import LogState
from device_manager.ports import (
    ChannelsStored,
    FramesStored,
    HealthSeen,
    Incoming,
    LossStored,
    Node,
    Rejected,
    StateSeen,
    UpdateSeen,
    WatermarkMoved,
)


class Telling:
    """Collects events by node; frames come last, because a rescued one follows its loss."""

    def __init__(self) -> None:
        self._frames: dict[Node, FramesStored] = {}
        self._others: dict[Node, list[object]] = {}

    def record(self, node: Node, message: Incoming, record: Record, lost: int, rescued: bool) -> None:
        """Tell of a stored record; a loss committed `lost` numbers, a `rescued` one was itself declared lost."""
        received_ms = message.received_ms
        if record.kind == "frame":
            self._add(node, _one_frame(message, record, rescued))
            return
        if rescued:
            self._add(node, FramesStored(received_ms, 0, 0, 0, None, 1))
        fields = cast(dict[str, Any], record.fields)
        if record.kind == "channels":
            told = ChannelsStored(
                received_ms, record.log, record.seq, fields["firmware"], fields["interval_s"], fields["configuration"]
            )
            self._tell(node, told)
        else:
            first, last = fields["first"], fields["last"]
            self._tell(node, LossStored(received_ms, lost, fields["reason"], record.log, first, last))

    def message(self, node: Node, message: Incoming, found: Message) -> None:
        """Tell of a state, health or update message; a reply or a wish changes no shadow."""
        if found.kind == "state":
            self._tell(node, StateSeen(message.received_ms, message.retained, found.fields))
        elif found.kind == "health":
            self._tell(node, HealthSeen(message.received_ms, found.fields))
        elif found.kind == "update":
            self._tell(node, UpdateSeen(message.received_ms, found.fields))

    def refused(self, node: Node, message: Incoming, reason: str) -> None:
        """Tell of a message that was not accepted."""
        self._tell(node, Rejected(message.received_ms, reason))

    def watermark(self, node: Node, log: int, state: LogState, received_ms: int) -> None:
        """Tell where the log stands after the batch, whose newest message came at `received_ms`."""
        self._tell(node, WatermarkMoved(log, state.next, state.above, state.want(), received_ms))

    def told(self) -> Iterator[tuple[Node, list[object]]]:
        """Yield each node with its events, by node."""
        for node in sorted(self._frames.keys() | self._others.keys()):
            frames = self._frames.get(node)
            yield node, self._others.get(node, []) + ([frames] if frames else [])

    def _tell(self, node: Node, event: object) -> None:
        self._others.setdefault(node, []).append(event)

    def _add(self, node: Node, new: FramesStored) -> None:
        old = self._frames.get(node)
        self._frames[node] = new if old is None else _sum(old, new)


def _one_frame(message: Incoming, record: Record, rescued: bool) -> FramesStored:
    span_s = record.end_s - record.start_s if record.end_s is not None and record.start_s is not None else 0
    late = is_backfilled(message.received_ms, record.end_s)
    size = len(message.payload)
    return FramesStored(message.received_ms, 1, record.values, size, record.end_s, int(rescued), span_s, int(late))


def _sum(old: FramesStored, new: FramesStored) -> FramesStored:
    ends = [end for end in (old.last_end_s, new.last_end_s) if end is not None]
    return FramesStored(
        max(old.received_ms, new.received_ms),
        old.frames + new.frames,
        old.values + new.values,
        old.payload_bytes + new.payload_bytes,
        max(ends, default=None),
        old.rescued + new.rescued,
        max(old.span_s, new.span_s),
        old.backfilled + new.backfilled,
    )
