"""The live mirror through a real mosquitto: retained, read only, over TLS and over WebSocket with a token."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from device_manager.adapters import mosquitto
from device_manager.adapters.broker_process import port_problem
from device_manager.adapters.broker_supervisor import Supervisor
from device_manager.adapters.mirror_paho import MirrorPublisher
from device_manager.adapters.mosquitto import Mosquitto
from device_manager.adapters.mosquitto_config import Version, access, configuration, has_websockets
from device_manager.adapters.store_cursors import SqlCursors
from device_manager.adapters.store_operations import Operations
from device_manager.errors import BrokerError
from device_manager.identities import Authority
from device_manager.scopes import Scope
from device_manager.settings import BrokerSettings, Settings
from device_manager.twin import mirror as mirrors
from device_manager.twin.accounts import issue
from device_manager.twin.mirror import Message, Mirror
from device_manager.twin.public import FULL
from device_manager.twin_mirror import address
from device_manager.twin_side import accounting, open_twin
from tests.fakes.derived import SITE
from tests.fakes.open_city import CHANNELS, NOW_S, city
from tests.fakes.speaker import START_S, Speaker
from tests.waiting import wait_for

PROGRAM = mosquitto.find()
needs_websockets = pytest.mark.skipif(
    PROGRAM is None or not has_websockets(PROGRAM), reason="no mosquitto with WebSockets"
)
ANNA = Scope("anna")


class Consumer:
    """A client that reads; what it got by topic, and whether the broker took what it published."""

    def __init__(self, settings: Settings, name: str, password: str | None = None) -> None:
        self.got: dict[str, tuple[Any, bool]] = {}
        self.gone = threading.Event()
        self.granted: list[int] = []
        self.answers: list[int] = []
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            name,
            protocol=MQTTProtocolVersion.MQTTv5,
            transport="websockets" if password else "tcp",
        )
        context = ssl.create_default_context(cafile=str(settings.identities / "ca.crt"))
        context.check_hostname = False  # the certificate's name is citynode-broker; the chain is checked
        if password:
            self.client.username_pw_set(name, password)
        else:
            context.load_cert_chain(settings.identities / "twin.crt", settings.identities / "twin.key")
        self.client.tls_set_context(context)
        self.client.on_message = lambda _c, _u, m: self.got.update({m.topic: (json.loads(m.payload), m.retain)})
        self.client.on_disconnect = lambda *_: self.gone.set()
        self.client.on_subscribe = lambda _c, _u, _m, codes, _p: self.granted.extend(c.value for c in codes)
        self.client.on_publish = lambda _c, _u, _m, reason, _p: self.answers.append(reason.value)
        self.refused = threading.Event()
        self.client.on_connect = lambda _c, _u, _f, reason, _p: self.refused.set() if reason.is_failure else None
        port = settings.broker.websocket_port if password else settings.broker.port
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def read(self, *topics: str) -> None:
        wait_for(self.client.is_connected)
        granted = len(self.granted) + len(topics)
        self.client.subscribe([(topic, 1) for topic in topics])
        wait_for(lambda: len(self.granted) >= granted)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class House:
    """Stores, a broker and a mirror."""

    def __init__(self, directory: Path, ports: tuple[int, int]) -> None:
        self.derived = city(directory, frames=12)
        self.settings = Settings(directory, broker=BrokerSettings(port=ports[0], websocket_port=ports[1]))
        Authority.create(self.settings.identities, self.settings.broker.names, time.time())
        self.settings.broker_directory.mkdir()
        self.broker = Supervisor(Mosquitto(self.settings))
        self.broker.start()
        self.publisher = MirrorPublisher(address(self.settings))
        self.operations = Operations(self.derived.bench.path)
        self._twin = open_twin(self.derived.bench.path)
        self.mirror = Mirror(
            self._twin.__enter__(), SqlCursors(self.operations), self.publisher.publish, "http://city.example/v1.1"
        )

    def run(self) -> None:
        self.publisher.connect()
        while self.mirror.step(NOW_S):
            pass

    def say(self, rows: list[list[int | None]], start_s: int) -> None:
        """Have a second log of the node say something later."""
        speaker = Speaker(log=9)
        self.derived.bench.committer.commit([speaker.channels(CHANNELS), speaker.frame(rows, start_s)])
        self.derived.keeper.advance()

    def close(self) -> None:
        self.publisher.close()
        self._twin.__exit__(None, None, None)
        self.operations.close()
        self.broker.stop()
        self.derived.close()


def _free(first: int) -> int:
    return next(port for port in range(first, first + 500) if port_problem("127.0.0.1", port) is None)


@pytest.fixture
def house(tmp_path: Path, free_port: int) -> Iterator[House]:
    house = House(tmp_path, (free_port, _free(free_port + 1)))
    yield house
    house.close()


@needs_websockets
def test_mirror_is_retained_and_goes_on_with_what_is_new(house: House) -> None:
    house.run()
    consumer = Consumer(house.settings, "citynode.twin")
    consumer.read("v1.1/#", "twin/#")
    wait_for(lambda: "twin/1/rathausplatz/pm2_5/raw" in consumer.got)
    before, retained = consumer.got["twin/1/rathausplatz/pm2_5/raw"]
    assert retained
    assert before["unit"] == "ug/m3"
    sta = [v for topic, v in consumer.got.items() if topic.startswith("v1.1/Datastreams(")]
    assert sta
    assert all(kept and {"result", "phenomenonTime", "@iot.selfLink"} <= set(said) for said, kept in sta)
    house.say([[123, 210, 500, 9000, 9000]], START_S + 86_000)
    house.run()
    wait_for(lambda: consumer.got["twin/1/rathausplatz/pm2_5/raw"][0]["value"] == 12.3)
    assert consumer.got["twin/1/rathausplatz/pm2_5/raw"][0]["number"] > before["number"]
    consumer.close()


@needs_websockets
def test_token_reads_over_websocket_writes_nothing_and_is_thrown_out_when_revoked(house: House) -> None:
    with accounting(house.settings) as accounts:
        secret = accounts.give("map", [], lambda n: bytes(range(n)), 1, scope=ANNA)
        house.run()
        consumer = Consumer(house.settings, "twin.map", secret)
        consumer.read("v1.1/#", "twin/#", "citynode/#")
        wait_for(lambda: "twin/1/rathausplatz/pm2_5/raw" in consumer.got)
        assert not any(topic.startswith("citynode/") for topic in consumer.got)
        for topic in ("citynode/1/twin.map/up/state", "v1.1/Datastreams(1)/Observations", "twin/1/x/y/z"):
            consumer.client.publish(topic, b"{}", qos=1)
        wait_for(lambda: len(consumer.answers) == 3)
        assert consumer.answers == [135, 135, 135]  # MQTT 5: not authorized
        consumer.gone.clear()
        accounts.revoke("map", 2, scope=ANNA)
        assert consumer.gone.wait(120)
        assert consumer.refused.wait(120)
        consumer.close()


@needs_websockets
def test_token_of_a_site_reads_nothing_of_another(house: House) -> None:
    house.derived.add_site(5, "hofgarten")
    with accounting(house.settings) as accounts:
        other = accounts.give("park", ["hofgarten"], lambda n: bytes(range(1, n + 1)), 1, scope=ANNA)
        own = accounts.give("plaza", ["rathausplatz"], lambda n: bytes(range(2, n + 2)), 1, scope=ANNA)
    house.run()
    plaza, park = Consumer(house.settings, "twin.plaza", own), Consumer(house.settings, "twin.park", other)
    for consumer in (park, plaza):
        consumer.read("v1.1/#", "twin/#")
    wait_for(lambda: "twin/1/rathausplatz/pm2_5/raw" in plaza.got)
    assert set(topic.split("/")[2] for topic in plaza.got) == {"rathausplatz"}
    assert park.got == {}
    plaza.close()
    park.close()


@needs_websockets
def test_wrong_password_is_refused(house: House) -> None:
    stranger = Consumer(house.settings, "twin.map", "cnt_guess")
    assert stranger.refused.wait(120)
    stranger.close()


class Taken:
    """Takes messages, or fails."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.fails = False

    def __call__(self, messages: Any) -> None:
        if self.fails:
            raise BrokerError(expected="a broker", got="none", todo="start it")
        self.messages += messages


