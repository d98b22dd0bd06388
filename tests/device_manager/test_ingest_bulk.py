"""Frames admitted together: never anything that `admit` would refuse, and the same records."""

import random

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.ingest import admit as a
from device_manager.ingest.bulk import FEWEST, admit_frames
from device_manager.ports import Incoming
from firmware.wire.batch import MAX_VALUE
from tests.fakes.speaker import NOW_MS, START_S, Speaker

LOADS = Cbor2Codec().loads


def incoming(payload: bytes) -> Incoming:
    return Incoming("citynode/1/kempten-01/up/frame", payload, NOW_MS, False, None)


def admitted(payload: bytes) -> a.Record | None:
    """What the long way says; None when it refuses."""
    try:
        found = a.admit("frame", payload, NOW_MS, LOADS)
    except a.Refused:
        return None
    assert isinstance(found, a.Record)
    return found


def together(payloads: list[bytes]) -> list[a.Record | None]:
    """Admit the payloads among enough others, which come behind them or before: that must not matter."""
    filler = Speaker()
    ours, others = [incoming(payload) for payload in payloads], [filler.frame() for _ in range(FEWEST)]
    found = admit_frames([*ours, *others], NOW_MS)[: len(ours)]
    assert admit_frames([*others, *ours], NOW_MS)[len(others) :] == found
    return found


def test_good_frames_pass_with_the_records_of_the_long_way() -> None:
    speaker = Speaker()
    payloads = [speaker.frame().payload for _ in range(20)]
    payloads.append(speaker.frame([[None, 1, 2], [5, None, 3]]).payload)
    assert together(payloads) == [admitted(payload) for payload in payloads]
    assert None not in together(payloads)


HEAD = [0, 7, 1, 0, START_S, 60, 2]


@pytest.mark.parametrize(
    "items",
    [
        [*HEAD, [1, 2, 3]],
        [*HEAD, []],
        [*HEAD, [1, 2.0]],
        [*HEAD, [1, True]],
        [*HEAD, [1, "x"]],
        [*HEAD, [MAX_VALUE, 1]],
        [*HEAD, [-MAX_VALUE, -1]],
        [*HEAD, [2**32 - 1, -(2**32 - 1)]],
        [*HEAD, [2**31, 1]],
        [*HEAD, [2**40, 1]],
        [*HEAD, [1, 2], 3],
        [1, *HEAD[1:], [1, 2]],
        [False, *HEAD[1:], [1, 2]],
        [0, 2**32, *HEAD[2:], [1, 2]],
        [*HEAD[:4], None, 60, 2, [1, 2]],
        [*HEAD[:4], 5, 60, 2, [1, 2]],
        [*HEAD[:4], NOW_MS // 1000 + 2 * 86_400, 60, 2, [1, 2]],
        [*HEAD[:5], 0, 2, [1, 2]],
        [*HEAD[:5], 86_400, 2, [1, 2]],
        [*HEAD[:6], 0, []],
        [*HEAD[:6], 241, [1] * 241],
        [*HEAD[:6], 1, [1] * 33],
        HEAD,
        {},
        "text",
    ],
)
def test_what_the_long_way_refuses_does_not_pass(items: object) -> None:
    payload = cbor2.dumps(items)
    assert admitted(payload) is None
    assert together([payload, payload + b"\x00", payload[:-1]]) == [None] * 3


def test_frame_that_is_too_long_does_not_pass() -> None:
    payload = cbor2.dumps([*HEAD[:6], 240, [100_000, -100_000] * 120 * 4])
    assert together([payload]) == [None]


@pytest.mark.parametrize("rows", [[[1, 2, 3]], [[1, 200, 70_000]], [[-1, -200, -70_000], [None, 5, 300]]])
def test_frame_that_was_cut_anywhere_does_not_pass(rows: list[list[int | None]]) -> None:
    payload = Speaker().frame(rows).payload
    for size in range(len(payload)):
        assert together([payload[:size]]) == [None]


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_broken_bytes_pass_only_where_the_long_way_agrees(seed: int, changes: int) -> None:
    rng, speaker = random.Random(seed), Speaker(seed=seed)
    payloads = []
    for _ in range(8):
        payload = bytearray(speaker.frame().payload)
        for _ in range(changes):
            at = rng.randrange(len(payload))
            payload[at] = rng.choice((rng.randrange(256), payload[at] ^ 1 << rng.randrange(8), 0x1A, 0x3B, 0xF6))
        payloads.append(bytes(payload))
    for record, payload in zip(together(payloads), payloads, strict=True):
        assert record is None or record == admitted(payload)
