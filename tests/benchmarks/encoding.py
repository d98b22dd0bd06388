"""Frames in bulk for benchmarks: the same bytes as `firmware.wire.batch` writes, made by cbor2 from differences."""

from __future__ import annotations

from collections.abc import Sequence

import cbor2
import numpy as np


def encoded_frames(
    values: np.ndarray, heads: Sequence[tuple[int, int, int, int]], records: int, record_s: int = 60
) -> list[bytes]:
    """Return frames of `records` rows each; `heads` are (log, seq, epoch, t0) of each."""
    columns = values.shape[1]
    flat = values.reshape(len(heads), records, columns).transpose(0, 2, 1).reshape(len(heads), -1)
    differences = np.diff(flat, axis=1, prepend=0).tolist()
    return [
        cbor2.dumps([0, log, seq, epoch, t0, record_s, records, row])
        for (log, seq, epoch, t0), row in zip(heads, differences, strict=True)
    ]
