"""The fast way to read: packets however they are cut, and what is none ends the connection."""

from __future__ import annotations

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from device_manager.adapters.broker_paho import _publish_packet
from device_manager.adapters.paho_reading import Publish, ReadingClient

PINGRESP = b"\xd0\x00"
MESSAGES = st.tuples(st.text(max_size=40), st.binary(max_size=300), st.integers(0, 65_535))


class Pieces:
    """A socket that gives what it has in pieces of the given sizes."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data, self._sizes = data, sizes

    def recv(self, limit: int) -> bytes:
        size = min(limit, self._sizes.pop(0) if self._sizes else limit)
        some, self._data = self._data[:size], self._data[size:]
        return some

    def close(self) -> None:
        self._data = b""


def read(data: bytes, sizes: list[int]) -> tuple[list[Publish], MQTTErrorCode]:
    """Return what a client makes of bytes, and how its reading ended."""
    client = ReadingClient(CallbackAPIVersion.VERSION2, "reader", protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
    got: list[Publish] = []
    client.on_publishes = got.extend
    client._sock = Pieces(data, sizes)  # type: ignore[assignment]  # a socket as far as reading goes
    result = MQTTErrorCode.MQTT_ERR_SUCCESS
    while result == MQTTErrorCode.MQTT_ERR_SUCCESS:
        result = client._packet_read()
    client._sock = None
    return got, result


@given(st.lists(MESSAGES, max_size=6), st.lists(st.integers(1, 9), max_size=40))
def test_messages_come_whole_and_in_order_however_they_are_cut(
    messages: list[tuple[str, bytes, int]], sizes: list[int]
) -> None:
    data = b"".join(_publish_packet(*message) + PINGRESP for message in messages)
    got, result = read(data, sizes)
    assert got == [Publish(topic.encode(), payload, False, number) for topic, payload, number in messages]
    assert result == MQTTErrorCode.MQTT_ERR_CONN_LOST  # the pieces ended


def test_properties_and_the_retain_flag_are_read_as_paho_reads_them() -> None:
    properties = paho.Properties(paho.PacketTypes.PUBLISH)
    properties.UserProperty = [("a", "b" * 200)]
    body = b"\x00\x01t" + b"\x00\x07" + properties.pack() + b"payload"
    packet = b"\x33" + bytes((len(body) & 127 | 128, len(body) >> 7)) + body
    assert read(packet, [])[0] == [Publish(b"t", b"payload", True, 7)]


@pytest.mark.parametrize(
    "data", [b"\x34\x05\x00\x01t\x00\x01", b"\x30\x04\x00\x09ab", b"\x30\xff\xff\xff\xff\x01", b"\x32\x03\x00\x01t"]
)
def test_what_is_no_packet_of_this_session_ends_it(data: bytes) -> None:
    assert read(data, []) == ([], MQTTErrorCode.MQTT_ERR_PROTOCOL)
