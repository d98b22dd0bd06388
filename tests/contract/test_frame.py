"""Frames: random batches are the same bytes on both interpreters and read back; hostile bytes end in a WireError."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.wire import WireError, cbor, frame, messages, records, topics
from tests.conftest import Run
from tests.contract import check_vectors
from tests.contract.encode_batches import encode

values = st.one_of(st.none(), st.integers(-300, 300), st.integers(-frame.MAX_VALUE, frame.MAX_VALUE))


@st.composite
def batches(draw: st.DrawFn) -> dict[str, object]:
    channels = draw(st.integers(1, frame.MAX_CHANNELS))
    count = draw(st.integers(1, min(frame.capacity_for(channels), 12)))
    rows = draw(st.lists(st.lists(values, min_size=channels, max_size=channels), min_size=count, max_size=count))
    bits = st.one_of(st.just(0), st.integers(0, 255))
    flags = draw(st.lists(st.lists(bits, min_size=channels, max_size=channels), min_size=count, max_size=count))
    t0 = draw(st.one_of(st.none(), st.integers(0, 2**32 - 1)))
    return {"t0": t0, "rows": rows, "flags": flags, "seq": draw(st.integers(0, 2**32 - 1))}


@settings(max_examples=150, deadline=None)
@given(batches())
def test_any_batch_is_read_back_by_both_decoders(batch: dict) -> None:
    kept, payload = encode(batch)
    got = frame.decode(payload)
    columns = [list(column) for column in zip(*batch["rows"][:kept], strict=True)]
    assert got.values == [value for column in columns for value in column]
    assert (got.t0, got.boot) == (batch["t0"], None if batch["t0"] is not None else 5)
    flags = [[0] * kept for _ in columns]
    for channel, first, records_, bits in got.runs:
        flags[channel][first : first + records_] = [bits] * records_
    assert flags == [list(column) for column in zip(*batch["flags"][:kept], strict=True)]
    assert cbor2.dumps(cbor2.loads(payload), canonical=True) == payload


def _some_value(rng: random.Random) -> int | None:
    return rng.choice([None, rng.randint(-40, 40), rng.randint(-frame.MAX_VALUE, frame.MAX_VALUE)])


def test_random_batches_are_the_same_bytes_on_micropython(micropython: Run, tmp_path: Path) -> None:
    rng = random.Random(20260)
    made = []
    for _ in range(200):
        channels = rng.randint(1, frame.MAX_CHANNELS)
        count = rng.randint(1, min(frame.capacity_for(channels), 40))
        rows = [[_some_value(rng) for _ in range(channels)] for _ in range(count)]
        flags = [[rng.choice([0, 0, 0, 0, 1, 8]) for _ in range(channels)] for _ in range(count)]
        made.append({"t0": rng.choice([None, 1742601600]), "rows": rows, "flags": flags, "seq": rng.randint(0, 99999)})
    (tmp_path / "batches.json").write_text(json.dumps(made))
    done = micropython(Path(__file__).parent / "encode_batches.py", str(tmp_path / "batches.json"))
    assert done.stderr == ""
    assert done.stdout.split() == [encode(batch)[1].hex() for batch in made]


def test_the_worst_batch_of_any_width_fits_a_frame() -> None:
    for channels in range(1, frame.MAX_CHANNELS + 1):
        batch = frame.Batch(channels, frame.capacity_for(channels))
        batch.start(None, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
        at = 0
        while not batch.full:
            row = [frame.MAX_VALUE if (at + c) % 2 else -frame.MAX_VALUE for c in range(channels)]
            batch.add(row, [255 if at % 2 and c % 2 else 0 for c in range(channels)])
            at += 1
        buf = bytearray(frame.MAX_BYTES)
        size = batch.encode_into(buf, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
        assert frame.decode(bytes(buf[:size])).count == batch.count


def test_a_value_beyond_the_range_is_missing() -> None:
    batch = frame.Batch(2, 1)
    batch.start(0, 60)
    batch.add([frame.MAX_VALUE + 1, -frame.MAX_VALUE - 1])
    buf = bytearray(frame.MAX_BYTES)
    assert frame.decode(bytes(buf[: batch.encode_into(buf, 1, 2, 1)])).values == [None, None]


def test_a_full_batch_refuses_another_record() -> None:
    batch = frame.Batch(1, 1)
    batch.start(0, 60)
    batch.add([1])
    with pytest.raises(ValueError, match="encode the batch first"):
        batch.add([2])


def test_a_batch_of_impossible_size_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 1 to 32 channels, got 33"):
        frame.Batch(33, 1)
    with pytest.raises(ValueError, match="expected 1 to"):
        frame.Batch(15, frame.capacity_for(15) + 1)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([*records.KINDS, *messages.FIELDS]))
def test_random_bytes_end_in_a_wire_error(payload: bytes, kind: str) -> None:
    try:
        check_vectors.decode(kind, payload)
    except WireError as error:
        assert len(str(error)) < 400
    with contextlib.suppress(WireError):
        records.decode_head(payload)


json_like = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**64), 2**64 - 1), st.text(), st.binary()),
    lambda children: st.one_of(st.lists(children), st.dictionaries(st.integers(0, 2**64 - 1), children)),
    max_leaves=15,
)


@settings(max_examples=300, deadline=None)
@given(json_like)
def test_cbor_agrees_with_an_independent_codec(value: object) -> None:
    payload = cbor.encode(value)
    assert payload == cbor2.dumps(value, canonical=True)
    try:
        assert cbor.decode(payload) == value
    except WireError as error:
        assert "less nesting" in str(error)


@pytest.mark.parametrize(
    "claim", ["9b000000007fffffff", "9a7fffffff", "5a7fffffff", "7b00000000ffffffff", "ba7fffffff"]
)
def test_a_nine_byte_header_allocates_nothing_on_a_small_heap(micropython: Run, claim: str) -> None:
    source = f"""
import gc
from firmware.wire import cbor, WireError
gc.collect(); before = gc.mem_alloc(); gc.disable()
try:
    cbor.decode(bytes.fromhex("{claim}"))
except WireError as error:
    print("refused", gc.mem_alloc() - before < 2000)
"""
    done = micropython(source, heap="128k")
    assert (done.stdout, done.stderr) == ("refused True\n", "")


@given(st.text(max_size=60))
def test_any_text_is_no_topic_unless_it_is_one(text: str) -> None:
    with pytest.raises(WireError):
        topics.parse(text)


@pytest.mark.parametrize("kind", topics.UP)
def test_topics_up_are_parsed_back(kind: str) -> None:
    assert topics.parse(topics.up("kempten-01", kind)) == ("kempten-01", "up", kind)


@pytest.mark.parametrize("node", ["ab", "a" * 33, "Kempten", "kempten_1", "citynode.manager", "+", "", "a/b"])
def test_names_that_are_no_node_id_have_no_topic(node: str) -> None:
    with pytest.raises(WireError, match="expected a node id"):
        topics.up(node, "frame")
