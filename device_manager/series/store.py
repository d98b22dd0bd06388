"""What series asks of a store, in columns: the ports of the read side, and the values that cross them."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from device_manager.ports import Deployment, StoredRecord


class FrameRows(NamedTuple):
    """Frames as columns of equal length. `start_s` is the begin of a dated frame; for one that was dated afterwards
    what the manager found, None while nobody knows it. `unsure_s`: by how much that may be wrong."""

    number: Sequence[int]
    node_id: Sequence[int]
    log_id: Sequence[int]
    start_s: Sequence[int | None]
    payload: Sequence[bytes]
    unsure_s: Sequence[int]


class FrameSource(Protocol):
    """Frames and what explains them; each call sees whole steps of the writer only."""

    def frames(self, node_id: int, since_s: int, until_s: int) -> FrameRows:
        """Return the dated frames of a node that may touch [since_s, until_s), by begin."""
        ...

    def record(self, log_id: int, seq: int) -> StoredRecord | None:
        """Return one record: the channels of an epoch."""
        ...

    def deployments(self) -> list[Deployment]:
        """Return all deployments by node and begin."""
        ...
