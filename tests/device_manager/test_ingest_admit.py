"""What the contract allows, and the reason for everything that it does not."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.ingest import admit as a
from device_manager.ingest.admit import Record, Refused, address, admit, read_head
from firmware.wire import frame
from tests.fakes.speaker import NOW_MS, START_S, Speaker

LOADS = Cbor2Codec().loads
GOOD = [0, 7, 3, 1, START_S, 60, 2, [5, 1, 7, -1]]


def refusal(kind: str, payload: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        admit(kind, payload, NOW_MS, LOADS)
    return caught.value


def with_item(at: int, value: object) -> bytes:
    return cbor2.dumps([*GOOD[:at], value, *GOOD[at + 1 :]])


def test_frame_gives_its_numbers() -> None:
    record = admit("frame", cbor2.dumps(GOOD), NOW_MS, LOADS)
    assert record == Record("frame", 7, 3, 1, columns=2, values=4, start_s=START_S, end_s=START_S + 120)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"hello, this is no CBOR at all",
        b"\x5b\x00\x00\x00\x00\x80\x00\x00\x00",  # byte string of 2 GB
        b"\x9b\x00\x00\x00\x00\x80\x00\x00\x00",  # array of 2 G items
        b"\xbb\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x81" * 3000 + b"\x00",  # deep nesting
        b"\x9f\x00\x07\xff",  # indefinite length
        b"\xd8\x1c\x81\xd8\x1d\x00",  # an array that holds itself
        b"\xc5\x82\x1b\x00\x00\x01\x00\x00\x00\x00\x00\x01",  # 2**2**40 as a tag
        b"\xa2\x00\x00\x00\x00",  # a key twice
        cbor2.dumps({False: 0, 1: True}),  # keys that equal integers
        cbor2.dumps([*GOOD, {1.0: []}]),
        cbor2.dumps(GOOD)[:-1],
        cbor2.dumps(GOOD) + b"\x00",
        cbor2.dumps([*GOOD[:4], cbor2.CBORTag(1, START_S), *GOOD[5:]]),
    ],
)
def test_bytes_that_are_no_strict_cbor_are_garbage(payload: bytes) -> None:
    assert refusal("frame", payload).reason == a.GARBAGE


@pytest.mark.parametrize(
    "payload",
    [
        cbor2.dumps(7),
        cbor2.dumps({0: 0}),
        cbor2.dumps([]),
        cbor2.dumps(GOOD[:7]),
        cbor2.dumps([*GOOD, {}, 1]),
        cbor2.dumps([*GOOD, []]),
        with_item(0, False),
        with_item(0, 0.0),
        with_item(0, "0"),
        with_item(1, -1),
        with_item(1, 2**32),
        with_item(1, True),
        with_item(2, 1.0),
        with_item(3, None),
        with_item(4, 1.5),
        with_item(4, None),  # undated without boot and uptime
        with_item(5, 0),
        with_item(5, 86_400),  # a frame of two days
        with_item(5, 2**64 - 1),
        with_item(6, 0),
        with_item(6, 3),  # four values in columns of three
        with_item(6, -2),
        with_item(7, []),
        with_item(7, {}),
        with_item(7, [1, 2, 3]),
        with_item(7, [1, 2, 3, 4.0]),
        with_item(7, [1, 2, 3, True]),
        with_item(7, [1, 2, 3, "4"]),
        with_item(7, [1, 2, 3, [4]]),
        with_item(7, [1, 2, 3, frame.MAX_VALUE]),
        with_item(7, [-1, -2, -3, -(2**60)]),
        with_item(7, [0, 0] * (frame.MAX_CHANNELS + 1)),
        cbor2.dumps([*GOOD, {1: [[2, 0, 1, 1]]}]),  # a quality run of a third channel
        cbor2.dumps([*GOOD, {1: [[0, 0, 3, 1]]}]),  # longer than the frame
        cbor2.dumps([*GOOD, {2: [5, 100]}]),  # dated and undated
    ],
)
def test_frame_of_another_shape_is_refused(payload: bytes) -> None:
    assert refusal("frame", payload).reason == a.SHAPE


@pytest.mark.parametrize("t0", [0, 946_684_800, a.EARLIEST_S - 1, NOW_MS // 1000 + 2 * 86_400, 2**32 - 1])
def test_clock_in_1970_2000_or_2106_is_implausible(t0: int) -> None:
    assert refusal("frame", with_item(4, t0)).reason == a.CLOCK


@pytest.mark.parametrize("t0", [a.EARLIEST_S, NOW_MS // 1000, NOW_MS // 1000 + 86_400 - 120])
def test_clock_at_the_limits_is_taken(t0: int) -> None:
    admit("frame", with_item(4, t0), NOW_MS, LOADS)


def test_undated_frame_has_no_times() -> None:
    record = admit("frame", Speaker().frame(start_s=None).payload, NOW_MS, LOADS)
    assert isinstance(record, Record)
    assert (record.start_s, record.end_s) == (None, None)


@pytest.mark.parametrize("kind", ["frame", "channels", "loss"])
def test_unknown_version_is_refused_with_a_readable_head(kind: str) -> None:
    payload = cbor2.dumps([1, 7, 3, "whatever came later"])
    assert refusal(kind, payload).reason == a.VERSION_UNKNOWN
    assert read_head(kind, payload) == (7, 3)


def test_message_of_an_unknown_version_is_refused() -> None:
    assert refusal("state", cbor2.dumps({0: 1, 1: True})).reason == a.VERSION_UNKNOWN


def test_message_of_one_megabyte_is_refused_before_it_is_decoded() -> None:
    payload = cbor2.dumps([0, 7, 3, b"x" * 1_000_000])

    def explode(_: bytes) -> object:
        raise AssertionError("it was decoded")

    with pytest.raises(Refused) as caught:
        admit("frame", payload, NOW_MS, explode)
    assert caught.value.reason == a.TOO_LARGE
    assert caught.value.detail == "expected at most 3800 bytes, got 1000009"
    assert read_head("frame", payload) == (7, 3)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("loss", cbor2.dumps([0, 7, 3, {1: 0, 2: 3, 3: "covers itself"}])),
        ("loss", cbor2.dumps([0, 7, 3, {1: 2, 2: 1, 3: "backwards"}])),
        ("channels", cbor2.dumps([0, 7, 3, {1: "1", 2: 1, 3: 60, 4: []}])),
        ("channels", cbor2.dumps([0, 7, 3, {1: "1", 2: 1, 3: 60, 4: [["pm1", "ug/m3", 0, "air"]]}])),
        ("channels", cbor2.dumps(GOOD)),
        ("state", cbor2.dumps({0: 0, 1: 1, 2: 5})),
        ("state", cbor2.dumps([0])),
        ("health", cbor2.dumps({0: 0})),
    ],
)
def test_other_kinds_of_another_shape_are_refused(kind: str, payload: bytes) -> None:
    assert refusal(kind, payload).reason == a.SHAPE


@pytest.mark.parametrize(
    "topic",
    ["", "x", "citynode/1/kempten-01/up", "citynode/1/kempten-01/down/watermark", "citynode/1/K/up/frame",
     "citynode/2/kempten-01/up/frame", "citynode/1/kempten-01/up/video", "citynode/1/kempten-01/up/frame/x"],
)  # fmt: skip
def test_topic_outside_the_tree_is_refused(topic: str) -> None:
    with pytest.raises(Refused) as caught:
        address(topic)
    assert caught.value.reason == a.TOPIC


ITEMS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**66), 2**66)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.integers(0, 12), inner, max_size=5),
    max_leaves=12,
)
KINDS = st.sampled_from(["frame", "channels", "loss", "state", "health", "reply"])


@given(KINDS, st.binary(max_size=80))
def test_any_bytes_are_admitted_or_refused(kind: str, payload: bytes) -> None:
    _admit_or_refuse(kind, payload)


@given(KINDS, st.lists(ITEMS, max_size=10))
def test_any_items_are_admitted_or_refused(kind: str, items: list[object]) -> None:
    _admit_or_refuse(kind, cbor2.dumps([0, *items]))


@given(st.integers(0, 8), ITEMS)
def test_frame_with_one_odd_item_is_judged_as_the_contract_does(at: int, odd: object) -> None:
    payload = cbor2.dumps([*GOOD[:at], odd, *GOOD[at + 1 :]])
    try:
        admit("frame", payload, NOW_MS, LOADS)
    except Refused:
        return
    frame.from_items(LOADS(payload))


def _admit_or_refuse(kind: str, payload: bytes) -> None:
    try:
        admit(kind, payload, NOW_MS, LOADS)
    except Refused as refused:
        assert refused.reason in (a.GARBAGE, a.SHAPE, a.VERSION_UNKNOWN, a.CLOCK)
        read_head(kind, payload)
