"""TLS is real: real mosquitto with the generated configuration, and real MicroPython where the node is the judge."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from device_manager.adapters import processes
from device_manager.adapters.broker_check import handshake
from device_manager.adapters.mosquitto import Mosquitto, find
from device_manager.adapters.mosquitto_config import MAX_CONNECTIONS
from device_manager.errors import BrokerError, UsageError
from device_manager.identities import Authority, Identity, certificates
from device_manager.identities.certificates import DAY_S
from device_manager.settings import BrokerSettings, Settings
from tests.conftest import Run
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(find() is None, reason="mosquitto is not installed")
NOW_S = time.time()
NAME = "citynode-broker"

# What a node does before it trusts a broker; prints "accepted" or the error.
JUDGE = """
import socket, sys, tls
context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
context.verify_mode = tls.CERT_REQUIRED
context.load_verify_locations(open("anchor.der", "rb").read())
if len(sys.argv) > 3:
    context.load_cert_chain(open(sys.argv[3] + ".crt.der", "rb").read(), open(sys.argv[3] + ".key.der", "rb").read())
plain = socket.socket()
plain.connect(socket.getaddrinfo("127.0.0.1", int(sys.argv[1]))[0][-1])
try:
    secure = context.wrap_socket(plain, server_hostname=sys.argv[2])
    secure.write(b"\\x10\\x10\\x00\\x04MQTT\\x05\\x02\\x00\\x1e\\x00\\x00\\x03abc")
    print("accepted" if secure.read(1) == b"\\x20" else "refused by the broker")
except (OSError, ValueError) as error:  # what it finds in a certificate is a ValueError
    print("refused:", str(error).strip())
"""


class Fleet:
    """A broker with its CA, and helpers that connect to it as anybody."""

    def __init__(self, directory: Path, port: int) -> None:
        self.settings = Settings(directory, broker=BrokerSettings(port=port))
        self.authority = Authority.create(self.settings.identities, (NAME,), NOW_S)
        self.settings.broker_directory.mkdir()
        self.broker = Mosquitto(self.settings)
        self.port = port

    def pem(self, name: str, identity: Identity) -> Path:
        path = self.settings.directory / name
        path.with_suffix(".crt").write_bytes(identity.certificate_pem())
        path.with_suffix(".key").write_bytes(identity.key_pem())
        return path


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = Fleet(tmp_path_factory.mktemp("fleet"), port)
    made.broker.prepare()
    made.broker.start()
    made.broker.wait_ready()
    yield made
    made.broker.stop()


@pytest.fixture
def judge(micropython: Run, tmp_path: Path, fleet: Fleet) -> Callable[..., str]:
    """Connect from MicroPython; returns its verdict."""
    (tmp_path / "judge.py").write_text(JUDGE)

    def connect(
        *, port: int = fleet.port, anchor: bytes | None = None, identity: Identity | None = None, name: str = NAME
    ) -> str:
        (tmp_path / "anchor.der").write_bytes(anchor or fleet.authority.anchors_der()[0])
        arguments = [str(port), name]
        if identity is not None:
            (tmp_path / "node.crt.der").write_bytes(identity.certificate_der())
            (tmp_path / "node.key.der").write_bytes(identity.key_der())
            arguments.append("node")
        done = micropython(tmp_path / "judge.py", *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return connect


def foreign_root() -> Identity:
    return certificates.root("somebody else", NOW_S, 10)


def root_of(fleet: Fleet) -> Identity:
    """The fleet's issuer with its key, to sign what the authority never would."""
    return fleet.authority._issuer


def test_node_with_its_certificate_is_accepted(fleet: Fleet, judge: Callable[..., str]) -> None:
    assert judge(identity=fleet.authority.issue_node("kempten-01", NOW_S)) == "accepted"


def test_node_with_a_pkcs8_key_is_accepted_too(fleet: Fleet, judge: Callable[..., str], tmp_path: Path) -> None:
    identity = fleet.authority.issue_node("kempten-02", NOW_S)

    class Pkcs8(Identity):
        def key_der(self) -> bytes:
            from cryptography.hazmat.primitives import serialization as s

            return self.key.private_bytes(s.Encoding.DER, s.PrivateFormat.PKCS8, s.NoEncryption())

    assert judge(identity=Pkcs8(identity.certificate, identity.key)) == "accepted"


def test_node_without_a_certificate_is_refused(judge: Callable[..., str]) -> None:
    assert judge().startswith("refused")


def test_node_with_a_foreign_certificate_is_refused(judge: Callable[..., str]) -> None:
    stranger = certificates.client(foreign_root(), "kempten-01", NOW_S - DAY_S, NOW_S + DAY_S)
    assert judge(identity=stranger).startswith("refused")


