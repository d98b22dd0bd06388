"""One worker of `ingest_workers`, as a process fed from a file some times over: `feed.py URL FILE TIMES`; prints its
figures as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_arrivals import PgArrivals
from device_manager.database import parse
from device_manager.ingest.gathering import pack, unpack
from device_manager.ingest.intake import BATCH_MESSAGES


def main(url: str, file: str, times: str) -> None:
    """Wait for a line, then keep everything in the file, `times` over."""
    codec = Cbor2Codec()
    messages = unpack(Path(file).read_bytes(), codec)
    arrivals = PgArrivals(parse(url))
    print("ready", flush=True)
    sys.stdin.readline()
    began, used = time.time(), time.process_time()
    for at in [*range(0, len(messages), BATCH_MESSAGES)] * int(times):
        some = messages[at : at + BATCH_MESSAGES]
        arrivals.keep(len(some), pack(some, codec))
    print(json.dumps({"began": began, "ended": time.time(), "cpu_s": time.process_time() - used}))


if __name__ == "__main__":
    main(*sys.argv[1:])
