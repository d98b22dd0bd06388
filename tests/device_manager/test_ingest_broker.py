"""The paho adapter against real mosquitto, and the whole manager's side: node -> broker -> store -> watermark."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from device_manager.adapters.broker_paho import BrokerAddress, BrokerTls, PahoBroker
from device_manager.adapters.clock import SystemClock
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.errors import BrokerError
from device_manager.ingest.commit import Committer
from device_manager.ingest.service import IngestService
from device_manager.ports import Incoming
from device_manager.shadow import JsonFold
from firmware.wire import messages, topics
from tests.fakes.broker import FailingStore
from tests.fakes.speaker import Speaker
from tests.fakes.stores import Bench
from tests.firmware.link_rig import CONNACK, BadBroker
from tests.waiting import wait_for

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")


class Mosquitto:
    """A plain mosquitto on a loopback port with persistence, that can be killed and started again."""

    def __init__(self, directory: Path, port: int) -> None:
        self.port = port
        self._file = directory / "mosquitto.conf"
        self._file.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 0\nmax_queued_messages 0\n"
            f"persistence true\npersistence_location {directory}/\nautosave_interval 1\nautosave_on_changes true\n"
        )
        if os.geteuid() == 0:
            self._file.write_text(self._file.read_text() + "user root\n")
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([str(MOSQUITTO), "-c", str(self._file)], stderr=subprocess.DEVNULL)
        wait_for(self._answers)

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Node:
    """A stock MQTT 5 client that publishes a speaker's messages with QoS 1 and keeps what comes down."""

    def __init__(self, port: int, speaker: Speaker) -> None:
        self.speaker = speaker
        self.down: list[bytes] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, speaker.name, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = lambda _, __, message: self.down.append(bytes(message.payload))
        self._listens = threading.Event()
        self._client.on_connect = lambda *_: self._client.subscribe(f"citynode/1/{speaker.name}/down/#", 1)
        self._client.on_subscribe = lambda *_: self._listens.set()
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        wait_for(self._listens.is_set)

    def send(self, *sent: Incoming, retain: bool = False) -> None:
        for message in sent:
            self._client.publish(message.topic, message.payload, 1, retain).wait_for_publish(60)

    def marks(self) -> list[int]:
        return [messages.decode("watermark", payload)["next"] for payload in self.down]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def mosquitto(tmp_path: Path, free_port: int) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path, free_port)
    yield broker
    broker.stop(signal.SIGKILL)


@pytest.fixture
def address(mosquitto: Mosquitto) -> BrokerAddress:
    return BrokerAddress("127.0.0.1", mosquitto.port, "citynode-manager")


@pytest.fixture
def node(mosquitto: Mosquitto) -> Iterator[Node]:
    node = Node(mosquitto.port, Speaker())
    yield node
    node.close()


def test_what_is_not_acknowledged_comes_again_to_the_next_process(address: BrokerAddress, node: Node) -> None:
    got: list[Incoming] = []
    first = PahoBroker(address)
    first.start(got.append)
    sent = [node.speaker.channels(), node.speaker.frame()]
    node.send(*sent)
    wait_for(lambda: len(got) == 2)
    first.acknowledge([got[0].token])
    first.stop()
    again: list[Incoming] = []
    second = PahoBroker(address)
    second.start(again.append)
    wait_for(lambda: again)
    time.sleep(0.2)
    second.stop()
    assert [m.payload for m in again] == [sent[1].payload]
    assert not again[0].retained
    assert abs(again[0].received_ms / 1000 - time.time()) < 60


def test_old_token_after_a_reconnect_acknowledges_nothing(mosquitto: Mosquitto, address: BrokerAddress) -> None:
    node, got = Node(mosquitto.port, Speaker()), list[Incoming]()
    broker = PahoBroker(address)
    broker.start(got.append)
    node.send(node.speaker.channels())
    wait_for(lambda: len(got) == 1)
    mosquitto.stop()
    wait_for(lambda: not broker.connected)
    mosquitto.start()
    wait_for(lambda: len(got) == 2)
    broker.acknowledge([got[0].token])
    broker.stop()
    again: list[Incoming] = []
    second = PahoBroker(address)
    second.start(again.append)
    wait_for(lambda: again)
    second.stop()
    node.close()


