"""Frames as they come out of a store: columns instead of a row each."""

from collections.abc import Sequence
from typing import NamedTuple


class FrameRows(NamedTuple):
    """Frames as columns of equal length. `start_s` is the begin of a dated frame; for one that was dated afterwards
    what the manager found, None while nobody knows it. `unsure_s`: by how much that may be wrong."""

    number: Sequence[int]
    node_id: Sequence[int]
    log_id: Sequence[int]
    start_s: Sequence[int | None]
    payload: Sequence[bytes]
    unsure_s: Sequence[int]
