"""The ingest loop between a broker and a store, both of which may fail."""

import logging
from collections.abc import Iterator
from pathlib import Path

import cbor2
import pytest

from device_manager.adapters.clock import SystemClock
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.ingest import admit as a
from device_manager.ingest import intake
from device_manager.ingest.commit import Committer
from device_manager.ingest.handover import HandOver
from device_manager.ingest.service import IngestService, encode_watermark
from device_manager.ports import Incoming, Watermark
from device_manager.shadow import JsonFold
from firmware.wire import messages
from tests.fakes.broker import FailingStore, FakeBroker
from tests.fakes.speaker import NOW_MS, START_S, Speaker
from tests.fakes.stores import Bench
from tests.waiting import wait_for


class Bed:
    """A running service between a fake broker and a real store that can be made to fail."""

    def __init__(self, directory: Path) -> None:
        self.bench = Bench(directory)
        self.broker = FakeBroker()
        self.store = FailingStore(self.bench.store)
        self.service = IngestService(self.broker, Committer(self.store, Cbor2Codec(), JsonFold()), SystemClock())
        self.service.start()

    def send(self, *sent: Incoming) -> None:
        for message in sent:
            self.broker.send(message.topic, message.payload, NOW_MS)

    def marks(self) -> list[int]:
        return [messages.decode("watermark", payload)["next"] for _, payload in self.broker.published]


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bed]:
    monkeypatch.setattr(intake, "_RETRY_S", (0.01,))
    bed = Bed(tmp_path)
    yield bed
    if not bed.broker.stopped:
        bed.service.stop()
    bed.bench.close()


def test_messages_are_committed_then_acknowledged_and_answered(bed: Bed) -> None:
    speaker = Speaker()
    bed.send(speaker.channels(), speaker.frame(), speaker.state())
    wait_for(lambda: not bed.broker.unacknowledged)
    wait_for(lambda: bed.marks()[-1:] == [2])
    assert len(bed.bench.content()) == 2
    assert {topic for topic, _ in bed.broker.published} == {"citynode/1/kempten-01/down/watermark"}


def test_watermark_is_what_the_contract_encodes() -> None:
    for want in ((), ((3, 4), (9, 9))):
        mark = Watermark("kempten-01", 2**32 - 1, 300, want)
        fields = {"log": mark.log, "next": mark.next, "want": [list(hole) for hole in want], "time": START_S}
        assert encode_watermark(mark, START_S, Cbor2Codec().dumps) == messages.encode("watermark", fields)


def test_failing_store_acknowledges_nothing_and_recovers(bed: Bed, caplog: pytest.LogCaptureFixture) -> None:
    speaker = Speaker()
    bed.store.failing = True
    bed.send(speaker.channels(), speaker.frame())
    wait_for(lambda: bed.store.refused_steps > 3)
    assert len(bed.broker.unacknowledged) == 2
    assert (bed.marks(), bed.bench.content()) == ([], [])
    bed.store.failing = False
    wait_for(lambda: not bed.broker.unacknowledged)
    wait_for(lambda: bed.marks()[-1:] == [2])
    errors = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert len(errors) == 1
    assert errors[0].startswith("expected room on the disk, got disk full; free some space; ")
    assert "nothing is acknowledged" in errors[0]


def test_reconnect_while_the_store_fails_brings_no_duplicate(bed: Bed) -> None:
    speaker = Speaker()
    bed.store.failing = True
    bed.send(speaker.channels(), speaker.frame())
    wait_for(lambda: bed.store.refused_steps)
    bed.broker.reconnect(NOW_MS)
    bed.store.failing = False
    wait_for(lambda: not bed.broker.unacknowledged)
    assert len(bed.bench.content()) == 2


def test_message_that_breaks_our_code_is_kept_and_the_others_are_stored(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> object:
        raise RuntimeError("our bug")

    monkeypatch.setattr(a.messages, "from_items", broken)
    speaker = Speaker()
    bed.send(speaker.channels(), speaker.state(), speaker.frame())
    wait_for(lambda: not bed.broker.unacknowledged)
    assert len(bed.bench.content()) == 2
    (reject,) = bed.bench.reader.rejects("kempten-01")
    assert (reject.reason, reject.detail) == ("internal", "RuntimeError: our bug")


def test_message_that_breaks_the_step_itself_is_kept_and_the_others_are_stored(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_fold = JsonFold.fold

    def broken(self: JsonFold, document: str | None, node: str, events: list[object]) -> str:
        if any(type(event).__name__ == "HealthSeen" for event in events):
            raise KeyError("our bug")
        return true_fold(self, document, node, events)

    monkeypatch.setattr(JsonFold, "fold", broken)
    speaker = Speaker()
    health = dict.fromkeys(("boot", "uptime_s", "heap_free", "heap_floor", "buffered", "lost", "resent"), 1)
    health |= {"time": None, "rssi": None, "bad_watermarks": 0, "unknown": 0}
    fields = {**health, "reset_cause": "", "faults": [], "last_error": ""}
    bed.send(speaker.channels(), speaker.message("health", messages.encode("health", fields)), speaker.frame())
    wait_for(lambda: not bed.broker.unacknowledged)
    assert len(bed.bench.content()) == 2
    assert bed.bench.reader.reject_counts("kempten-01") == {"internal": 1}


def test_bad_input_of_every_kind_leaves_the_good_stored(bed: Bed) -> None:
    speaker = Speaker()
    head = [0, speaker.log]
    bad = [
        b"garbage",
        cbor2.dumps([0, speaker.log, 90, b"x" * 1_000_000]),
        cbor2.dumps([5, speaker.log, 91]),
        cbor2.dumps([*head, 92, 0, 0, 60, 1, [1, 2, 3]]),
        cbor2.dumps([*head, 93, 0, 2**32 - 1, 60, 1, [1, 2, 3]]),
    ]
    bed.send(speaker.channels())
    for payload in bad:
        bed.send(speaker.message("frame", payload), speaker.frame())
    wait_for(lambda: not bed.broker.unacknowledged)
    assert len(bed.bench.content()) == 1 + len(bad)
    expected = {a.GARBAGE: 1, a.TOO_LARGE: 1, a.VERSION_UNKNOWN: 1, a.CLOCK: 2}
    assert bed.bench.shadow().rejects == expected


def test_stop_commits_and_acknowledges_what_came(bed: Bed) -> None:
    speaker = Speaker()
    bed.send(speaker.channels(), *(speaker.frame() for _ in range(50)))
    bed.service.stop()
    assert bed.broker.stopped
    assert (len(bed.bench.content()), bed.broker.unacknowledged) == (51, {})
    assert bed.service.totals.stored == 51


def test_stop_while_the_store_fails_ends_and_acknowledges_nothing(bed: Bed) -> None:
    bed.store.failing = True
    bed.send(Speaker().channels())
    wait_for(lambda: bed.store.refused_steps)
    bed.service.stop()
    assert len(bed.broker.unacknowledged) == 1


def test_full_queue_makes_the_broker_wait_and_a_closed_one_drops() -> None:
    queue = HandOver(capacity=2)
    sent = [Speaker().frame() for _ in range(3)]
    queue.put(sent[0])
    queue.put(sent[1])
    queue.close()
    queue.put(sent[2])
    assert queue.take(10) == sent[:2]