def test_retained_messages_come_to_every_process_and_are_marked(address: BrokerAddress, node: Node) -> None:
    node.send(node.speaker.state(), retain=True)
    for _ in range(2):
        got: list[Incoming] = []
        broker = PahoBroker(address)
        broker.start(got.append)
        wait_for(lambda got=got: got)
        broker.acknowledge([m.token for m in got])
        broker.stop()
        assert got[0].retained


def test_no_broker_says_what_to_do(free_port: int) -> None:
    with pytest.raises(
        BrokerError, match=f"expected an MQTT 5 broker at 127.0.0.1:{free_port}, got .*refused.*; check"
    ):
        PahoBroker(BrokerAddress("127.0.0.1", free_port, "citynode-manager")).start(lambda _: None)


def test_broker_that_refuses_the_subscription_is_named() -> None:
    strict = BadBroker(CONNACK, b"\x90\x04\x00\x01\x00\x87")
    with pytest.raises(BrokerError, match="got Not authorized; check that it runs and whom it lets in"):
        PahoBroker(BrokerAddress("127.0.0.1", strict.port, "citynode-manager")).start(lambda _: None)
    strict.close()


def test_unreadable_tls_files_are_named(tmp_path: Path) -> None:
    tls = BrokerTls(tmp_path / "ca.pem", tmp_path / "cert.pem", tmp_path / "key.pem", "citynode-broker")
    with pytest.raises(BrokerError, match=r"expected readable TLS files .*ca\.pem.*No such file"):
        PahoBroker(BrokerAddress("127.0.0.1", 1, "citynode-manager", tls))


def test_readings_reach_the_store_and_watermarks_the_node(tmp_path: Path, address: BrokerAddress, node: Node) -> None:
    bench = Bench(tmp_path)
    service = IngestService(PahoBroker(address), Committer(bench.store, Cbor2Codec(), JsonFold()), SystemClock())
    service.start()
    speaker = node.speaker
    node.send(speaker.channels(), *(speaker.frame() for _ in range(300)), speaker.message("frame", b"x" * 1_000_000))
    node.send(speaker.state())
    wait_for(lambda: node.marks()[-1:] == [301])
    wait_for(lambda: bench.shadow().online)
    service.stop()
    assert [r.seq for r in bench.reader.records()] == list(range(301))
    assert bench.reader.reject_counts(speaker.name) == {"too large": 1}
    bench.close()


def test_killed_broker_and_failing_store_lose_and_repeat_nothing(
    tmp_path: Path, mosquitto: Mosquitto, address: BrokerAddress
) -> None:
    bench, node = Bench(tmp_path), Node(mosquitto.port, Speaker())
    store = FailingStore(bench.store)
    service = IngestService(PahoBroker(address), Committer(store, Cbor2Codec(), JsonFold()), SystemClock())
    service.start()
    speaker = node.speaker
    sent = [speaker.channels(), *(speaker.frame() for _ in range(100))]
    node.send(*sent[:30])
    store.failing = True
    node.send(*sent[30:60])
    mosquitto.stop(signal.SIGKILL)
    mosquitto.start()
    store.failing = False
    wait_for(lambda: node._client.is_connected())
    node.send(*sent[60:])
    node.send(*sent)  # as a node does whose watermark did not move
    wait_for(lambda: node.marks()[-1:] == [101])
    service.stop()
    assert [r.payload for r in bench.reader.records()] == [m.payload for m in sent]
    node.close()
    bench.close()


def test_topic_of_every_kind_is_subscribed(address: BrokerAddress, node: Node) -> None:
    got: list[Incoming] = []
    broker = PahoBroker(address)
    broker.start(got.append)
    for kind in topics.UP:
        node.send(node.speaker.message(kind, b"x"))
    wait_for(lambda: len(got) == len(topics.UP))
    broker.acknowledge([m.token for m in got])
    broker.stop()
    assert [m.topic.rsplit("/", 1)[1] for m in got] == list(topics.UP)
