"""Ports: what the domain asks of the outside, and the small values that cross.

    Codec          bytes -> plain objects (cbor2 behind it)
    Clock          wall time
    Broker         subscribe, publish, acknowledge by hand
    FrameStore     one transaction at a time for the writer; see also `Transaction`
    FleetReader    what other processes read while the writer works
    ShadowFold     the pure fold that the writer applies in the same transaction

Times end in `_ms` (Unix milliseconds, receipt) or `_s` (Unix seconds, phenomenon). `log` is a node's 32-bit log id;
`log_id` the store's own small number for it; `node_id` and `site_id` the store's numbers for names.
"""

from device_manager.ports.events import (
    ChannelsStored,
    FramesStored,
    HealthSeen,
    LossStored,
    Rejected,
    ShadowEvent,
    StateSeen,
    UpdateSeen,
    WatermarkMoved,
)
from device_manager.ports.rows import (
    Deployment,
    EventRow,
    Incoming,
    LogRow,
    Node,
    NodeRow,
    NodeView,
    RecordRow,
    Refusal,
    RejectRow,
    Site,
    StoredRecord,
    Watermark,
)
from device_manager.ports.services import (
    Broker,
    Clock,
    Codec,
    FleetReader,
    FrameStore,
    RowRefused,
    ShadowFold,
    Transaction,
)

__all__ = [
    "Broker",
    "ChannelsStored",
    "Clock",
    "Codec",
    "Deployment",
    "EventRow",
    "FleetReader",
    "FrameStore",
    "FramesStored",
    "HealthSeen",
    "Incoming",
    "LogRow",
    "LossStored",
    "Node",
    "NodeRow",
    "NodeView",
    "RecordRow",
    "Refusal",
    "RejectRow",
    "Rejected",
    "RowRefused",
    "ShadowEvent",
    "ShadowFold",
    "Site",
    "StateSeen",
    "StoredRecord",
    "Transaction",
    "UpdateSeen",
    "Watermark",
    "WatermarkMoved",
]
