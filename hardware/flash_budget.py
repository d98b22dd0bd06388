"""How many days of records a node's outbox holds while nobody collects them.

Frames of 30 records, one a minute, so two an hour. A frame takes its longest head and 1.20 bytes a value, the bound
that the benchmark `frame_bytes` holds on a real day of 15 channels; a frame of noise can take up to 5 bytes a value.
The outbox's own overhead is that of firmware/outbox/layout.py (a test compares): sectors of 4096 bytes with a header
of 32 and two notes of 16; records with a header of 12, aligned to 4, never across sectors; one sector being erased.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from hardware.design import Design

DAYS_NEEDED = 14
RECORD_S = 60
FRAME_RECORDS = 30
FRAME_HEAD_BYTES = 40
BYTES_A_VALUE = 1.20
WORST_BYTES_A_VALUE = 5
SECTOR_BYTES = 4096
SECTOR_HEAD_BYTES = 32
NOTES_BYTES = 32
RECORD_HEAD_BYTES = 12
_FRAMES_A_DAY = 86_400 / RECORD_S / FRAME_RECORDS


@dataclass(frozen=True, slots=True)
class Budget:
    """`frame_bytes` on the wire, `sector_frames` that fit into one sector, `days` that `outbox_bytes` hold."""

    design: str
    board: str
    channels: int
    frame_bytes: int
    sector_frames: int
    outbox_bytes: int
    days: float
    worst_days: float


def budget(design: Design) -> Budget:
    """Return the days of outbox of a design on its board."""
    channels = sum(len(mounted.sensor.quantities) for mounted in design.sensors)
    outbox_bytes = design.board.partition("outbox").size
    frame_bytes = _frame_bytes(channels, BYTES_A_VALUE)
    return Budget(
        design=design.name,
        board=design.board.name,
        channels=channels,
        frame_bytes=frame_bytes,
        sector_frames=sector_frames(frame_bytes),
        outbox_bytes=outbox_bytes,
        days=_days(frame_bytes, outbox_bytes),
        worst_days=_days(_frame_bytes(channels, WORST_BYTES_A_VALUE), outbox_bytes),
    )


def sector_frames(frame_bytes: int) -> int:
    """Return how many frames of that length fit into one sector."""
    record_bytes = RECORD_HEAD_BYTES + (frame_bytes + 3) // 4 * 4
    return (SECTOR_BYTES - SECTOR_HEAD_BYTES - NOTES_BYTES) // record_bytes


def _frame_bytes(channels: int, bytes_a_value: float) -> int:
    return FRAME_HEAD_BYTES + ceil(round(channels * FRAME_RECORDS * bytes_a_value, 6))


def _days(frame_bytes: int, outbox_bytes: int) -> float:
    whole_sectors = outbox_bytes // SECTOR_BYTES - 1
    return whole_sectors * sector_frames(frame_bytes) / _FRAMES_A_DAY
