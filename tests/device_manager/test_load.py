"""Simulated nodes: when who sends what, and that their frames are those of real ones."""

from pathlib import Path

import numpy as np
import pytest

from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.errors import UsageError
from device_manager.load import FIRST_LOG, Loader, name
from device_manager.loading.swarm import Habits, Swarm
from device_manager.loading.trace import Trace, channels, read
from device_manager.ports import Incoming
from firmware.wire import messages, topics
from tests.benchmarks.encoding import encoded_frames
from tests.data import real_day
from tests.fakes.broker import FakeBroker
from tests.fakes.speaker import START_S
from tests.fakes.stores import Bench

VALUES = [[int(value) for value in row] for row in real_day.records()]


def test_nodes_send_once_a_period_at_moments_of_their_own() -> None:
    swarm = Swarm(1000, Habits(600))
    counts = [sum(1 for _ in swarm.due(now_s)) for now_s in range(60, 1261, 60)]
    assert sum(counts) == swarm.sent.sum()
    assert set(swarm.sent.tolist()) <= {2, 3}
    assert max(counts) < 200


def test_outage_of_all_ends_in_a_storm_and_nothing_is_left_out() -> None:
    swarm = Swarm(100, Habits(10, outage_every_s=100, outage_s=50, together=True))
    before = [due for now_s in range(50) for due in swarm.due(now_s)]
    away = [due for now_s in range(50, 100) for due in swarm.due(now_s)]
    storm = list(swarm.due(100))
    assert not away
    assert len(storm) == 100
    assert {due.last - due.first + 1 for due in storm} <= {5, 6}
    sent = [(d.node, seq) for d in [*before, *storm] for seq in range(d.first, d.last + 1)]
    assert len(sent) == len(set(sent)) == swarm.sent.sum()


def test_frame_is_what_a_node_encodes() -> None:
    made = Trace(VALUES[:20]).frame(7, 300, START_S, at=1)
    assert made == encoded_frames(np.array(VALUES[10:20]), [(7, 300, 0, START_S)], 10)[0]


class Ingested(FakeBroker):
    """A broker with the real ingest behind it that loses the first messages."""

    def __init__(self, bench: Bench, lose: int) -> None:
        super().__init__()
        self._bench, self._lose = bench, lose

    def publish_all(self, messages_: list[tuple[str, bytes]], *, qos: int = 0) -> None:
        for topic, payload in messages_:
            self._lose -= 1
            if self._lose >= 0:
                continue
            outcome = self._bench.committer.commit([Incoming(topic, payload, 1000 * START_S + 10**8, False, None)])
            for mark in outcome.watermarks:
                fields = {"log": mark.log, "next": mark.next, "want": []}
                assert self._deliver is not None
                body = messages.encode("watermark", fields)
                self._deliver(Incoming(topics.down(mark.node, "watermark"), body, 0, False, None))


def test_load_sends_again_what_was_lost_and_all_is_stored_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device_manager.load.RESEND_S", 0.3)
    bench = Bench(tmp_path, [name(n) for n in range(5)])
    swarm = Swarm(5, Habits(0.2))
    loader = Loader(Ingested(bench, 3), Cbor2Codec(), swarm, Trace(VALUES), real_day.CHANNELS)
    report = loader.run(2.0, START_S, 600)
    stored = list(bench.reader.records())
    assert report.again > 0
    assert report.covered == report.made == len(stored)
    assert {record.kind for record in stored} == {"channels", "frame"}
    assert not any(bench.reader.reject_counts(name(n)) for n in range(5))
    bench.close()


def test_trace_of_another_quantity_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("temperature,luck\n215,7\n")
    with pytest.raises(UsageError, match="expected quantities as columns, got luck"):
        read(file)
    assert channels(["temperature"], FIRST_LOG)
