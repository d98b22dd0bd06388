"""Commit frames of four nodes in batches, some out of order and some twice; print each watermark when it may be sent.

`commit_frames.py DATABASE` prints one JSON list [log, next, want] a line, after the commit that it stands for. The same
frames come from `frame_payload`, so that a test can compare what is left after a power cut.
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path

from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_engine import create_database
from device_manager.adapters.store_reader import SqlReader
from device_manager.adapters.store_register import SqlRegister
from device_manager.adapters.store_sql import SqlStore
from device_manager.ingest.commit import Committer
from device_manager.ports import Incoming
from device_manager.registry.changes import AddNode
from device_manager.shadow import JsonFold
from firmware.wire import frame, records, topics

NODES, FRAMES, BATCH = 4, 60, 8
NOW_MS = 1_742_700_000_000


def log_of(node: int) -> int:
    """Return the log id of the node with that index."""
    return 0xA0000000 + node


def payload_of(node: int, seq: int) -> bytes:
    """Return record `seq` of a node: its channels first, then frames whose values follow from node and seq."""
    if seq == 0:
        channels = [[name, "dB", 10, "noise"] for name in ("laeq", "la10", "la90")]
        fields = {"firmware": "0.1.0", "configuration": 0, "interval_s": 60, "channels": channels}
        return records.encode_channels(log_of(node), 0, fields)
    rng = random.Random(node * 1000 + seq)
    batch = frame.Batch(3, 10)
    batch.start(1_742_600_000 + 600 * seq, 60)
    for _ in range(10):
        batch.add([rng.randint(300, 900) for _ in range(3)])
    buf = bytearray(frame.MAX_BYTES)
    return bytes(buf[: batch.encode_into(buf, log_of(node), seq, 0)])


def deliveries() -> list[Incoming]:
    """Return every record of every node, shuffled a little, a tenth of them twice."""
    rng = random.Random(7)
    order = [(node, seq) for seq in range(FRAMES) for node in range(NODES)]
    order += rng.sample(order, len(order) // 10)
    order.sort(key=lambda item: item[1] + rng.uniform(0, 6))
    return [
        Incoming(topics.up(f"node-{n}", "frame" if s else "channels"), payload_of(n, s), NOW_MS + s, False, None)
        for n, s in order
    ]


def main(database: str) -> None:
    """Make the database, register the nodes, commit everything."""
    path = Path(database)
    create_database(path)
    reader = SqlReader(path)
    register = SqlRegister(path, reader)
    register.write([AddNode(f"node-{node}", "accepted", NOW_MS) for node in range(NODES)])
    register.close()
    reader.close()
    committer = Committer(SqlStore(path), Cbor2Codec(), JsonFold())
    waiting = deliveries()
    os.write(1, b'"ready"\n')
    for at in range(0, len(waiting), BATCH):
        for watermark in committer.commit(waiting[at : at + BATCH]).watermarks:
            line = json.dumps([watermark.log, watermark.next, list(watermark.want)])
            os.write(1, line.encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1])
