"""The `Broker` port with paho-mqtt 2: MQTT 5, a session that the broker keeps, acknowledgement by hand.

At most RECEIVE_MAXIMUM messages are unacknowledged at once, so the broker holds back what we have not committed. A
token is (connection, message id): after a reconnect the broker sends unacknowledged messages again, perhaps under an id
that an old token names too, so tokens of an earlier connection are never used.

paho's own thread calls `deliver`; a `deliver` that waits makes the broker wait.
"""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from device_manager.adapters.clock import SystemClock
from device_manager.adapters.paho_reading import Publish, ReadingClient
from device_manager.errors import BrokerError
from device_manager.ports import Clock, Incoming
from firmware.wire import topics

RECEIVE_MAXIMUM = 65_535
STATES = topics.ALL_UP.removesuffix("#") + "state"  # what is retained
SESSION_EXPIRY_S = 7 * 86_400
KEEPALIVE_S = 30
_RETAINED_ALL, _RETAINED_IF_NEW = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE, SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
_CONNECT_S = 10.0
_CLEAR_S = 5.0
_WRITE_BYTES = 16_384
_PUBACK = b"\x40\x02"  # MQTT 5, 3.4: without a reason code it means success
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BrokerTls:
    """Files for mutual TLS (PEM), and the name that the broker's certificate must carry."""

    ca: Path
    certificate: Path
    key: Path
    server_name: str


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker listens and as whom we come; `tls` None is for a broker on this machine only."""

    host: str
    port: int
    client_id: str
    tls: BrokerTls | None = None
    receive_maximum: int = RECEIVE_MAXIMUM
    subscription: str = topics.ALL_UP
    """`$share/NAME/` before it makes it a shared one (MQTT 5, 4.8.2): each message goes to one of its readers."""


class _NamedContext(ssl.SSLContext):
    """Checks the broker's certificate against a fixed name: paho knows the address only."""

    server_name: str

    def wrap_socket(
        self,
        sock: socket.socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLSocket:
        """As SSLContext.wrap_socket, with our name in place of `server_hostname`."""
        return super().wrap_socket(
            sock, server_side, do_handshake_on_connect, suppress_ragged_eofs, self.server_name, session
        )


class PahoBroker:
    """One connection; `start` once, `stop` once."""

    def __init__(self, address: BrokerAddress, clock: Clock | None = None) -> None:
        """Prepare; BrokerError when the TLS files cannot be used."""
        self._address = address
        self._clock = clock or SystemClock()
        self._deliver: Callable[[Incoming], None] | None = None
        self._lock = threading.Lock()
        self._connection = 0
        self._answered = threading.Event()
        self._refusal = ""
        self._subscribed_before = False
        self._client = self._make_client()

    @property
    def connected(self) -> bool:
        """True while the connection stands."""
        return self._client.is_connected()

    def start(self, deliver: Callable[[Incoming], None]) -> None:
        """Connect and subscribe; BrokerError when the broker does not answer, or says no, within 10 s.

        What is published after it returned is delivered. Later losses of the connection are mended in the background,
        for ever.
        """
        self._deliver = deliver
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho left it out
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        properties.ReceiveMaximum = self._address.receive_maximum
        host, port = self._address.host, self._address.port
        try:
            self._client.connect(host, port, keepalive=KEEPALIVE_S, clean_start=False, properties=properties)
        except (OSError, ValueError) as error:
            raise self._broker_error(str(error)) from error
        self._client.loop_start()
        if not self._answered.wait(_CONNECT_S) or self._refusal:
            self._client.disconnect()
            self._client.loop_stop()
            raise self._broker_error(self._refusal or f"no answer within {_CONNECT_S:.0f} s")

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """Send without waiting; QoS 0 is dropped while there is no connection."""
        if qos or self.connected:
            self._client.publish(topic, payload, qos, retain)

    def publish_all(self, messages: Sequence[tuple[str, bytes]], *, qos: int = 0) -> None:
        """Send many, see `_send`; with QoS 1 the broker's answers are not waited for."""
        if self.connected:
            number = self._client._mid_generate if qos else int
            self._send([_publish_packet(topic, payload, number()) for topic, payload in messages])

    def acknowledge(self, tokens: Sequence[object]) -> None:
        """Acknowledge messages by their tokens."""
        with self._lock:
            mine = [token[1] for token in tokens if isinstance(token, tuple) and token[0] == self._connection]
            self._send([_PUBACK + mid.to_bytes(2, "big") for mid in mine])

    def _send(self, packets: Sequence[bytes]) -> None:
        """Queue finished MQTT packets, many to one write.

        paho's own way costs 35 us for a message that has no answer and 10 us for an acknowledgement, half of what a
        frame costs. Its queue is not part of its public interface, so tests send through it to a real broker. PINGREQ
        is a kind of packet after which it does nothing; after a reconnect it drops what was queued, as it does with its
        own.
        """
        some: list[bytes] = []
        size = 0
        for packet in packets:
            some.append(packet)
            size += len(packet)
            if size >= _WRITE_BYTES:
                self._client._packet_queue(MessageType.PINGREQ, b"".join(some), 0, 0)
                some, size = [], 0
        if some:
            self._client._packet_queue(MessageType.PINGREQ, b"".join(some), 0, 0)

    def stop(self) -> None:
        """Send what is queued, disconnect, end the thread; the broker keeps the session."""
        until = time.monotonic() + _CLEAR_S
        while self._client.want_write() and self.connected and time.monotonic() < until:
            time.sleep(0.005)
        self._client.disconnect()
        self._client.loop_stop()

    def _make_client(self) -> ReadingClient:
        client = ReadingClient(
            CallbackAPIVersion.VERSION2, self._address.client_id, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True
        )
        client.max_queued_messages_set(0)
        client.reconnect_delay_set(min_delay=1, max_delay=15)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publishes = self._on_publishes
        if self._address.tls:
            client.tls_set_context(tls_context(self._address.tls))
        return client

    def _on_connect(
        self, client: paho.Client, _: object, __: object, reason: ReasonCode, ___: Properties | None
    ) -> None:
        if reason.is_failure:
            self._refuse(reason)
            return
        with self._lock:
            self._connection += 1
        # All retained messages once for each process; after that only when the broker has forgotten the session.
        handling = _RETAINED_IF_NEW if self._subscribed_before else _RETAINED_ALL
        if self._address.subscription != topics.ALL_UP:
            client.unsubscribe(topics.ALL_UP)  # the kept session of a manager that took everything itself
        options = SubscribeOptions(qos=1, retainHandling=handling)
        client.subscribe(self._address.subscription, options=options)
        self._subscribed_before = True
        _log.info("connected to the broker at %s:%d", self._address.host, self._address.port)

    def _on_subscribe(
        self, _: paho.Client, __: object, ___: int, reasons: list[ReasonCode], ____: Properties | None
    ) -> None:
        if reasons[0].is_failure:
            self._refuse(reasons[0])
        self._answered.set()

    def _refuse(self, reason: ReasonCode) -> None:
        self._refusal = str(reason)
        self._answered.set()

    def _on_disconnect(
        self, _: paho.Client, __: object, ___: object, reason: ReasonCode, ____: Properties | None
    ) -> None:
        with self._lock:
            self._connection += 1
        if reason.is_failure:
            _log.warning("lost the broker at %s:%d: %s", self._address.host, self._address.port, reason)

    def _on_publishes(self, messages: list[Publish]) -> None:
        assert self._deliver is not None  # start() set it before connecting
        self._answered.set()  # a kept session's messages come before the answer to the subscription
        deliver, now_ms, connection = self._deliver, self._clock.now_ms(), self._connection
        for topic, payload, retained, number in messages:
            token = (connection, number) if number else None
            deliver(Incoming(_text(topic), payload, now_ms, retained, token))

    def _broker_error(self, got: str) -> BrokerError:
        where = f"{self._address.host}:{self._address.port}"
        return BrokerError(
            expected=f"an MQTT 5 broker at {where}", got=got, todo="check that it runs and whom it lets in"
        )


def tls_context(tls: BrokerTls) -> ssl.SSLContext:
    """Return what a connection needs to show and to check."""
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and name
    context.server_name = tls.server_name
    try:
        context.load_verify_locations(tls.ca)
        context.load_cert_chain(tls.certificate, tls.key)
    except OSError as error:  # ssl.SSLError is one
        raise BrokerError(
            expected=f"readable TLS files {tls.ca}, {tls.certificate}, {tls.key}",
            got=str(error),
            todo="run `citynode init` or give this user the rights",
        ) from error
    return context


def _text(topic: bytes) -> str:
    try:
        return topic.decode()
    except UnicodeDecodeError:
        return "not UTF-8"


def _publish_packet(topic: str, payload: bytes, number: int = 0) -> bytes:
    """Return a PUBLISH packet of MQTT 5, not retained, without properties (3.3); QoS 1 with a `number`, else QoS 0."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + (number.to_bytes(2, "big") if number else b"") + b"\x00" + payload
    length, rest = bytearray(), len(body)
    while rest > 127:
        length.append(rest & 127 | 128)
        rest >>= 7
    length.append(rest)
    return (b"\x32" if number else b"\x30") + length + body
