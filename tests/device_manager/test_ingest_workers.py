"""Workers and a brain on a real broker and a real PostgreSQL: killed at random, nothing is lost or repeated."""

import random
from collections.abc import Iterator
from pathlib import Path

import cbor2
import psycopg
import pytest

from device_manager.adapters.broker_shards import ShardedBroker
from device_manager.adapters.clock import SystemClock
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.store_arrivals import ArrivalsBroker, PgArrivals
from device_manager.adapters.store_engine import open_store
from device_manager.errors import SetupError, StoreError
from device_manager.ingest.commit import Committer
from device_manager.ingest.gathering import Gatherer, pack, parcels, unpack
from device_manager.ingest.service import IngestService
from device_manager.ingest_worker import run_workers
from device_manager.ports import Incoming
from device_manager.settings import Settings
from device_manager.shadow import JsonFold
from firmware.wire import messages, topics
from tests.benchmarks.ingest_sqlite import _mosquitto, _publish
from tests.fakes import postgres, worker
from tests.fakes.broker import FakeBroker
from tests.fakes.speaker import Speaker
from tests.fakes.stores import Bench
from tests.waiting import wait_for

CODEC = Cbor2Codec()


@pytest.fixture
def bench(tmp_path: Path, postgres_url: str) -> Iterator[Bench]:
    bench = Bench(tmp_path, ["kempten-01", "kempten-02"], postgres.fresh(postgres_url))
    bench.store.close()
    yield bench
    bench.close()


class Brain:
    """Sequencer as `serve --brain` composes it, on a broker that only notes what is said."""

    def __init__(self, bench: Bench) -> None:
        self.session = FakeBroker()
        self.store = open_store(bench.path)
        self.arrivals = ArrivalsBroker(bench.path, self.session, CODEC)
        self.service = IngestService(self.arrivals, Committer(self.store, CODEC, JsonFold()), SystemClock())
        self.service.start()

    def stop(self) -> None:
        self.service.stop()
        self.store.close()


def parcels_waiting(bench: Bench) -> int:
    with psycopg.connect(bench.path.url) as raw:
        return int(raw.execute("SELECT count(*) FROM arrival").fetchone()[0])


def test_workers_and_brain_killed_at_random_lose_and_repeat_nothing(bench: Bench, tmp_path: Path) -> None:
    chance = random.Random(5)
    speakers = [Speaker("kempten-01", 7), Speaker("kempten-02", 8, seed=2)]
    sent = [speaker.channels() for speaker in speakers]
    sent += [speaker.frame() for _ in range(400) for speaker in speakers]
    brain = Brain(bench)
    with _mosquitto(tmp_path) as port:
        workers = [worker.start(port, name, bench.path.url) for name in ("one", "two")]
        for at in range(0, len(sent), 100):
            _publish(port, [(message.topic, message.payload) for message in sent[at : at + 100]])
            victim = chance.randrange(2)
            worker.kill(workers[victim])
            workers[victim] = worker.start(port, ("one", "two")[victim], bench.path.url)
            if at == 300:
                brain.stop()
                brain = Brain(bench)
        wait_for(lambda: bench.reader.head_number() == len(sent), what=bench.reader.head_number)
        wait_for(lambda: parcels_waiting(bench) == 0)
        for process in workers:
            worker.kill(process)
    brain.stop()
    stored = list(bench.reader.records())
    assert [record.number for record in stored] == list(range(1, len(sent) + 1))
    assert sorted(record.payload for record in stored) == sorted(message.payload for message in sent)
    assert {bench.shadow(speaker.name).next for speaker in speakers} == {401}


def test_brain_numbers_what_workers_kept_and_publishes_watermarks(bench: Bench) -> None:
    speaker = Speaker()
    arrivals = PgArrivals(bench.path)
    for message in (speaker.channels(), speaker.frame()):
        arrivals.keep(1, pack([message], CODEC))
    assert bench.reader.head_number() == 0  # readers see numbered frames only
    brain = Brain(bench)
    wait_for(lambda: parcels_waiting(bench) == 0)
    brain.stop()
    arrivals.close()
    assert [record.number for record in bench.reader.records()] == [1, 2]
    topic, payload = brain.session.published[-1][:2]
    assert (topic, cbor2.loads(payload)[2]) == ("citynode/1/kempten-01/down/watermark", 2)


def test_parcel_that_came_twice_is_numbered_once(bench: Bench) -> None:
    speaker = Speaker()
    body = pack([speaker.channels(), speaker.frame()], CODEC)
    arrivals = PgArrivals(bench.path)
    arrivals.keep(2, body)
    arrivals.keep(2, body)
    brain = Brain(bench)
    wait_for(lambda: parcels_waiting(bench) == 0)
    brain.stop()
    arrivals.close()
    assert (bench.reader.head_number(), brain.service.totals.duplicates) == (2, 2)


def test_second_brain_is_refused(bench: Bench) -> None:
    brain = Brain(bench)
    with pytest.raises(StoreError, match="expected to be the only one that numbers"):
        Brain(bench)
    brain.stop()


