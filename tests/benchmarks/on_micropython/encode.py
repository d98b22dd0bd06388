"""Time the frame encoder beside the built-in json.dumps; runs on MicroPython.

`encode.py records.json SIZE`: prints median microseconds a frame of SIZE records for json.dumps, for filling a batch,
and for encoding it with CRC, and the bytes of heap by which 10,000 frames grew it.
"""

import binascii
import gc
import json
import sys
import time

from firmware.wire import frame

ROUNDS, LOOPS = 31, 40


def median_us(function) -> float:
    """Return the median of ROUNDS timings of LOOPS calls, in microseconds a call."""
    times = []
    for _ in range(ROUNDS):
        gc.collect()
        began = time.ticks_us()
        for _ in range(LOOPS):
            function()
        times.append(time.ticks_diff(time.ticks_us(), began) / LOOPS)
    return sorted(times)[ROUNDS // 2]


def main(path: str, size: int) -> None:
    """Print the figures as JSON."""
    with open(path) as file:
        records = json.load(file)[:size]
    integers = [value for record in records for value in record]
    batch = frame.Batch(len(records[0]), size)
    buf = bytearray(frame.MAX_BYTES)
    view = memoryview(buf)

    def fill():
        batch.start(1742601600, 60)
        for record in records:
            batch.add(record)

    def encode():
        return binascii.crc32(view[: batch.encode_into(buf, 0xDEADBEEF, 50000, 49900)])

    fill()
    encode()
    json_us, encode_us, fill_us = median_us(lambda: json.dumps(integers)), median_us(encode), median_us(fill)
    gc.collect()
    before = gc.mem_alloc()
    for _ in range(10_000):
        encode()
    gc.collect()
    growth = gc.mem_alloc() - before
    print(json.dumps({"json_us": json_us, "encode_us": encode_us, "fill_us": fill_us, "growth": growth}))


main(sys.argv[1], int(sys.argv[2]))
