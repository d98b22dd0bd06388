"""The fold: (shadow, event) -> shadow, for the events of `device_manager.ports`.

A shadow is a sum of what happened, in the order in which the manager took it; no clock is read here. Whether a node is
late or silent is for whoever looks, with the present time in hand.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from device_manager.ports import (
    ChannelsStored,
    FramesStored,
    HealthSeen,
    LossStored,
    Rejected,
    ShadowEvent,
    StateSeen,
    WatermarkMoved,
)


@dataclass(frozen=True, slots=True)
class Shadow:
    """What is known of a node. Times: `last_seen_ms` receipt, `last_frame_end_s` phenomenon (Unix); None: never."""

    node: str
    online: bool | None = None
    boot: int | None = None
    log: int | None = None
    head: int | None = None  # next number that the node will write, as far as we know
    tail: int | None = None  # oldest number that it kept when it last said so
    next: int | None = None  # next number that we have not committed
    epoch: int | None = None
    firmware: str | None = None
    last_seen_ms: int | None = None
    last_frame_end_s: int | None = None
    frames: int = 0
    values: int = 0  # cells of those frames, missing ones included
    payload_bytes: int = 0
    lost: int = 0  # records gone for ever, by the node's own word
    last_loss: str | None = None
    rejects: dict[str, int] = field(default_factory=dict)
    health: dict[str, object] = field(default_factory=dict)

    @property
    def buffered(self) -> int | None:
        """Records that the node holds and we have not committed; None while one side is unknown."""
        if self.head is None or self.next is None:
            return None
        return max(0, self.head - max(self.next, self.tail or 0))

    @property
    def bytes_per_value(self) -> float | None:
        """Payload bytes of all frames for each of their values; None before the first."""
        return self.payload_bytes / self.values if self.values else None

    @property
    def rejected(self) -> int:
        """Messages that were not accepted, for whatever reason."""
        return sum(self.rejects.values())


def fold(shadow: Shadow, event: ShadowEvent) -> Shadow:
    """Return the shadow after `event`."""
    return _FOLDS[type(event)](shadow, event)


def _state(shadow: Shadow, event: StateSeen) -> Shadow:
    fields = event.fields
    shadow = replace(shadow, online=fields["online"], boot=fields["boot"])
    if not (event.retained or not fields["online"]):  # a will and an old message are no sign of life
        shadow = _seen(shadow, event.received_ms)
    if "log" not in fields:
        return shadow
    same = fields["log"] == shadow.log
    return replace(
        shadow,
        log=fields["log"],
        next=shadow.next if same else None,
        head=max(fields.get("head", 0), shadow.head or 0) if same else fields.get("head"),
        tail=fields.get("tail", shadow.tail if same else None),
        firmware=fields.get("firmware", shadow.firmware),
    )


def _health(shadow: Shadow, event: HealthSeen) -> Shadow:
    return replace(_seen(shadow, event.received_ms), health=dict(event.fields))


def _frames(shadow: Shadow, event: FramesStored) -> Shadow:
    ends = [end for end in (shadow.last_frame_end_s, event.last_end_s) if end is not None]
    return replace(
        _seen(shadow, event.received_ms),
        frames=shadow.frames + event.frames,
        values=shadow.values + event.values,
        payload_bytes=shadow.payload_bytes + event.payload_bytes,
        lost=shadow.lost - event.rescued,
        last_frame_end_s=max(ends, default=None),
    )


def _channels(shadow: Shadow, event: ChannelsStored) -> Shadow:
    shadow = _seen(shadow, event.received_ms)
    if shadow.log == event.log and (shadow.epoch or 0) > event.epoch:
        return shadow
    return replace(shadow, epoch=event.epoch, firmware=event.firmware)


def _loss(shadow: Shadow, event: LossStored) -> Shadow:
    return replace(_seen(shadow, event.received_ms), lost=shadow.lost + event.lost, last_loss=event.reason)


def _rejected(shadow: Shadow, event: Rejected) -> Shadow:
    rejects = {**shadow.rejects, event.reason: shadow.rejects.get(event.reason, 0) + 1}
    return replace(_seen(shadow, event.received_ms), rejects=rejects)


def _watermark(shadow: Shadow, event: WatermarkMoved) -> Shadow:
    if shadow.log is None:
        shadow = replace(shadow, log=event.log)
    if shadow.log != event.log:  # the tail of an older outbox: nothing that the node still holds
        return shadow
    return replace(shadow, next=event.next, head=max(shadow.head or 0, event.above))


def _seen(shadow: Shadow, received_ms: int) -> Shadow:
    if shadow.last_seen_ms is not None and shadow.last_seen_ms >= received_ms:
        return shadow
    return replace(shadow, last_seen_ms=received_ms)


_FOLDS: dict[type, Callable[..., Shadow]] = {
    StateSeen: _state,
    HealthSeen: _health,
    FramesStored: _frames,
    ChannelsStored: _channels,
    LossStored: _loss,
    Rejected: _rejected,
    WatermarkMoved: _watermark,
}
