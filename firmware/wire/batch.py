"""The node's side of a frame: an open batch of records that encodes itself. See `frame` for the format.

A node loads this file and not the decoder, which it never needs.

    >>> batch = Batch(2, 10)
    >>> batch.start(1742601600, 60)
    >>> batch.add([253, 650])
    >>> batch.add([254, None], [0, 8])
    >>> buf = bytearray(MAX_BYTES)
    >>> length = batch.encode_into(buf, 7, 2, 1)
"""

from array import array

from firmware.wire import VERSION
from firmware.wire.packing import BIAS, pack_differences, put_head32

MAX_BYTES = 3800  # fits one 4096-byte erase block with its headers
MAX_CHANNELS = 32
MAX_RECORDS = 240
MAX_RUNS = 64
MAX_VALUE = BIAS - 1  # of |value|; a monotonic total counts modulo BIAS (2**29)
TOTAL_MODULUS = BIAS
RUNS, UNDATED = 1, 2  # keys of the extras
_HEAD_BYTES = 40  # the longest head: 1 + 1 + 5 + 5 + 5 + 5 + 5 + 2 + 5
_RUN_BYTES = 9  # the longest run: 1 + 2 + 2 + 2 + 2 with flags below 256
_ARRAY, _MAP, _SIMPLE = 0x80, 0xA0, 0xE0  # major types 4, 5 and 7


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
            at = put(buf, put(buf, at, 0, RUNS), _ARRAY, self._run_count)
            for i in range(4 * self._run_count):
                if i % 4 == 0:
                    at = put(buf, at, _ARRAY, 4)
                at = put(buf, at, 0, self._runs[i])
        if not self.dated:
            at = put(buf, put(buf, at, 0, UNDATED), _ARRAY, 2)
            at = put(buf, put(buf, at, 0, self._boot), 0, self._uptime_s)
        return at
