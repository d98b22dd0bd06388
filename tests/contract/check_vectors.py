"""Check every golden vector with the contract's own codec; runs on CPython and on MicroPython.

`python check_vectors.py vectors.json` prints one line a failure and, last, how many were checked.
"""

import json
import sys

from firmware.wire import WireError, frame, messages, records


def encode(kind: str, fields: dict) -> bytes:
    """Encode the fields of a vector as a node or manager would."""
    fields = dict(fields)
    if kind == "frame":
        return _encode_frame(fields)
    if kind == "loss":
        return records.encode_loss(fields["log"], fields["seq"], fields["first"], fields["last"], fields["reason"])
    if kind == "channels":
        log, seq = fields.pop("log"), fields.pop("seq")
        return records.encode_channels(log, seq, fields)
    return messages.encode(kind, _with_bytes(kind, fields))


def decode(kind: str, payload: bytes) -> dict:
    """Decode a vector into the same fields."""
    if kind in ("channels", "loss"):
        return records.decode(kind, payload)
    if kind != "frame":
        return messages.decode(kind, payload)
    got = frame.decode(payload)
    columns = [got.values[i : i + got.count] for i in range(0, len(got.values), got.count)]
    names = ("log", "seq", "epoch", "t0", "interval_s", "boot", "uptime_s", "runs")
    fields = {name: getattr(got, name) for name in names}
    fields["columns"] = columns
    return fields


def _encode_frame(fields: dict) -> bytes:
    columns = fields["columns"]
    batch = frame.Batch(len(columns), max(len(columns[0]), 1))
    batch.start(fields["t0"], fields["interval_s"], fields["boot"] or 0, fields["uptime_s"] or 0)
    for at in range(len(columns[0])):
        flags = [0] * len(columns)
        for channel, first, count, bits in fields["runs"]:
            if first <= at < first + count:
                flags[channel] = bits
        batch.add([column[at] for column in columns], flags)
    buf = bytearray(frame.MAX_BYTES)
    return bytes(buf[: batch.encode_into(buf, fields["log"], fields["seq"], fields["epoch"])])


def _with_bytes(kind: str, fields: dict) -> dict:
    """Turn the hex texts of fields that are bytes into bytes: JSON has none."""
    if kind == "chunk":
        fields["sha256"], fields["data"] = bytes.fromhex(fields["sha256"]), bytes.fromhex(fields["data"])
    for name in ("signed", "root", "offer"):
        if name in fields:
            fields[name] = bytes.fromhex(fields[name])
    if kind == "want":
        fields["sha256"] = bytes.fromhex(fields["sha256"])
    return fields


def failures(vectors: dict) -> list:
    """Return a line for every vector that is not as the file says."""
    lines = []
    for vector in vectors["good"] + vectors["later"]:
        label = vector["kind"] + ", " + vector["name"]
        payload, fields = bytes.fromhex(vector["hex"]), _with_bytes(vector["kind"], dict(vector["fields"]))
        if vector in vectors["good"] and encode(vector["kind"], vector["fields"]) != payload:
            encoded = encode(vector["kind"], vector["fields"]).hex()
            lines.append(f"{label}: encoded as {encoded}")
        if decode(vector["kind"], payload) != fields:
            lines.append(f"{label}: decoded as {decode(vector['kind'], payload)}")
    for vector in vectors["bad"]:
        label = vector["kind"] + ", " + vector["name"]
        try:
            decode(vector["kind"], bytes.fromhex(vector["hex"]))
            lines.append(f"{label}: accepted")
        except WireError as error:
            if vector["error"] not in str(error):
                lines.append(f"{label}: expected '{vector['error']}' in '{error}'")
    return lines


def main(path: str) -> None:
    """Check the file and print what differs."""
    with open(path) as file:
        vectors = json.load(file)
    for line in failures(vectors):
        print(line)
    checked = sum(len(group) for group in vectors.values())
    print(f"checked {checked}")


if __name__ == "__main__":
    main(sys.argv[1])
