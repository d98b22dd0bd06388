"""Frames of days gone by, from a real day over and over: as payloads, and in a node's flash."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from firmware.outbox import CHANNELS, FRAME, Outbox
from firmware.wire import frame, records
from firmware.wire.quantities import QUANTITIES
from tests.data import real_day
from tests.firmware.on_node.nor_flash import NorFlash

RECORD_S, FRAME_RECORDS = 60, 5  # of the field: a frame every 300 s
DAY_FRAMES = 86_400 // (RECORD_S * FRAME_RECORDS)
LOG_AT = 3  # where the four bytes of a log of at least 2^16 stand in a record: array, version, head of the number


def channels(log: int, seq: int) -> bytes:
    """Return the channels record that names the columns of `frames`."""
    rows = [[name, QUANTITIES[name][0], QUANTITIES[name][1], "site"] for name in real_day.CHANNELS]
    fields = {"firmware": "1.0", "configuration": 0, "interval_s": RECORD_S, "channels": rows}
    return records.encode_channels(log, seq, fields)


def frames(count: int, log: int, first_seq: int, epoch: int, end_s: int) -> Iterator[bytes]:
    """Yield `count` frames whose last one ends at `end_s` (Unix s)."""
    rows = real_day.records()
    span_s = RECORD_S * FRAME_RECORDS
    buf = bytearray(frame.MAX_BYTES)
    for index in range(count):
        batch = frame.Batch(len(real_day.CHANNELS), FRAME_RECORDS)
        batch.start(end_s - (count - index) * span_s, RECORD_S)
        for row in range(index * FRAME_RECORDS, (index + 1) * FRAME_RECORDS):
            batch.add(rows[row % len(rows)])
        yield bytes(buf[: batch.encode_into(buf, log, first_seq + index, epoch)])


def fill(image: Path, flash_bytes: int, count: int, end_s: int, random_u32: int) -> int:
    """Append `count` frames, after their channels record, to the outbox in a flash image; return its head.

    The image is made when there is none. The node must be off.
    """
    found = image.read_bytes() if image.exists() else None
    flash = NorFlash((len(found) if found else flash_bytes) // NorFlash.BLOCK, found)
    box = Outbox(flash, lambda: random_u32)
    epoch = box.head
    payload = channels(box.log, epoch)
    box.append(CHANNELS, payload, len(payload))
    for payload in frames(count, box.log, box.head, epoch, end_s):
        box.append(FRAME, payload, len(payload))
    image.write_bytes(flash.image)
    return box.head
