"""Encode batches given as JSON; runs on CPython and on MicroPython, so that the bytes can be compared.

`python encode_batches.py batches.json` prints the hex of one frame a line. A batch is {t0, seq, rows, flags}.
"""

import json
import sys

from firmware.wire import frame


def encode(batch: dict) -> tuple:
    """Return (records that fitted, frame)."""
    made = frame.Batch(len(batch["rows"][0]), len(batch["rows"]))
    made.start(batch["t0"], 60, 5, 99)
    for row, flags in zip(batch["rows"], batch["flags"]):  # noqa: B905 - MicroPython's zip has no strict
        if made.full:
            break
        made.add(row, flags)
    buf = bytearray(frame.MAX_BYTES)
    return made.count, bytes(buf[: made.encode_into(buf, 0xDEADBEEF, batch["seq"], batch["seq"] // 2)])


def main(path: str) -> None:
    """Encode every batch of the file."""
    with open(path) as file:
        for batch in json.load(file):
            print(encode(batch)[1].hex())


if __name__ == "__main__":
    main(sys.argv[1])