@pytest.mark.parametrize(("start_days", "end_days"), [(-10, -1), (1, 10)])
def test_node_whose_certificate_is_not_valid_now_is_refused(
    fleet: Fleet, judge: Callable[..., str], start_days: int, end_days: int
) -> None:
    late = certificates.client(root_of(fleet), "kempten-01", NOW_S + start_days * DAY_S, NOW_S + end_days * DAY_S)
    assert judge(identity=late).startswith("refused")


def test_node_with_a_wrong_ca_refuses_the_broker(fleet: Fleet, judge: Callable[..., str]) -> None:
    identity = fleet.authority.issue_node("kempten-03", NOW_S)
    assert "not correctly signed by the trusted CA" in judge(identity=identity, anchor=foreign_root().certificate_der())


def test_node_refuses_a_broker_of_another_name(fleet: Fleet, judge: Callable[..., str]) -> None:
    identity = fleet.authority.issue_node("kempten-04", NOW_S)
    assert "does not match with the expected CN" in judge(identity=identity, name="other-broker")


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[Callable[[Identity], int]]:
    """Serve TLS with any certificate and answer CONNACK to whoever completes the handshake; returns the port."""
    import threading

    listeners = []

    def serve(identity: Identity) -> int:
        path = tmp_path / "impostor"
        path.with_suffix(".crt").write_bytes(identity.certificate_pem())
        path.with_suffix(".key").write_bytes(identity.key_pem())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path.with_suffix(".crt"), path.with_suffix(".key"))
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=_answer_one, args=(listener, context), daemon=True).start()
        return int(listener.getsockname()[1])

    yield serve
    for listener in listeners:
        listener.close()


def _answer_one(listener: socket.socket, context: ssl.SSLContext) -> None:
    try:
        plain, _ = listener.accept()
        with context.wrap_socket(plain, server_side=True) as secure:
            secure.recv(100)
            secure.sendall(b"\x20\x03\x00\x00\x00")
    except OSError:
        pass  # the node hung up, as it should for a bad certificate


BAD_BROKERS: dict[str, tuple[Callable[[Identity], Identity], str]] = {
    "wrong": (
        lambda root: certificates.server(foreign_root(), (NAME,), NOW_S - DAY_S, NOW_S + DAY_S),
        "not correctly signed by the trusted CA",
    ),
    "expired": (
        lambda root: certificates.server(root, (NAME,), NOW_S - 10 * DAY_S, NOW_S - DAY_S),
        "validity has expired",
    ),
    "not yet valid": (
        lambda root: certificates.server(root, (NAME,), NOW_S + DAY_S, NOW_S + 10 * DAY_S),
        "validity starts in the future",
    ),
    "another node's": (
        lambda root: certificates.client(root, "kempten-09", NOW_S - DAY_S, NOW_S + DAY_S),
        "does not match with the expected CN",
    ),
}


def test_node_accepts_a_good_certificate_on_the_test_server(
    fleet: Fleet, judge: Callable[..., str], impostor: Callable[[Identity], int]
) -> None:
    good = certificates.server(root_of(fleet), (NAME,), NOW_S - DAY_S, NOW_S + DAY_S)
    assert judge(port=impostor(good)) == "accepted"


@pytest.mark.parametrize("kind", BAD_BROKERS)
def test_node_refuses_a_broker_with_a_bad_certificate(
    fleet: Fleet, judge: Callable[..., str], impostor: Callable[[Identity], int], kind: str
) -> None:
    make, reason = BAD_BROKERS[kind]
    verdict = judge(port=impostor(make(root_of(fleet))))
    assert verdict.startswith("refused:")
    assert reason in verdict


class Client:
    """A paho client that is connected as somebody."""

    def __init__(self, fleet: Fleet, identity: Path) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.published: list[ReasonCode] = []
        self.mqtt = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self.mqtt.tls_set(str(fleet.authority.root_file), f"{identity}.crt", f"{identity}.key")
        self.mqtt.on_message = lambda _c, _u, message: self.received.append((message.topic, message.payload))
        self.mqtt.on_publish = lambda _c, _u, _mid, reason, _p: self.published.append(reason)
        self.mqtt.connect("localhost", fleet.port)
        self.mqtt.loop_start()

    def subscribe(self, topic: str) -> None:
        granted = threading.Event()
        self.mqtt.on_subscribe = lambda *_: granted.set()
        self.mqtt.subscribe(topic, qos=1)
        wait_for(granted.is_set)

    def publish(self, topic: str, payload: bytes) -> ReasonCode:
        before = len(self.published)
        self.mqtt.publish(topic, payload, qos=1)
        wait_for(lambda: len(self.published) > before)
        return self.published[-1]

    def close(self) -> None:
        self.mqtt.disconnect()
        self.mqtt.loop_stop()


