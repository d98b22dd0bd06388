"""paho's client with another way to read: as much as there is at once, and PUBLISH packets taken apart in one loop.

paho asks the socket for each packet three times (one byte, the length, the rest) and makes five objects of it: 130 us a
message, more than everything else that ingest does with a frame. Here a read takes up to READ_BYTES, and a PUBLISH of
QoS 0 or 1 costs 3 us. All other packets go to paho's own handlers, in their order, and so do keep-alive, TLS and
reconnects. What is used of paho's inside is not its public interface: tests talk to a real broker through it.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import MessageType, MQTTErrorCode
from paho.mqtt.exception import MalformedPacket

READ_BYTES = 1 << 18


class Publish(NamedTuple):
    """A message that came: `number` is its packet identifier, 0 with QoS 0."""

    topic: bytes
    payload: bytes
    retained: bool
    number: int


class ReadingClient(paho.Client):
    """Hands what comes to `on_publishes`, many at once; MQTT 5 without topic aliases, and no QoS 2."""

    on_publishes: Callable[[list[Publish]], None]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._rest = b""
        self._rest_of: object = None

    def _packet_read(self) -> MQTTErrorCode:
        """Read and handle all packets that there are; called by paho's loop when the socket has something."""
        if self._rest_of is not self._sock:  # a new connection begins with a packet
            self._rest, self._rest_of = b"", self._sock
        try:
            data = self._sock_recv(READ_BYTES)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_AGAIN
        except OSError:
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        if not data:
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        with self._msgtime_mutex:
            self._last_bytes_received = time.monotonic()
        try:
            return self._take_packets(self._rest + data)
        except (ValueError, IndexError, MalformedPacket):
            return MQTTErrorCode.MQTT_ERR_PROTOCOL

    def _take_packets(self, data: bytes) -> MQTTErrorCode:
        """Handle the whole packets in `data`, keep what is left of the last one."""
        at, come = 0, list[Publish]()
        while (body := _body(data, at)) is not None:
            first, (begin, end) = data[at], body
            at = end
            if first & 0xF0 == MessageType.PUBLISH:
                come.append(_publish(data, first, begin, end))
                continue
            self._hand_over(come)
            come = []
            self._rest = data[at:]  # a handler may end the connection
            result = self._handle(first, data[begin:end])
            if result != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return result
        self._rest = data[at:]
        self._hand_over(come)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _hand_over(self, come: list[Publish]) -> None:
        if come:
            self.on_publishes(come)

    def _handle(self, first: int, body: bytes) -> MQTTErrorCode:
        """Give one packet to paho, in the form in which it reads them itself."""
        packet = {"command": first, "have_remaining": 1, "remaining_count": [], "remaining_mult": 1}
        rest = {"remaining_length": len(body), "packet": bytearray(body), "to_process": 0, "pos": 0}
        self._in_packet = {**packet, **rest}  # type: ignore[typeddict-item]  # mypy does not join them
        return self._packet_handle()


def _body(data: bytes, at: int) -> tuple[int, int] | None:
    """Return begin and end of the body of the packet at `at`; None while it is not whole."""
    try:
        length, begin = _length(data, at + 1)
    except IndexError:
        return None
    return (begin, begin + length) if begin + length <= len(data) else None


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Return a variable byte integer (MQTT 5, 1.5.5) and the place behind it; IndexError where `data` ends before."""
    value = shift = 0
    for place in range(at, at + 4):
        byte = data[place]
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place + 1
        shift += 7
    raise ValueError("expected a length of at most 4 bytes, got more")


def _publish(data: bytes, first: int, begin: int, end: int) -> Publish:
    """Return the message of a PUBLISH (MQTT 5, 3.3): topic, number with QoS 1, properties, payload."""
    at = begin + 2 + (data[begin] << 8 | data[begin + 1])
    topic, number = data[begin + 2 : at], 0
    if first & 0x02:
        number = data[at] << 8 | data[at + 1]
        at += 2
    skip, at = (0, at + 1) if not data[at] else _length(data, at)
    if at + skip > end or first & 0x04:
        raise ValueError("expected a PUBLISH with QoS 0 or 1, got another packet")
    return Publish(topic, data[at + skip : end], bool(first & 1), number)