def test_node_that_moves_to_another_broker_is_answered_there_and_is_not_taken_for_gone(bench: Bench) -> None:
    speaker, other = Speaker("kempten-01", 7), Speaker("kempten-02", 8)
    main, north = FakeBroker(), FakeBroker()
    store = open_store(bench.path)
    sharded = ArrivalsBroker(bench.path, ShardedBroker({"": main, "north": north}, CODEC), CODEC)
    service = IngestService(sharded, Committer(store, CODEC, JsonFold()), SystemClock())
    service.start()
    arrivals = PgArrivals(bench.path)

    def said(broker: FakeBroker) -> set[str]:
        return {topics.parse(topic)[0] for topic, _ in broker.published}

    main.send(*speaker.state()[:3])
    wait_for(lambda: said(main) == {"kempten-01"})
    assert not said(north)
    north.send(*speaker.state()[:3])  # it has moved; then its old broker notices
    main.send(*speaker.state(online=False)[:3])
    arrivals.keep(2, pack([speaker.channels(), other.channels()], CODEC))
    wait_for(lambda: {"kempten-01", "kempten-02"} <= said(north))
    assert said(main) == {"kempten-01", "kempten-02"}  # nobody has seen the second one yet
    marks = len([topic for topic, _ in main.published if "kempten-01" in topic])
    arrivals.keep(1, pack([speaker.frame()], CODEC))
    wait_for(lambda: bench.shadow("kempten-01").next == 2)
    service.stop()
    arrivals.close()
    store.close()
    assert bench.shadow("kempten-01").online
    assert len([topic for topic, _ in main.published if "kempten-01" in topic]) == marks
    assert not main.unacknowledged
    assert not north.unacknowledged
    cleared = [topic for topic, payload in main.published if not payload]
    assert cleared == [topics.up("kempten-01", kind) for kind in ("state", "channels")] * 2  # again after its will
    assert not [topic for topic, payload in north.published if not payload]


@pytest.mark.parametrize("first", ["main", "north"])
def test_brain_that_starts_after_a_move_believes_the_newer_of_two_retained_states(first: str) -> None:
    brokers, taken = {"main": FakeBroker(), "north": FakeBroker()}, list[Incoming]()
    sharded = ShardedBroker(brokers, CODEC)
    sharded.start(taken.append)
    for name in (first, *brokers.keys() - {first}):
        fields = {"online": True, "boot": 5, "time": 1_700_000_000 + (name == "north")}
        brokers[name].send(topics.up("kempten-01", "state"), messages.encode("state", fields), 0, retained=True)
    sharded.publish(topics.down("kempten-01", "watermark"), b"mark")
    assert [topic for topic, payload in brokers["north"].published] == [topics.down("kempten-01", "watermark")]
    assert [payload for _, payload in brokers["main"].published] == [b"", b""]


def test_last_will_that_was_seen_first_is_removed_when_the_node_is_found_elsewhere() -> None:
    main, north, speaker = FakeBroker(), FakeBroker(), Speaker()
    sharded = ShardedBroker({"": main, "north": north}, CODEC)
    sharded.start(lambda _: None)
    main.send(*speaker.state(online=False)[:3], retained=True)
    assert not main.published
    north.send(*speaker.state()[:3], retained=True)
    assert [payload for _, payload in main.published] == [b"", b""]


def test_worker_leaves_states_to_the_brain() -> None:
    class Kept:
        def keep(self, messages: int, body: bytes) -> None:
            self.body = body

    broker, arrivals, speaker = FakeBroker(), Kept(), Speaker()
    gatherer = Gatherer(broker, arrivals, CODEC)
    gatherer.start()
    message = speaker.frame()
    broker.send(*speaker.state()[:3])
    broker.send(*message[:3])
    wait_for(lambda: not broker.unacknowledged)
    gatherer.stop()
    assert unpack(arrivals.body, CODEC) == [message]


def test_worker_acknowledges_only_what_is_kept() -> None:
    class Failing:
        def __init__(self) -> None:
            self.failures = 2
            self.bodies: list[bytes] = []

        def keep(self, messages: int, body: bytes) -> None:
            if self.failures:
                self.failures -= 1
                assert broker.unacknowledged
                raise StoreError(expected="space", got="none", todo="free some")
            self.bodies.append(body)

    broker, arrivals = FakeBroker(), Failing()
    gatherer = Gatherer(broker, arrivals, CODEC)
    gatherer.start()
    message = Speaker().frame()
    broker.send(message.topic, message.payload, message.received_ms)
    wait_for(lambda: not broker.unacknowledged)
    gatherer.stop()
    assert unpack(arrivals.bodies[0], CODEC) == [message]


def test_parcels_are_cut_by_size_and_keep_the_order() -> None:
    messages = [Incoming(str(n), b"x" * 40, 0, False, None) for n in range(7)]
    cut = parcels(messages, most_bytes=100)
    assert [len(parcel) for parcel in cut] == [3, 3, 1]
    assert [message for parcel in cut for message in parcel] == messages


def test_workers_need_a_server(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="citynode store copy URL --switch"):
        run_workers(Settings(tmp_path), 1, 2)
