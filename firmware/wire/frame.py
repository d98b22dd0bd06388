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

    >>> batch = Batch(2, 10)
    >>> batch.start(1742601600, 60)
    >>> batch.add([253, 650])
    >>> batch.add([254, None], [0, 8])
    >>> buf = bytearray(MAX_BYTES)
    >>> frame = decode(bytes(buf[: batch.encode_into(buf, 7, 2, 1)]))
    >>> frame.values, frame.runs
    ([253, 254, 650, None], [[1, 1, 1, 8]])
"""

from array import array
from collections import namedtuple

from firmware.wire import VERSION, WireError, cbor
from firmware.wire.packing import BIAS, pack_differences, put_head32
from firmware.wire.shapes import are_uints, is_uint, shape

MAX_BYTES = 3800  # fits one 4096-byte erase block with its headers
MAX_CHANNELS = 32
MAX_RECORDS = 240
MAX_RUNS = 64
MAX_VALUE = BIAS - 1  # of |value|; a monotonic total counts modulo BIAS (2**29)
TOTAL_MODULUS = BIAS
_HEAD_BYTES = 40  # the longest head: 1 + 1 + 5 + 5 + 5 + 5 + 5 + 2 + 5
_RUN_BYTES = 9  # the longest run: 1 + 2 + 2 + 2 + 2 with flags below 256
_RUNS, _UNDATED = 1, 2
_ARRAY, _MAP, _SIMPLE = 0x80, 0xA0, 0xE0  # major types 4, 5 and 7

Frame = namedtuple(
    "Frame",
    ("version", "log", "seq", "epoch", "t0", "interval_s", "count", "values", "runs", "boot", "uptime_s"),
)


def bytes_for(channels: int, records: int) -> int:
    """Return the length of the longest frame of so many columns and records (5 bytes a value)."""
    return _HEAD_BYTES + 16 + MAX_RUNS * _RUN_BYTES + 5 * channels * records


def capacity_for(channels: int) -> int:
    """Return how many records of `channels` columns fit into MAX_BYTES in the worst case."""
    return min(MAX_RECORDS, (MAX_BYTES - bytes_for(channels, 0)) // (5 * channels))


class Batch:
    """The node's open frame: a preallocated column buffer that takes records and encodes itself.

    `channels` 1..MAX_CHANNELS, `capacity` 1..capacity_for(channels); ValueError otherwise. Nothing is allocated by
    `add`, so that a node can run for years on one buffer.
    """

    def __init__(self, channels: int, capacity: int) -> None:
        if not 1 <= channels <= MAX_CHANNELS:
            raise ValueError("expected 1 to %d channels, got %d" % (MAX_CHANNELS, channels))
        if not 1 <= capacity <= capacity_for(channels):
            raise ValueError("expected 1 to %d records, got %d" % (capacity_for(channels), capacity))
        self.channels = channels
        self.capacity = capacity
        self.count = 0
        self.dated = False
        self.t0 = self.interval_s = self._boot = self._uptime_s = 0
        self._cells = array("I", bytes(4 * channels * capacity))
        self._runs = array("I", bytes(4 * 4 * MAX_RUNS))
        self._run_count = 0
        self._open_run = bytearray(channels)  # index + 1 of the run that the last record belongs to

    @property
    def full(self) -> bool:
        """True when another record might not fit; encode and start anew."""
        return self.count == self.capacity or self._run_count + self.channels > MAX_RUNS

    def start(self, t0, interval_s: int, boot: int = 0, uptime_s: int = 0) -> None:
        """Empty the batch; `t0` Unix s of the first record's begin, or None with `boot` and `uptime_s` instead."""
        self.dated = t0 is not None
        self.t0 = t0 or 0
        self.interval_s = interval_s
        self._boot = boot
        self._uptime_s = uptime_s
        self.count = self._run_count = 0
        for channel in range(self.channels):
            self._open_run[channel] = 0

    def add(self, values: list, flags=None) -> None:
        """Append one record: an int or None a channel, and the quality flags (0..255) a channel.

        A value outside +-MAX_VALUE is kept as missing: it can be no reading.
        """
        if self.full:
            raise ValueError("expected at most %d records, got one more: encode the batch first" % self.count)
        at = self.count
        for channel in range(self.channels):
            value = values[channel]
            fits = value is not None and -MAX_VALUE <= value <= MAX_VALUE
            self._cells[channel * self.capacity + at] = value + BIAS if fits else 0
            self._mark(channel, at, flags[channel] & 255 if flags else 0)
        self.count = at + 1

    def _mark(self, channel: int, at: int, flags: int) -> None:
        run = self._open_run[channel]
        if not flags:
            self._open_run[channel] = 0
        elif run and self._runs[4 * run - 1] == flags:
            self._runs[4 * run - 2] += 1
        else:
            first = 4 * self._run_count
            self._runs[first] = channel
            self._runs[first + 1] = at
            self._runs[first + 2] = 1
            self._runs[first + 3] = flags
            self._run_count += 1
            self._open_run[channel] = self._run_count

    def encode_into(self, buf: bytearray, log: int, seq: int, epoch: int) -> int:
        """Write the frame at the start of `buf` (bytes_for(channels, capacity) long) and return its length."""
        put = put_head32
        extras = self._run_count or not self.dated
        buf[0] = 0x89 if extras else 0x88
        buf[1] = VERSION
        at = put(buf, put(buf, put(buf, 2, 0, log), 0, seq), 0, epoch)
        at = put(buf, at, 0, self.t0) if self.dated else put(buf, at, _SIMPLE, 22)  # 22 is null
        at = put(buf, put(buf, at, 0, self.interval_s), 0, self.count)
        at = put(buf, at, _ARRAY, self.channels * self.count)
        at = pack_differences(buf, at, self._cells, self.channels, self.count, self.capacity)
        return self._put_extras(buf, at) if extras else at

    def _put_extras(self, buf: bytearray, at: int) -> int:
        put = put_head32
        at = put(buf, at, _MAP, (1 if self._run_count else 0) + (0 if self.dated else 1))
        if self._run_count:
            at = put(buf, put(buf, at, 0, _RUNS), _ARRAY, self._run_count)
            for i in range(4 * self._run_count):
                if i % 4 == 0:
                    at = put(buf, at, _ARRAY, 4)
                at = put(buf, at, 0, self._runs[i])
        if not self.dated:
            at = put(buf, put(buf, at, 0, _UNDATED), _ARRAY, 2)
            at = put(buf, put(buf, at, 0, self._boot), 0, self._uptime_s)
        return at


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
    birth = extras.get(_UNDATED)
    if undated != (birth is not None) or (undated and not are_uints(birth, 2)):
        raise WireError("expected either t0 or [boot, uptime_s], got %s" % shape(birth))
    return extras.get(_RUNS, []), birth[0] if birth else None, birth[1] if birth else None


def _check_runs(runs, count: int, columns: int) -> None:
    if not isinstance(runs, list) or len(runs) > MAX_RUNS:
        raise WireError("expected at most %d quality runs, got %s" % (MAX_RUNS, shape(runs)))
    for run in runs:
        if not are_uints(run, 4) or run[0] >= columns or not run[2] or run[1] + run[2] > count or run[3] >> 30:
            raise WireError("expected [channel, first, count, flags] inside the frame, got %s" % shape(run))
