"""A frame: a batch of records of one node on one time axis, column by column.

    [version, log, seq, epoch, t0, interval_s, count, values]
    [version, log, seq, epoch, t0, interval_s, count, values, extras]

version     the contract's version, 0
log, seq    which outbox, and the number of this record in it (the same head as every log record, see `records`)
epoch       seq of the channels record, in the same log, that names the columns
t0          Unix time in s at which record 0 begins, or null while the clock was never synchronised
interval_s  record i covers [t0 + i * interval_s, t0 + (i + 1) * interval_s)
count       records; the number of columns is len(values) / count
values      column after column, each integer the difference to the last present value before it in the whole list (the
            first one: to 0), null where a value is missing. One running sum over the list gives back every value,
            scaled by its channel's denominator
extras      present only when needed: {1: quality runs, 2: [boot, uptime_s]}. A run is [channel, first record, count,
            flags]; boot and uptime date a frame without t0

Why one sum through all columns: neighbours such as PM2.5 and PM4, or L10 and L50, differ by less than their own size,
so the first value of a column costs 1 or 2 bytes where an absolute one costs 2 or 3.

    >>> frame = decode(bytes.fromhex("89000702011a67ddfd80183c028418fd0119018cf6a1018184010101" "08"))
    >>> frame.values, frame.runs
    ([253, 254, 650, None], [[1, 1, 1, 8]])
"""

from collections import namedtuple

from firmware.wire import VERSION, WireError, cbor
from firmware.wire.batch import (
    MAX_BYTES,
    MAX_CHANNELS,
    MAX_RECORDS,
    MAX_RUNS,
    MAX_VALUE,
    RUNS,
    TOTAL_MODULUS,
    UNDATED,
    Batch,
    bytes_for,
    capacity_for,
)
from firmware.wire.shapes import are_uints, is_uint, shape

__all__ = [  # the whole of the format for a host; a node loads `batch` alone
    "MAX_BYTES",
    "MAX_CHANNELS",
    "MAX_RECORDS",
    "MAX_RUNS",
    "MAX_VALUE",
    "TOTAL_MODULUS",
    "Batch",
    "Frame",
    "bytes_for",
    "capacity_for",
    "decode",
    "from_items",
]

Frame = namedtuple(
    "Frame",
    ("version", "log", "seq", "epoch", "t0", "interval_s", "count", "values", "runs", "boot", "uptime_s"),
)


def decode(payload: bytes) -> Frame:
    """Decode and check a whole frame, the running sum done; WireError says what is wrong.

    `values` is a flat list of count * columns ints or None, column after column.
    """
    if len(payload) > MAX_BYTES:
        raise WireError("expected a frame of at most %d bytes, got %d" % (MAX_BYTES, len(payload)))
    return from_items(cbor.decode(payload))


def from_items(items) -> Frame:
    """Check the items of a frame that some CBOR library decoded, and do the running sum."""
    if not isinstance(items, list) or len(items) not in (8, 9):
        raise WireError("expected an array of 8 or 9 items, got %s" % shape(items))
    if items[0] != VERSION or items[0] is False:
        raise WireError("expected contract version %d, got %s" % (VERSION, repr(items[0])))
    for at, name, top in ((1, "log", 32), (2, "seq", 32), (3, "epoch", 32), (5, "interval_s", 32), (6, "count", 8)):
        if not is_uint(items[at], top):
            raise WireError("expected %s as an unsigned integer of %d bits, got %s" % (name, top, shape(items[at])))
    if items[4] is not None and not is_uint(items[4], 32):
        raise WireError("expected t0 in Unix seconds or null, got %s" % shape(items[4]))
    runs, boot, uptime_s = _extras(items[8] if len(items) == 9 else {}, items[4] is None)
    values = _accumulate(items[7], items[6])
    _check_runs(runs, items[6], len(values) // items[6])
    return Frame(*(items[:7] + [values, runs, boot, uptime_s]))


def _accumulate(differences, count: int) -> list:
    if not isinstance(differences, list) or not 1 <= count <= MAX_RECORDS or len(differences) % count:
        raise WireError("expected values in columns of %d records, got %s" % (count, shape(differences)))
    if not 1 <= len(differences) // count <= MAX_CHANNELS:
        raise WireError("expected 1 to %d columns, got %d" % (MAX_CHANNELS, len(differences) // count))
    total = 0
    values: list = []
    for difference in differences:
        if difference is None:
            values.append(None)
            continue
        if difference is True or difference is False or not isinstance(difference, int):
            raise WireError("expected integer differences or null, got %s" % shape(difference))
        total += difference
        if not -MAX_VALUE <= total <= MAX_VALUE:
            raise WireError("expected values within +-%d, got %d" % (MAX_VALUE, total))
        values.append(total)
    return values


def _extras(extras, undated: bool) -> tuple:
    if not isinstance(extras, dict):
        raise WireError("expected a map of extras, got %s" % shape(extras))
    birth = extras.get(UNDATED)
    if undated != (birth is not None) or (undated and not are_uints(birth, 2)):
        raise WireError("expected either t0 or [boot, uptime_s], got %s" % shape(birth))
    return extras.get(RUNS, []), birth[0] if birth else None, birth[1] if birth else None


def _check_runs(runs, count: int, columns: int) -> None:
    if not isinstance(runs, list) or len(runs) > MAX_RUNS:
        raise WireError("expected at most %d quality runs, got %s" % (MAX_RUNS, shape(runs)))
    for run in runs:
        if not are_uints(run, 4) or run[0] >= columns or not run[2] or run[1] + run[2] > count or run[3] >> 30:
            raise WireError("expected [channel, first, count, flags] inside the frame, got %s" % shape(run))
