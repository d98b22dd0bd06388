"""Several brokers as one: the brain's session at each of them, see `[shards]` in `settings.toml`.

    nodes -> broker, north, .. -> workers of each -> arrivals -> brain -> the broker at which the node is

A node's shard is part of its configuration and is changed by a signed order (`citynode order shard`). Where it is, its
own state says: what is for it goes to the broker that showed it online last, and to all while nobody has. An old
broker's word that it has gone (its last will, perhaps a day old and retained) is dropped: the node is elsewhere.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from device_manager.ports import Broker, Codec, Incoming
from firmware.wire import WireError, messages, topics


class ShardedBroker:
    """The `Broker` port over named sessions; a token is (shard, that session's token)."""

    def __init__(self, sessions: Mapping[str, Broker], codec: Codec) -> None:
        self._sessions = dict(sessions)
        self._codec = codec
        self._at: dict[str, str] = {}  # node -> shard
        self._lock = threading.Lock()

    def start(self, deliver: Callable[[Incoming], None]) -> None:
        """See `Broker.start`; BrokerError names the first that cannot be reached."""
        started: list[Broker] = []
        try:
            for shard, session in self._sessions.items():
                session.start(partial(self._take, shard, deliver))
                started.append(session)
        except BaseException:
            for session in started:
                session.stop()
            raise

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """See `Broker.publish`."""
        for session in self._towards(topic):
            session.publish(topic, payload, qos=qos, retain=retain)

    def publish_all(self, messages: Sequence[tuple[str, bytes]], *, qos: int = 0) -> None:
        """See `Broker.publish_all`."""
        for shard, session in self._sessions.items():
            some = [message for message in messages if self._at.get(_node(message[0]), shard) == shard]
            session.publish_all(some, qos=qos)

    def acknowledge(self, tokens: Sequence[object]) -> None:
        """See `Broker.acknowledge`."""
        for shard, session in self._sessions.items():
            session.acknowledge([token[1] for token in tokens if isinstance(token, tuple) and token[0] == shard])

    def stop(self) -> None:
        """See `Broker.stop`."""
        for session in self._sessions.values():
            session.stop()

    def _towards(self, topic: str) -> list[Broker]:
        shard = self._at.get(_node(topic))
        return list(self._sessions.values()) if shard is None else [self._sessions[shard]]

    def _take(self, shard: str, deliver: Callable[[Incoming], None], message: Incoming) -> None:
        node = _node(message.topic)
        if message.topic.endswith("/state") and not self._is_new(shard, node, message.payload):
            if message.token is not None:
                self._sessions[shard].acknowledge([message.token])
            return
        token = None if message.token is None else (shard, message.token)
        deliver(message._replace(token=token))

    def _is_new(self, shard: str, node: str, payload: bytes) -> bool:
        """Note where a node is online; False for what another broker says of its absence."""
        online = self._says_online(payload)
        with self._lock:
            if online:
                self._at[node] = shard
            return online is not False or self._at.get(node, shard) == shard

    def _says_online(self, payload: bytes) -> bool | None:
        """Return what a state says, None for one that ingest will refuse."""
        try:
            return bool(messages.from_items("state", self._codec.loads(payload))["online"])
        except (WireError, ValueError):
            return None


def _node(topic: str) -> str:
    try:
        node: str = topics.parse(topic)[0]
        return node
    except WireError:
        return ""
