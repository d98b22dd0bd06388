"""Bytes a value of whole frames, header included, on a real day of 15 channels; every frame is read back.

Read back means: `cbor2.loads` and a running sum give exactly the integers that went in. Beside it stand other encodings
of the same records: differences with a first value a column and a plain 27-byte head, zigzag varints, the entropy of
the differences, JSON, and SenML (RFC 8428) as JSON and CBOR.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter

import cbor2

from firmware.wire import frame
from firmware.wire.quantities import QUANTITIES
from tests.benchmarks.row import Row, at_most
from tests.data import real_day

START, LOG, SEQ, EPOCH = 1_742_601_600, 0xDEADBEEF, 50_000, 49_900
LIMITS = {10: 1.40, 30: 1.20}
PLAIN_HEAD_BYTES = 27


def run(short: bool) -> list[Row]:
    """Return a row for frames of 10 and of 30 records."""
    records = real_day.records()
    rows = []
    for size, limit in LIMITS.items():
        groups = [records[i : i + size] for i in range(0, len(records), size)]
        values = len(records) * len(real_day.CHANNELS)
        figure = sum(len(_checked_frame(group)) for group in groups) / values
        others = {name: sum(map(function, groups)) / values for name, function in OTHERS.items()}
        beside = ", ".join(f"{name} {bytes_:.2f}" for name, bytes_ in others.items())
        rows.append(at_most(f"frame_bytes, {size} records", figure, "byte/value", limit, beside))
    return rows


def _checked_frame(group: list[list[int]]) -> bytes:
    batch = frame.Batch(len(group[0]), len(group))
    batch.start(START, 60)
    for record in group:
        batch.add(record)
    buf = bytearray(frame.MAX_BYTES)
    payload = bytes(buf[: batch.encode_into(buf, LOG, SEQ, EPOCH)])
    *_, count, differences = cbor2.loads(payload)
    flat = list(itertools.accumulate(differences))
    columns = [flat[i : i + count] for i in range(0, len(flat), count)]
    assert columns == [list(column) for column in zip(*group, strict=True)]
    return payload


def _differences(group: list[list[int]]) -> list[list[int]]:
    return [[column[0], *(b - a for a, b in itertools.pairwise(column))] for column in zip(*group, strict=True)]


def _plain_columns(group: list[list[int]]) -> int:
    return PLAIN_HEAD_BYTES + sum(len(cbor2.dumps(column)) for column in _differences(group))


def _zigzag_varints(group: list[list[int]]) -> int:
    numbers = [2 * d if d >= 0 else -2 * d - 1 for column in _differences(group) for d in column]
    return PLAIN_HEAD_BYTES + 3 + sum(max(1, (n.bit_length() + 6) // 7) for n in numbers)


def _entropy(group: list[list[int]]) -> float:
    """Of the differences within the columns, by the frequencies of the whole day; no head, no first values."""
    return sum(-math.log2(_frequencies()[d]) for column in _differences(group) for d in column[1:]) / 8


def _frequencies() -> dict[int, float]:
    if not _FREQUENCIES:
        counts = Counter(d for column in _differences(real_day.records()) for d in column[1:])
        _FREQUENCIES.update({d: n / counts.total() for d, n in counts.items()})
    return _FREQUENCIES


_FREQUENCIES: dict[int, float] = {}


def _readings(group: list[list[int]]) -> list[dict[str, float]]:
    scales = [QUANTITIES[name][1] for name in real_day.CHANNELS]
    rows = [[value if scale == 1 else value / scale for value, scale in zip(row, scales, strict=True)] for row in group]
    return [dict(zip(real_day.CHANNELS, row, strict=True)) for row in rows]


def _json(group: list[list[int]]) -> int:
    rows = [{"t": START + 60 * i, **readings} for i, readings in enumerate(_readings(group))]
    return len(json.dumps({"node": "kempten-01", "records": rows}, separators=(",", ":")))


def _senml(group: list[list[int]], keys: dict[str, str | int]) -> list[dict[str | int, object]]:
    pack: list[dict[str | int, object]] = []
    for i, readings in enumerate(_readings(group)):
        for name, value in readings.items():
            pack.append({keys["n"]: name, keys["u"]: QUANTITIES[name][0], keys["t"]: 60 * i, keys["v"]: value})
    pack[0] = {keys["bn"]: "kempten-01:", keys["bt"]: START, **pack[0]}
    return pack


def _senml_json(group: list[list[int]]) -> int:
    return len(json.dumps(_senml(group, {k: k for k in ("bn", "bt", "n", "u", "t", "v")}), separators=(",", ":")))


def _senml_cbor(group: list[list[int]]) -> int:
    return len(cbor2.dumps(_senml(group, {"bn": -2, "bt": -3, "n": 0, "u": 1, "v": 2, "t": 6}), canonical=True))


OTHERS = {
    "plain columns": _plain_columns,
    "zigzag varints": _zigzag_varints,
    "entropy of the differences": _entropy,
    "JSON": _json,
    "SenML-JSON": _senml_json,
    "SenML-CBOR": _senml_cbor,
}
