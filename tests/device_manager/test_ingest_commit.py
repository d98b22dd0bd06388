"""Batches into a real store: once each, in any order, and what is refused is kept."""

import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_manager.database import ServerDatabase
from device_manager.ingest import admit as a
from device_manager.ingest import rejects, step
from device_manager.ingest.memory import Outcome
from device_manager.ports import Incoming
from tests.fakes import postgres
from tests.fakes.speaker import CHANNELS, NOW_MS, START_S, Speaker
from tests.fakes.stores import Bench


@pytest.fixture(autouse=True, scope="module")
def _few_together() -> Iterator[None]:
    """Give the store seven rows at a time, so that batches of tests have many of the borders that great ones have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "TOGETHER", 7)
        yield


@pytest.fixture
def bench(tmp_path: Path, server_or_file: ServerDatabase | None) -> Iterator[Bench]:
    bench = Bench(tmp_path, ["kempten-01", "kempten-02"], server_or_file)
    yield bench
    bench.close()


def mark(outcome: Outcome, log: int = 7) -> tuple[int, tuple[tuple[int, int], ...]]:
    return next((w.next, w.want) for w in outcome.watermarks if w.log == log)


def only_reject(bench: Bench, name: str = "kempten-01") -> tuple[str, bytes]:
    (reject,) = bench.reader.rejects(name)
    return reject.reason, reject.payload


def test_records_are_stored_as_they_came_and_numbered_without_gaps(bench: Bench) -> None:
    speaker = Speaker()
    sent = [speaker.channels(), speaker.frame(), speaker.frame(start_s=None)]
    outcome = bench.committer.commit(sent)
    stored = list(bench.reader.records())
    assert [r.payload for r in stored] == [m.payload for m in sent]
    assert [(r.number, r.seq, r.kind, r.start_s) for r in stored] == [
        (1, 0, "channels", None),
        (2, 1, "frame", START_S),
        (3, 2, "frame", None),
    ]
    assert (outcome.stored, mark(outcome)) == (3, (3, ()))


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_order_repeats_and_batches_store_the_same(chance: random.Random) -> None:
    speakers = [Speaker("kempten-01", 7), Speaker("kempten-02", 8, seed=2)]
    sent = [speaker.channels() for speaker in speakers]
    sent += [speaker.frame() for speaker in speakers for _ in range(8)]
    sent += [speaker.loss(3, 4) for speaker in speakers]
    expected = _content_after([sent])
    shuffled = sent + chance.choices(sent, k=20)
    chance.shuffle(shuffled)
    batches = []
    while shuffled:
        size = chance.randint(1, 9)
        batches.append(shuffled[:size])
        del shuffled[:size]
    assert _content_after(batches) == expected


@settings(max_examples=30)
@given(st.integers(0, 1 << 32))
def test_batches_decide_as_one_message_after_the_other(seed: int) -> None:
    chance = random.Random(seed)
    sent, batches, at = _troubled(chance), list[list[Incoming]](), 0
    while at < len(sent):
        size = chance.choice((1, 5, 80))  # 80: many frames are admitted together
        batches.append(sent[at : at + size])
        at += size
    alone = [[message] for message in sent]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        assert _decided(Path(one), batches) == _decided(Path(other), alone)


@pytest.mark.parametrize("seed", range(3))
def test_batches_decide_alike_on_both_stores(tmp_path: Path, postgres_url: str, seed: int) -> None:
    sent = _troubled(random.Random(seed))
    batches = [sent[:60], sent[60:70], sent[70:]]
    assert _decided(tmp_path, batches) == _decided(tmp_path, batches, postgres.fresh(postgres_url))


def _troubled(chance: random.Random) -> list[Incoming]:
    """What two good nodes, a stranger and one that is out of service send, with much that is wrong or sent again."""
    good, other = Speaker("kempten-01", 7), Speaker("kempten-02", 8, seed=2)
    stranger, gone = Speaker("kempten-77", 9), Speaker("kempten-99", 10)
    sent = [speaker.channels() for speaker in (good, other, gone)]
    for _ in range(120):
        speaker = chance.choice((good, good, other, stranger, gone))
        message = speaker.frame(start_s=chance.choice((START_S, START_S, None, 1 << 31)))  # the last is of the future
        wrong = (
            message,
            message._replace(payload=chance.choice((b"\xff", b"", message.payload[:-1]))),
            message._replace(topic=sent[0].topic),  # somebody else's log
            message._replace(topic="citynode/1/nobody here/up/frame"),
        )
        sent.append(chance.choices(wrong, weights=(6, 1, 1, 1))[0])
        if chance.random() < 0.4:
            sent.append(chance.choice(sent))
        if chance.random() < 0.1:  # other bytes under a number that was used
            sent.append(chance.choice(sent)._replace(payload=message.payload))
    return sent


def _decided(directory: Path, batches: list[list[Incoming]], server: ServerDatabase | None = None) -> object:
    """Return everything that batches came to: records, rejects and their counts, watermarks, and the totals."""
    bench = Bench(directory, ["kempten-01", "kempten-02"], server)
    bench.register("kempten-99", "decommissioned")
    totals, marks = Counter[str](), dict[int, object]()
    for batch in batches:
        outcome = bench.committer.commit(batch)
        totals.update({name: getattr(outcome, name) for name in ("stored", "duplicates", "rejected", "deferred")})
        marks.update({w.log: (w.next, w.want) for w in outcome.watermarks})
    names = ("kempten-01", "kempten-02", "kempten-77", "kempten-99", "")
    refused = [(bench.reader.rejects(name, 1000), bench.reader.reject_counts(name)) for name in names]
    stored = [(r.number, r.node_id, r.seq, r.kind, r.start_s, r.payload) for r in bench.reader.records()]
    bench.close()
    return stored, refused, totals, marks


def _content_after(batches: list[list[Incoming]]) -> object:
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), ["kempten-01", "kempten-02"])
        for batch in batches:
            for watermark in bench.committer.commit(batch).watermarks:
                _check_watermark(bench, watermark.log, watermark.next)
        logs = bench.reader.records()
        stored = sorted((r.node_id, r.seq, r.kind, r.payload) for r in logs)
        shadows = [(s.next, s.head, s.frames, s.values, s.payload_bytes, s.lost, s.last_frame_end_s)
                   for s in map(bench.shadow, ["kempten-01", "kempten-02"])]  # fmt: skip
        bench.close()
        return stored, shadows


def _check_watermark(bench: Bench, log: int, below: int) -> None:
    """Everything below a watermark is in the store, as a record or in the range of a stored loss."""
    stored: set[int] = set()
    for record in bench.reader.records():
        items = cbor2.loads(record.payload)
        if items[1] == log:
            stored.add(items[2])
            if record.kind == "loss":
                stored.update(range(items[3][1], items[3][2] + 1))
    assert set(range(below)) <= stored


def test_hole_is_wanted_until_it_is_filled(bench: Bench) -> None:
    speaker = Speaker()
    first, second, third = speaker.channels(), speaker.frame(), speaker.frame()
    assert mark(bench.committer.commit([first, third])) == (1, ((1, 1),))
    assert mark(bench.committer.commit([second])) == (3, ())


def test_duplicate_is_stored_once_and_answered_with_the_watermark(bench: Bench) -> None:
    sent = [Speaker().channels()]
    bench.committer.commit(sent)
    outcome = bench.committer.commit(sent + sent)
    assert (outcome.stored, outcome.duplicates, mark(outcome)) == (0, 2, (1, ()))


def test_other_bytes_under_a_used_number_are_kept_as_reject(bench: Bench) -> None:
    bench.committer.commit([Speaker().channels()])
    other = Speaker().channels(firmware="2.0")
    assert bench.committer.commit([other, other]).rejected == 1
    assert only_reject(bench) == (a.NUMBER_USED_TWICE, other.payload)
    assert len(bench.content()) == 1


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (cbor2.dumps([9, 7, 1, "a contract to come"]), a.VERSION_UNKNOWN),
        (cbor2.dumps([0, 7, 1, 0, 0, 60, 1, [1, 2, 3]]), a.CLOCK),
        (cbor2.dumps([0, 7, 1, 0, 2**32 - 1, 60, 1, [1, 2, 3]]), a.CLOCK),
        (cbor2.dumps([0, 7, 1, 0, START_S, 60, 1, [1, 2]]), a.SHAPE),  # the epoch has three channels
        (cbor2.dumps([0, 7, 1, 0, START_S, 60, 1, "values"]), a.SHAPE),
        (cbor2.dumps([0, 7, 1, b"x" * 1_000_000]), a.TOO_LARGE),
        (cbor2.dumps([0, 7, 1, 0, START_S, 60, 1, [1, 2, 3]]) + b"x", a.GARBAGE),
    ],
)
def test_refused_record_with_a_readable_head_counts_as_committed(bench: Bench, payload: bytes, reason: str) -> None:
    speaker = Speaker()
    sent = [speaker.channels(), speaker.message("frame", payload)]
    speaker.seq = 2
    sent.append(speaker.frame())
    outcome = bench.committer.commit(sent)
    assert (outcome.stored, outcome.rejected, mark(outcome)) == (2, 1, (3, ()))
    (reject,) = bench.reader.rejects("kempten-01")
    assert (reject.reason, reject.log, reject.seq) == (reason, 7, 1)
    assert reject.payload == payload[: rejects.KEPT_BYTES]
    assert reject.payload_bytes == len(payload)
    assert bench.shadow().rejects == bench.reader.reject_counts("kempten-01") == {reason: 1}
    again = bench.committer.commit(sent)
    assert (again.duplicates, again.rejected, mark(again)) == (3, 0, (3, ()))


def test_garbage_without_a_head_is_kept_and_commits_nothing(bench: Bench) -> None:
    outcome = bench.committer.commit([Speaker().message("frame", b"\xff\xff")])
    assert (outcome.rejected, outcome.watermarks) == (1, [])
    assert only_reject(bench) == (a.GARBAGE, b"\xff\xff")


def test_good_record_after_a_reject_of_the_same_number_is_stored(bench: Bench) -> None:
    bench.committer.commit([Speaker().message("frame", cbor2.dumps([0, 7, 0, "bad"]))])
    good = Speaker().channels()
    assert bench.committer.commit([good]).stored == 1
    assert bench.shadow().lost == 0


def test_unregistered_node_is_refused_until_it_is_registered(bench: Bench) -> None:
    speaker = Speaker("kempten-99")
    sent = [speaker.channels(), speaker.frame()]
    outcome = bench.committer.commit(sent)
    assert (outcome.stored, outcome.rejected, outcome.watermarks) == (0, 2, [])
    assert bench.reader.reject_counts("kempten-99") == {a.NOT_REGISTERED: 2}
    assert bench.committer.commit(sent).duplicates == 2
    bench.register("kempten-99")
    outcome = bench.committer.commit(sent)
    assert (outcome.stored, mark(outcome)) == (2, (2, ()))


def test_decommissioned_node_is_refused_as_soon_as_the_register_says_so(bench: Bench) -> None:
    speaker = Speaker()
    assert bench.committer.commit([speaker.channels()]).stored == 1
    bench.write("UPDATE node SET admission = 'decommissioned'")
    assert bench.committer.commit([speaker.frame()]).rejected == 1
    assert bench.reader.reject_counts("kempten-01") == {a.NOT_ADMITTED: 1}


def test_record_of_another_nodes_log_is_kept_and_punches_no_hole(bench: Bench) -> None:
    owner, other = Speaker("kempten-01", log=7), Speaker("kempten-02", log=7)
    first = owner.channels()
    bench.committer.commit([first])
    foreign = [other.channels(), other.frame(), other.message("frame", cbor2.dumps([0, 7, 2, "bad"])), other.state()]
    outcome = bench.committer.commit(foreign)
    assert (outcome.stored, outcome.rejected, outcome.watermarks) == (0, 4, [])
    assert set(bench.reader.reject_counts("kempten-02")) == {a.FOREIGN_LOG, a.SHAPE}
    second = owner.frame()
    assert mark(bench.committer.commit([first, second])) == (2, ())
    assert [r.payload for r in bench.reader.records()] == [first.payload, second.payload]


def test_loss_commits_its_range_and_a_late_record_is_rescued(bench: Bench) -> None:
    speaker = Speaker()
    channels, late, _ = speaker.channels(), speaker.frame(), speaker.frame()
    outcome = bench.committer.commit([channels, speaker.loss(1, 2)])
    assert mark(outcome) == (4, ())
    assert (bench.shadow().lost, bench.shadow().last_loss) == (2, "outbox full")
    assert bench.committer.commit([late]).stored == 1
    assert bench.shadow().lost == 1
    assert bench.committer.commit([late]).duplicates == 1


def test_frame_before_its_channels_is_stored(bench: Bench) -> None:
    speaker = Speaker()
    channels, frame = speaker.channels(), speaker.frame()
    assert bench.committer.commit([frame]).stored == 1
    assert mark(bench.committer.commit([channels])) == (2, ())


def test_state_is_answered_even_for_a_log_that_was_never_seen(bench: Bench) -> None:
    outcome = bench.committer.commit([Speaker().state(head=9)])
    assert mark(outcome) == (0, ())
    assert (bench.shadow().buffered, bench.shadow().online) == (9, True)


def test_state_after_a_restart_is_answered_with_what_is_committed(bench: Bench) -> None:
    speaker = Speaker()
    bench.committer.commit([speaker.channels(), speaker.frame()])
    bench.close()
    bench.store.close()
    again = bench.reopened()
    assert mark(again.committer.commit([speaker.state()])) == (2, ())
    again.close()


def test_numbers_with_too_many_holes_are_deferred_not_lost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device_manager.ingest.watermark.MAX_AHEAD", 2)
    speaker = Speaker()
    sent = [speaker.channels(), *(speaker.frame() for _ in range(7))]
    outcome = bench.committer.commit(sent[1::2])
    assert (outcome.stored, outcome.deferred) == (2, 2)
    bench.committer.commit(sent[0::2])
    assert mark(bench.committer.commit(sent)) == (8, ())


def test_reject_budget_of_a_node_keeps_counting_beyond_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejects, "BUDGET_BYTES", 10)
    speaker = Speaker()
    bench.committer.commit([speaker.message("frame", b"\xff" * 6) for _ in range(3)])
    bench.committer.commit([speaker.message("frame", b"\xff" * 4)])
    assert [len(r.payload) for r in bench.reader.rejects("kempten-01")] == [4, 6]
    assert bench.reader.reject_counts("kempten-01") == {a.GARBAGE: 4}


def test_retained_message_that_is_shown_again_is_kept_once(bench: Bench) -> None:
    speaker = Speaker()
    for _ in range(3):
        bench.committer.commit([speaker.state(retained=True)])
    bench.committer.commit([speaker.state(online=False, retained=True)])
    assert len(bench.events()) == 2


def test_retained_message_that_was_removed_at_the_broker_is_no_word_of_the_node(bench: Bench) -> None:
    speaker = Speaker()
    outcome = bench.committer.commit([speaker.message(kind, b"") for kind in a.RETAINED])
    assert (outcome.messages, outcome.stored, outcome.rejected) == (0, 0, 0)
    assert bench.reader.reject_counts("kempten-01") == {}


def test_channels_of_two_epochs_judge_their_own_frames(bench: Bench) -> None:
    speaker = Speaker()
    sent = [speaker.channels(), speaker.frame(), speaker.channels(CHANNELS[:1]), speaker.frame([[1], [2]])]
    assert bench.committer.commit(sent[:1]).stored == 1
    assert bench.committer.commit(sent[1:]).stored == 3
    speaker.epoch = 0
    assert bench.committer.commit([speaker.frame([[1], [2]])]).rejected == 1


def test_message_on_an_unknown_topic_is_kept(bench: Bench) -> None:
    bench.committer.commit([Incoming("citynode/1/kempten-01/up/video", b"x", NOW_MS, False, None)])
    (reject,) = bench.reader.rejects("")
    assert (reject.reason, reject.topic) == (a.TOPIC, "citynode/1/kempten-01/up/video")
