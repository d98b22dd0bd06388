"""The self-test of the broker: who must be refused is refused, tried with real connections.

    foreign certificate   signed by another CA, with the manager's name
    no certificate
    revoked certificate   of our CA, on the list that we wrote last
    another node's topic  a client of ours publishes where only another one may

The manager's own certificate comes first and must be accepted, so that a broker that refuses everybody fails too. That
is a TLS handshake only: an MQTT connection with the manager's name would throw the running manager out.
"""

import socket
import ssl
import tempfile
from pathlib import Path
from typing import NamedTuple

from device_manager.errors import BrokerError
from device_manager.identities import Authority, Identity, certificates
from device_manager.identities.authority import MANAGER, root_shown
from device_manager.identities.certificates import DAY_S
from device_manager.identities.files import write_private
from device_manager.settings import Settings
from firmware.wire import topics

CHECKER = "citynode.check"  # a name that no node can have, see identities.authority
FOREIGN_NODE = "somebody-else"
TIMEOUT_S = 5.0
_CONNACK, _PUBACK, _SUCCESS, _NOT_AUTHORIZED = 0x20, 0x40, 0x00, 0x87
_DISCONNECT = b"\xe0\x00"
_FOREIGN_TOPIC = "another node's topic"
_PACKET_ID = b"\x00\x01"


class Finding(NamedTuple):
    """One trial: `what` was tried, whether it `should` be let in and `was`, and the broker's words."""

    what: str
    should: bool
    was: bool
    words: str

    @property
    def ok(self) -> bool:
        return self.should == self.was

    def __str__(self) -> str:
        verdict = "accepted" if self.was else "refused"
        return f"{self.what}: {verdict} ({self.words}){'' if self.ok else ', WRONG'}"


def check(settings: Settings, now_s: float) -> list[Finding]:
    """Try the running broker; BrokerError when it does not answer at all."""
    authority = Authority.open(settings.identities)
    certificate, key = authority.files("manager")
    refused = handshake(settings, (certificate, key))
    if refused is not None:
        where = f"{settings.broker.connect_host} port {settings.broker.port}"
        todo = "start it with `citynode serve`, or read its log"
        raise BrokerError(expected=f"a broker at {where} that takes the manager", got=refused, todo=todo)
    foreign = certificates.client(certificates.root("foreign CA", now_s, 1), MANAGER, now_s - DAY_S, now_s + DAY_S)
    revoked = authority.probe("citynode.revoked", now_s, revoked=True)
    return [
        Finding("the manager's certificate", True, True, "TLS"),
        _refusal("a foreign certificate", _with(settings, foreign)),
        _refusal("no certificate", handshake(settings, None)),
        _refusal("a revoked certificate", _with(settings, revoked)),
        _foreign_topic(settings, authority.probe(CHECKER, now_s)),
    ]


def handshake(settings: Settings, identity: tuple[Path, Path] | None) -> str | None:
    """Try one TLS connection with certificate and key (PEM files); return None when accepted, else why not."""
    try:
        _connect(settings, identity).close()
    except OSError as error:
        return str(error)
    return None


def take_over(settings: Settings, identity: Identity) -> None:
    """Connect once with `identity` and leave: whoever is connected under its name is thrown out, his session ends.

    BrokerError when the broker does not let us in.
    """
    try:
        with _mqtt(settings, identity) as connection:
            connection.sendall(_DISCONNECT)
    except OSError as error:
        todo = "restart the broker, which ends all connections"
        raise BrokerError(expected="to end a connection at the broker", got=str(error), todo=todo) from error


def _refusal(what: str, words: str | None) -> Finding:
    return Finding(what, False, words is None, words or "TLS")


def _with(settings: Settings, identity: Identity) -> str | None:
    with tempfile.TemporaryDirectory() as directory:
        return handshake(settings, _files(Path(directory), identity))


def _files(directory: Path, identity: Identity) -> tuple[Path, Path]:
    certificate, key = directory / "probe.crt", directory / "probe.key"
    write_private(key, identity.key_pem())
    certificate.write_bytes(identity.certificate_pem())
    return certificate, key


def _connect(settings: Settings, identity: tuple[Path, Path] | None) -> ssl.SSLSocket:
    broker = settings.broker
    context = ssl.create_default_context(cafile=str(root_shown(settings.identities)))
    # Under TLS 1.3 the client's side of the handshake ends before the server has judged its certificate.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if identity is not None:
        context.load_cert_chain(*identity)
    plain = socket.create_connection((broker.connect_host, broker.port), timeout=TIMEOUT_S)
    try:
        return context.wrap_socket(plain, server_hostname=broker.server_name)
    except BaseException:
        plain.close()
        raise


def _mqtt(settings: Settings, identity: Identity) -> ssl.SSLSocket:
    """Return an MQTT 5 connection with a clean session; OSError when TLS or CONNECT is refused."""
    with tempfile.TemporaryDirectory() as directory:
        connection = _connect(settings, _files(Path(directory), identity))
    # Protocol name and level, clean start, keepalive 60 s, no properties, client id left to the broker.
    connection.sendall(b"\x10\x0d" + b"\x00\x04MQTT\x05\x02\x00\x3c\x00" + b"\x00\x00")
    kind, body = _packet(connection)
    if kind != _CONNACK or body[1] != _SUCCESS:
        connection.close()
        raise ConnectionRefusedError(f"CONNACK with reason 0x{body[1]:02x}" if kind == _CONNACK else "no CONNACK")
    return connection


def _foreign_topic(settings: Settings, identity: Identity) -> Finding:
    """Publish to another node's topic and look at the reason code of the answer (MQTT 5 has one)."""
    topic = topics.up(FOREIGN_NODE, "health").encode()
    body = len(topic).to_bytes(2, "big") + topic + _PACKET_ID + b"\x00" + b"self-test"
    try:
        with _mqtt(settings, identity) as connection:
            connection.sendall(bytes([0x32, len(body)]) + body)
            kind, answer = _packet(connection)
            connection.sendall(_DISCONNECT)
    except OSError as error:
        return Finding(_FOREIGN_TOPIC, False, False, str(error))
    reason = answer[2] if kind == _PUBACK and len(answer) > 2 else _SUCCESS
    words = "not authorized" if reason == _NOT_AUTHORIZED else f"reason 0x{reason:02x}"
    return Finding(_FOREIGN_TOPIC, False, reason != _NOT_AUTHORIZED, words)


def _packet(connection: ssl.SSLSocket) -> tuple[int, bytes]:
    """Read one short packet; return its kind and what follows the length. OSError when the connection ends."""
    head = _read(connection, 2)
    return head[0] & 0xF0, _read(connection, head[1] & 0x7F)


def _read(connection: ssl.SSLSocket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionAbortedError("the broker closed the connection")
        data += piece
    return data
