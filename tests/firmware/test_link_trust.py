"""The link over mTLS to mosquitto with the product's own configuration, and in the clear to the demo's broker."""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device_manager.adapters.iotcore_broker import Iotcore
from device_manager.adapters.mosquitto import Mosquitto
from device_manager.identities import Authority, certificates
from device_manager.settings import BrokerSettings, Settings
from tests.firmware.link_rig import NODE, Broker, Manager, Node

NAME = "citynode-broker"
TLS = {"anchors": ["other.der", "anchor.der"], "certificate": "certificate.der", "key": "key.der"}
StartNode = Callable[..., Node]


@pytest.fixture
def settings(tmp_path: Path, free_port: int) -> Settings:
    made = Settings(tmp_path / "data", broker=BrokerSettings(port=free_port))
    made.broker_directory.mkdir(parents=True)
    return made


@pytest.fixture
def authority(settings: Settings) -> Authority:
    return Authority.create(settings.identities, (NAME,), time.time())


@pytest.fixture
def mosquitto(settings: Settings, authority: Authority) -> Iterator[int]:
    """The port of a running mosquitto that asks for certificates."""
    broker = Mosquitto(settings)
    broker.prepare()
    broker.start()
    broker.wait_ready()
    yield settings.broker.port
    broker.stop()


@pytest.fixture
def secure_node(tmp_path: Path, authority: Authority) -> Iterator[StartNode]:
    """Start a node with a certificate of the fleet, and a second anchor before the right one."""
    nodes: list[Node] = []
    identity = authority.issue_node(NODE, time.time())
    (tmp_path / "certificate.der").write_bytes(identity.certificate_der())
    (tmp_path / "key.der").write_bytes(identity.key_der())
    (tmp_path / "other.der").write_bytes(certificates.root("another", time.time(), 10).certificate_der())

    def begin(port: int, anchor: bytes, name: str = NAME, denied: list[str] | None = None) -> Node:
        (tmp_path / "anchor.der").write_bytes(anchor)
        brokers = [{"host": "127.0.0.1", "port": port, "server_name": name}]
        nodes.append(
            Node(
                0,
                folder=tmp_path,
                records=20,
                seconds=20,
                config={"brokers": brokers, "tls": {**TLS, "denied": denied or []}},
            )
        )
        return nodes[-1]

    yield begin
    for node in nodes:
        node.kill()


def test_node_with_certificate_delivers_over_tls(mosquitto: int, authority: Authority, secure_node: StartNode) -> None:
    node = secure_node(mosquitto, authority.anchors_der()[0])
    node.wait(state="send")
    assert node.last["refused"] == 0


def test_node_refuses_a_broker_of_a_wrong_authority(mosquitto: int, secure_node: StartNode) -> None:
    node = secure_node(mosquitto, certificates.root("stranger", time.time(), 10).certificate_der())
    node.error("not correctly signed by the trusted CA")


def test_node_refuses_a_broker_of_another_name(mosquitto: int, authority: Authority, secure_node: StartNode) -> None:
    node = secure_node(mosquitto, authority.anchors_der()[0], "other-broker")
    node.error("does not match with the expected CN")


def test_node_refuses_a_broker_whose_certificate_is_denied(
    mosquitto: int, authority: Authority, secure_node: StartNode
) -> None:
    pem = authority.files("broker")[0].read_text("utf-8")
    shown = ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----END")] + "-----END CERTIFICATE-----\n")
    sum_ = hashlib.sha256(shown).hexdigest()
    node = secure_node(mosquitto, authority.anchors_der()[0], denied=["00" * 32, sum_])
    node.error("open: expected a broker's certificate that is not denied, got " + sum_[:16])
    assert not any(line.get("state") == "send" for line in node.lines)


@pytest.mark.parametrize(
    ("broker_days", "node_days", "stranger", "said"),
    [
        ((-9, -1), (-9, 9), False, "validity has expired"),
        ((1, 9), (-9, 9), False, "validity starts in the future"),
        ((-9, 9), (-9, -1), False, "open: "),
        ((-9, 9), (-9, 9), True, "open: "),
    ],
    ids=["expired broker", "future broker", "expired node", "node of a stranger"],
)
def test_handshake_that_fails_leaves_its_reason(
    tmp_path: Path, free_port: int, broker_days: tuple[int, int], node_days: tuple[int, int], stranger: bool, said: str
) -> None:
    now, day = time.time(), 86400
    root = certificates.root("fleet", now - 10 * day, 99)
    server = certificates.server(root, (NAME,), now + broker_days[0] * day, now + broker_days[1] * day)
    issuer = certificates.root("stranger", now, 9) if stranger else root
    client = certificates.client(issuer, NODE, now + node_days[0] * day, now + node_days[1] * day)
    for name, data in (("ca", root.certificate_pem()), ("crt", server.certificate_pem()), ("key", server.key_pem())):
        (tmp_path / name).write_bytes(data)
    for name, data in (("certificate", client.certificate_der()), ("key", client.key_der())):
        (tmp_path / f"{name}.der").write_bytes(data)
    (tmp_path / "anchor.der").write_bytes(root.certificate_der())
    more = f"allow_anonymous true\ncafile {tmp_path}/ca\ncertfile {tmp_path}/crt\nkeyfile {tmp_path}/key\n"
    broker = Broker(tmp_path, free_port, more + "require_certificate true\n")
    brokers = [{"host": "127.0.0.1", "port": free_port, "server_name": NAME}]
    node = Node(0, folder=tmp_path, seconds=20, config={"brokers": brokers, "tls": {**TLS, "anchors": ["anchor.der"]}})
    try:
        node.error(said)
        assert not any(line.get("state") == "send" for line in node.lines)
    finally:
        node.kill()
        broker.kill()


def test_missing_key_is_named(mosquitto: int, authority: Authority, secure_node: StartNode, tmp_path: Path) -> None:
    (tmp_path / "key.der").unlink()
    node = secure_node(mosquitto, authority.anchors_der()[0])
    node.error("expected the file key.der")


def test_anchor_that_is_no_certificate_is_named(mosquitto: int, secure_node: StartNode) -> None:
    node = secure_node(mosquitto, b"not a certificate")
    node.error("expected one DER certificate in anchor.der, got 17 other bytes")


def test_demo_broker_carries_everything_too(settings: Settings, authority: Authority) -> None:
    broker = Iotcore(settings)
    broker.prepare()
    broker.start()
    try:
        broker.wait_ready()
        manager = Manager(settings.broker.port)
        node = Node(settings.broker.port, records=150, seconds=20)
        node.wait(released=150, buffered=0)
        assert sorted(manager.committed) == list(range(150))
        node.kill()
        manager.stop()
    finally:
        broker.stop()
