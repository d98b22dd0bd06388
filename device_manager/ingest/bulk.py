"""Admitting the frames of a batch together: what is exactly as it should be passes here, the rest goes the long way.

The same checks as `admit.admit`, by columns of numbers. Nothing is refused here: a frame that is unusual somehow (too
long, extras, no time, another version, a value out of range) is left to `admit`, which finds the words.
"""

from collections.abc import Sequence
from itertools import repeat

from device_manager import frames as wire
from device_manager.ingest.admit import EARLIEST_S, FUTURE_S, SPAN_MAX_S, Record
from device_manager.ports import Incoming
from firmware.wire.batch import MAX_BYTES

FEWEST = 24  # below, one by one is faster


def admit_frames(messages: Sequence[Incoming], latest_ms: int) -> list[Record | None]:
    """Return the record of each frame that is as it should be, None for one to look at closely.

    `latest_ms` is the latest known now.
    """
    if len(messages) < FEWEST:
        return [None] * len(messages)
    payloads = [message.payload if len(message.payload) <= MAX_BYTES else b"" for message in messages]
    found = wire.decode_plain(payloads)
    span_s = found.interval_s * found.count
    end_s = found.t0 + span_s
    good = ~found.unreadable & (span_s > 0) & (span_s <= SPAN_MAX_S)
    good &= (found.t0 >= EARLIEST_S) & (end_s <= latest_ms // 1000 + FUTURE_S)
    columns = (found.log, found.seq, found.epoch, found.columns, found.size, found.t0, end_s)
    records = map(Record, repeat("frame"), *(column.tolist() for column in columns))
    return [record if fits else None for record, fits in zip(records, good.tolist(), strict=True)]