def test_broker_that_missed_a_signal_is_told_again(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    hang_up, told = processes.hang_up, list[Path]()

    def deaf(pid_file: Path, sign: str) -> bool:
        told.append(pid_file)
        return len(told) == 1 or hang_up(pid_file, sign)  # the first is lost

    monkeypatch.setattr(processes, "hang_up", deaf)
    fleet.broker.refresh()
    assert len(told) == 2
    monkeypatch.setattr(processes, "hang_up", lambda *_: True)
    with pytest.raises(BrokerError, match="expected the broker to read its files anew, got no word of it; restart"):
        fleet.broker.refresh(timeout_s=0.1)


def test_account_may_do_what_its_role_says_and_is_out_when_it_is_revoked(fleet: Fleet) -> None:
    authority, identities = fleet.authority, fleet.settings.identities
    authority.add_account("twin", "scada", NOW_S)
    authority.add_account("ingest", "worker-1", NOW_S)
    fleet.broker.refresh()
    paths = [identities / "accounts" / name for name in ("citynode.twin.scada", "citynode.ingest.worker-1")]
    watermark, frame = "citynode/1/acc-01/down/watermark", "citynode/1/acc-01/up/frame"
    node = Client(fleet, fleet.pem("acc-01", authority.issue_node("acc-01", NOW_S)))
    scada, worker = (Client(fleet, path) for path in paths)
    wait_for(lambda: not worker.publish(watermark, b"mark").is_failure)  # the broker reads its rules after a signal
    assert scada.publish(watermark, b"mark").getName() == "Not authorized"
    assert worker.publish("citynode/1/acc-01/down/order", b"order").getName() == "Not authorized"
    for client in (scada, worker):
        assert client.publish(frame, b"frame").getName() == "Not authorized"
        client.subscribe("citynode/#")

    def both_heard() -> bool:
        node.publish(frame, b"own")
        return bool(scada.received) and bool(worker.received)

    wait_for(both_heard, every_s=0.2)
    authority.revoke("citynode.twin.scada", NOW_S)
    fleet.broker.enforce(authority, "citynode.twin.scada")
    assert handshake(fleet.settings, (Path(f"{paths[0]}.crt"), Path(f"{paths[0]}.key"))) is not None
    assert handshake(fleet.settings, (Path(f"{paths[1]}.crt"), Path(f"{paths[1]}.key"))) is None
    for client in (node, scada, worker):
        client.close()


def test_access_rules_bind_everybody_to_their_topics(fleet: Fleet) -> None:
    manager = Client(fleet, fleet.settings.identities / "manager")
    twin = Client(fleet, fleet.settings.identities / "twin")
    nodes = [Client(fleet, fleet.pem(n, fleet.authority.issue_node(n, NOW_S))) for n in ("acl-01", "acl-02")]
    for client in (manager, twin, *nodes):
        client.subscribe("citynode/#")

    assert not nodes[0].publish("citynode/1/acl-01/up/frame", b"own").is_failure
    assert nodes[0].publish("citynode/1/acl-02/up/frame", b"foreign").getName() == "Not authorized"
    assert nodes[0].publish("citynode/1/acl-01/down/command", b"own down").getName() == "Not authorized"
    assert nodes[0].publish("other/topic", b"elsewhere").getName() == "Not authorized"
    assert twin.publish("citynode/1/acl-01/up/frame", b"twin").getName() == "Not authorized"
    assert twin.publish("citynode/1/acl-01/down/command", b"twin").getName() == "Not authorized"
    assert not manager.publish("citynode/1/acl-01/down/command", b"order").is_failure

    order, own = ("citynode/1/acl-01/down/command", b"order"), ("citynode/1/acl-01/up/frame", b"own")
    wait_for(lambda: bool(nodes[0].received) and len(manager.received) == 2)
    time.sleep(0.2)  # what must not come would have come by now
    assert nodes[0].received == [order]
    assert nodes[1].received == []
    assert manager.received == [own, order]
    assert twin.received == [own]
    for client in (manager, twin, *nodes):
        client.close()


def test_node_with_anothers_client_id_is_given_its_own(fleet: Fleet) -> None:
    first = Client(fleet, fleet.pem("id-01", fleet.authority.issue_node("id-01", NOW_S)))
    thief = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="id-01", protocol=mqtt.MQTTv5)
    path = fleet.pem("id-02", fleet.authority.issue_node("id-02", NOW_S))
    thief.tls_set(str(fleet.authority.root_file), f"{path}.crt", f"{path}.key")
    thief.connect("localhost", fleet.port)
    thief.loop_start()
    wait_for(thief.is_connected)
    time.sleep(0.2)
    assert first.mqtt.is_connected()
    assert not first.publish("citynode/1/id-01/up/frame", b"still here").is_failure
    first.close()
    thief.disconnect()
    thief.loop_stop()


