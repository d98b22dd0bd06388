"""Publishing the mirror with paho: QoS 1, and nothing counts before the broker has said that it has it."""

import time
from collections.abc import Sequence

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from device_manager.adapters.broker_paho import BrokerAddress, tls_context
from device_manager.errors import BrokerError
from device_manager.twin.mirror import Message

WAIT_S = 30.0
_POLL_S = 0.02


class MirrorPublisher:
    """One connection, made when it is needed and made anew after it failed."""

    def __init__(self, address: BrokerAddress) -> None:
        self._address = address
        self._client: paho.Client | None = None

    def connect(self) -> bool:
        """Connect unless connected; True when this is a new connection. BrokerError when the broker says no."""
        if self._client is not None and self._client.is_connected():
            return False
        self.close()
        address = self._address
        client = paho.Client(CallbackAPIVersion.VERSION2, address.client_id, protocol=MQTTProtocolVersion.MQTTv5)
        client.max_queued_messages_set(0)
        client.max_inflight_messages_set(200)
        if address.tls:
            client.tls_set_context(tls_context(address.tls))
        try:
            client.connect(address.host, address.port, keepalive=30)
        except (OSError, ValueError) as error:
            raise self._failed(str(error)) from error
        client.loop_start()
        self._client = client
        deadline_s = time.monotonic() + WAIT_S
        while not client.is_connected():
            if time.monotonic() > deadline_s:
                self.close()
                raise self._failed("no answer")
            time.sleep(_POLL_S)
        return True

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish all and wait until the broker has them; BrokerError otherwise."""
        assert self._client is not None  # connect() came before
        sent = [self._client.publish(m.topic, m.payload, 1, m.retain) for m in messages]
        deadline_s = time.monotonic() + WAIT_S
        try:
            for one in sent:
                one.wait_for_publish(max(deadline_s - time.monotonic(), 0.0))
        except (ValueError, RuntimeError) as error:
            raise self._failed(str(error)) from error
        late = sum(not one.is_published() for one in sent)
        if late:
            self.close()
            raise self._failed(f"{late} of {len(sent)} messages without an answer within {WAIT_S:.0f} s")

    def close(self) -> None:
        """End the connection. Safe to call twice."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def _failed(self, got: str) -> BrokerError:
        where = f"{self._address.host}:{self._address.port}"
        return BrokerError(expected=f"the broker at {where} to take the mirror", got=got, todo="check that it runs")
