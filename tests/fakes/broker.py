"""Fakes of the manager's ports: a broker in memory that keeps its word, and a store that can fail."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from device_manager.errors import StoreError
from device_manager.ports import FrameStore, Incoming, Transaction


class FakeBroker:
    """The `Broker` port in memory: what is not acknowledged comes again after `reconnect`."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes]] = []
        self.unacknowledged: dict[int, tuple[str, bytes]] = {}
        self.stopped = False
        self._deliver: Callable[[Incoming], None] | None = None
        self._connection = 0
        self._next_id = 0

    def start(self, deliver: Callable[[Incoming], None]) -> None:
        self._deliver = deliver

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        self.published.append((topic, payload))

    def publish_all(self, messages: Sequence[tuple[str, bytes]], *, qos: int = 0) -> None:
        self.published += messages

    def acknowledge(self, tokens: Sequence[object]) -> None:
        for token in tokens:
            assert isinstance(token, tuple)
            if token[0] == self._connection:
                del self.unacknowledged[token[1]]

    def stop(self) -> None:
        self.stopped = True

    def send(self, topic: str, payload: bytes, received_ms: int, *, retained: bool = False) -> None:
        """A node publishes with QoS 1, or has done so before and the broker retained it."""
        self._next_id += 1
        self.unacknowledged[self._next_id] = (topic, payload)
        self._hand_over(self._next_id, received_ms, retained=retained)

    def reconnect(self, received_ms: int) -> None:
        """The connection breaks and comes back: older tokens are worthless, unacknowledged messages come again."""
        self._connection += 1
        for message_id in list(self.unacknowledged):
            self._hand_over(message_id, received_ms)

    def _hand_over(self, message_id: int, received_ms: int, *, retained: bool = False) -> None:
        assert self._deliver is not None
        topic, payload = self.unacknowledged[message_id]
        self._deliver(Incoming(topic, payload, received_ms, retained, (self._connection, message_id)))


class FailingStore:
    """A `FrameStore` over another one whose medium fails while `failing`: at the commit, after all the work."""

    def __init__(self, store: FrameStore) -> None:
        self._store = store
        self.failing = False
        self.refused_steps = 0

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        with self._store.begin() as transaction:
            yield transaction
            if self.failing:
                self.refused_steps += 1
                raise StoreError(expected="room on the disk", got="disk full", todo="free some space")
