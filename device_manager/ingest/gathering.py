"""An ingest worker: take messages of a shared subscription, keep them durable and unnumbered, only then acknowledge.

    broker --shared subscription--> worker --arrivals--> brain --watermarks--> broker

A worker decides nothing: what it keeps is one parcel of many messages. States it leaves to the brain, which has a
session of its own for them: a shared subscription shows no retained ones. The brain (`IngestService` on the parcels,
see `adapters.store_arrivals`) admits, numbers and answers. A worker that dies before its commit has acknowledged
nothing, so the broker gives the messages to another; one that dies behind it has them kept twice, and the brain drops
the second copy as it drops what a node sends twice.
"""

from collections.abc import Sequence
from typing import Protocol

from device_manager.ingest.intake import Intake
from device_manager.ports import Broker, Codec, Incoming

PARCEL_BYTES = 4 << 20


class Arrivals(Protocol):
    """Where parcels are kept until the brain has taken them."""

    def keep(self, messages: int, body: bytes) -> None:
        """Keep a parcel; durable when this returns. StoreError when it cannot be kept."""
        ...


def pack(messages: Sequence[Incoming], codec: Codec) -> bytes:
    """Return messages as one parcel, column by column."""
    return codec.dumps(
        [[getattr(m, name) for m in messages] for name in ("topic", "payload", "received_ms", "retained")]
    )


def unpack(body: bytes, codec: Codec) -> list[Incoming]:
    """Return the messages of a parcel, without tokens."""
    columns = codec.loads(body)
    assert isinstance(columns, list)  # our own parcel
    rows = zip(*columns, strict=True)
    return [Incoming(topic, payload, received_ms, retained, None) for topic, payload, received_ms, retained in rows]


class Gatherer:
    """Runs a thread between `broker` and `arrivals`; `start` and `stop` once each."""

    def __init__(self, broker: Broker, arrivals: Arrivals, codec: Codec, capacity: int = 65_535) -> None:
        self._broker = broker
        self._arrivals = arrivals
        self._codec = codec
        self._intake = Intake(broker, self._take, "gather", capacity)
        self.kept = 0

    def start(self) -> None:
        """Start the thread and connect; BrokerError when the broker cannot be reached."""
        self._intake.start()

    def stop(self) -> None:
        """Keep and acknowledge what came, then disconnect."""
        self._intake.stop()

    def _take(self, batch: Sequence[Incoming]) -> bool:
        self._acknowledge([message for message in batch if _is_state(message)])
        return all(map(self._keep, parcels([message for message in batch if not _is_state(message)])))

    def _keep(self, messages: Sequence[Incoming]) -> bool:
        """Keep with retries while the store fails; False when stopped before it worked."""
        body = pack(messages, self._codec)
        if not self._intake.patiently(lambda: self._arrivals.keep(len(messages), body), len(messages)):
            return False
        self._acknowledge(messages)
        self.kept += len(messages)
        return True

    def _acknowledge(self, messages: Sequence[Incoming]) -> None:
        self._broker.acknowledge([message.token for message in messages if message.token is not None])


def _is_state(message: Incoming) -> bool:
    return message.topic.endswith("/state")


def parcels(messages: Sequence[Incoming], most_bytes: int = PARCEL_BYTES) -> list[list[Incoming]]:
    """Cut messages into parcels of about `most_bytes` of payload, in order."""
    made: list[list[Incoming]] = []
    size = most_bytes
    for message in messages:
        if size >= most_bytes:
            made.append([])
            size = 0
        made[-1].append(message)
        size += len(message.payload)
    return made