def test_message_of_a_megabyte_reaches_the_manager_and_a_larger_one_ends_the_sender(fleet: Fleet) -> None:
    manager = Client(fleet, fleet.settings.identities / "manager")
    manager.subscribe("citynode/1/big-01/up/#")
    node = Client(fleet, fleet.pem("big-01", fleet.authority.issue_node("big-01", NOW_S)))
    assert not node.publish("citynode/1/big-01/up/frame", bytes(1_048_576)).is_failure
    wait_for(lambda: bool(manager.received))
    assert len(manager.received[0][1]) == 1_048_576
    ended: list[object] = []
    node.mqtt.on_disconnect = lambda *_: ended.append(True)
    node.mqtt.publish("citynode/1/big-01/up/frame", bytes(3 * 1_048_576), qos=1)
    wait_for(lambda: bool(ended))
    node.mqtt.loop_stop()
    manager.close()


def test_self_test_tries_everybody_and_says_what_came_of_it(fleet: Fleet) -> None:
    found = fleet.broker.self_test()
    assert [(finding.what, finding.was, finding.ok) for finding in found] == [
        ("the manager's certificate", True, True),
        ("a foreign certificate", False, True),
        ("no certificate", False, True),
        ("a revoked certificate", False, True),
        ("another node's topic", False, True),
    ]
    assert "revoked" in found[3].words
    assert str(found[4]) == "another node's topic: refused (not authorized)"


def test_self_test_finds_an_access_list_that_lets_everybody_write_everywhere(tmp_path: Path, free_port: int) -> None:
    open_one = Fleet(tmp_path, free_port)
    open_one.broker.prepare()
    (open_one.settings.broker_directory / "access").write_text("topic readwrite #\npattern readwrite #\n")
    open_one.broker.start()
    open_one.broker.wait_ready()
    with pytest.raises(BrokerError, match="refuse another node's topic, got it was accepted"):
        open_one.broker.self_test()
    open_one.broker.stop()


def test_self_test_finds_a_broker_that_reads_no_list_of_revoked_certificates(tmp_path: Path, free_port: int) -> None:
    deaf = Fleet(tmp_path, free_port)
    deaf.broker.prepare()
    path = deaf.settings.broker_directory / deaf.broker.configuration_name
    path.write_text(path.read_text().replace("crlfile ca.crl\n", ""))
    deaf.broker.start()
    deaf.broker.wait_ready()
    with pytest.raises(BrokerError, match="refuse a revoked certificate, got it was accepted"):
        deaf.broker.self_test()
    deaf.broker.stop()


def test_revoked_node_is_thrown_out_and_stays_out_and_others_stay(fleet: Fleet) -> None:
    gone, stays = (
        Client(fleet, fleet.pem(name, fleet.authority.issue_node(name, NOW_S))) for name in ("gone-01", "stays-01")
    )
    wait_for(lambda: gone.mqtt.is_connected() and stays.mqtt.is_connected())
    ended: list[object] = []
    gone.mqtt.on_disconnect = lambda *_: ended.append(True)
    assert fleet.authority.revoke("gone-01", time.time()) == 1
    assert fleet.broker.enforce(fleet.authority, "gone-01")
    wait_for(lambda: bool(ended))
    gone.close()
    identity = fleet.settings.directory / "gone-01"
    refused = handshake(fleet.settings, (identity.with_suffix(".crt"), identity.with_suffix(".key")))
    assert refused is not None and "revoked" in refused
    assert stays.mqtt.is_connected()
    assert not stays.publish("citynode/1/stays-01/up/frame", b"still here").is_failure
    stays.close()
    with pytest.raises(UsageError, match="a certificate that is not revoked, got 'gone-01'"):
        fleet.authority.revoke("gone-01", time.time())


def test_new_certificate_of_a_revoked_node_is_accepted(fleet: Fleet, judge: Callable[..., str]) -> None:
    fleet.authority.issue_node("again-01", NOW_S)
    fleet.authority.revoke("again-01", time.time())
    assert fleet.broker.enforce(fleet.authority, "again-01")
    assert judge(identity=fleet.authority.issue_node("again-01", NOW_S)) == "accepted"


def test_strangers_use_up_no_connections(tmp_path: Path, free_port: int) -> None:
    small = Fleet(tmp_path, free_port)
    small.broker.prepare()
    path = small.settings.broker_directory / small.broker.configuration_name
    path.write_text(path.read_text().replace(f"max_connections {MAX_CONNECTIONS}", "max_connections 5"))
    small.broker.start()
    small.broker.wait_ready()
    for _ in range(20):
        assert handshake(small.settings, None) is not None
    assert handshake(small.settings, small.authority.files("manager")) is None
    small.broker.stop()