def test_mirror_publishes_each_number_once_and_repeats_what_failed(tmp_path: Path) -> None:
    derived, taken = city(tmp_path, frames=6), Taken()
    operations = Operations(derived.bench.path)
    cursors = SqlCursors(operations)
    cursors.put(mirrors.CURSOR, 0)
    with open_twin(derived.bench.path) as twin:
        mirror = Mirror(twin, cursors, taken, "http://c/v1.1")
        taken.fails = True
        with pytest.raises(BrokerError):
            mirror.step(NOW_S)
        assert cursors.get(mirrors.CURSOR) == 0
        taken.fails = False
        while mirror.step(NOW_S):
            pass
        numbers = [json.loads(m.payload)["@iot.id"] for m in taken.messages if m.topic.startswith("v1.1/")]
        catalogue, observed, _ = twin.sight(FULL, NOW_S)
        rows = observed.between(catalogue, 1, observed.last_number())
        assert sorted(numbers) == sorted(rows.number.tolist())
        retained = [m.topic for m in taken.messages if m.retain and m.topic.startswith("v1.1/")]
        assert len(retained) == len(set(retained)) == len(set(rows.stream.tolist()))
        count = len(taken.messages)
        assert mirror.step(NOW_S) is False
        assert len(taken.messages) == count
    operations.close()
    derived.close()


def test_late_observation_is_published_but_not_retained(tmp_path: Path) -> None:
    derived, taken = city(tmp_path, frames=6), Taken()
    operations = Operations(derived.bench.path)
    with open_twin(derived.bench.path) as twin:
        mirror = Mirror(twin, SqlCursors(operations), taken, "http://c/v1.1")
        mirror.step(NOW_S)
        taken.messages.clear()
        speaker = Speaker(log=9)
        late = [speaker.channels(CHANNELS), speaker.frame([[77, 210, 500, 1, 1]], START_S - 7200)]
        derived.bench.committer.commit(late)
        derived.keeper.advance()
        mirror.step(NOW_S)
        raw = twin.sight(FULL, NOW_S)[0].by_key[SITE, "pm2_5", "raw"]
        topic = f"v1.1/Datastreams({raw})/Observations"
        found = [m for m in taken.messages if m.topic == topic and json.loads(m.payload)["result"] == 7.7]
        assert found
        assert not any(m.retain for m in found)
    operations.close()
    derived.close()


def test_websocket_listener_stands_only_where_it_is_asked_for() -> None:
    with_it = configuration(BrokerSettings(websocket_port=9001), Version(2, 0, 11), None)
    without = configuration(BrokerSettings(), Version(2, 0, 11), None)
    assert "protocol websockets" in with_it
    assert "password_file passwords" in with_it
    assert "websockets" not in without
    assert "password_file" not in without


def test_access_rules_of_an_account_deny_what_patterns_would_give() -> None:
    _, account = issue("map", frozenset(), 1, lambda n: bytes(n))
    assert "user twin.map\ntopic deny citynode/#\ntopic read v1.1/#\ntopic read twin/#\n" in access({}, [account])
    assert "twin.map" not in access({}, [account._replace(revoked_s=2)])
