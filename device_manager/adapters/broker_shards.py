"""Several brokers as one: the brain's session at each of them, see `[shards]` in `settings.toml`.

    nodes -> broker, north, .. -> workers of each -> arrivals -> brain -> the broker at which the node is

A node's shard is part of its configuration and is changed by a signed order (`citynode order shard`). Where it is, its
own state says: what is for it goes to the broker that showed it online last, and to all while nobody has. What another
broker still says of it (its last will, or a state from before the move, retained) is dropped and removed there.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from device_manager.ingest.admit import RETAINED
from device_manager.ports import Broker, Codec, Incoming
from firmware.wire import WireError, messages, topics


class _Place(NamedTuple):
    """The broker that showed a node online last, and the node's own time in that state (Unix s; 0: it had none)."""

    shard: str
    time_s: int


class ShardedBroker:
    """The `Broker` port over named sessions; a token is (shard, that session's token)."""

    def __init__(self, sessions: Mapping[str, Broker], codec: Codec) -> None:
        self._sessions = dict(sessions)
        self._codec = codec
        self._at: dict[str, _Place] = {}
        self._left: dict[str, set[str]] = {}  # nodes that nobody has shown online -> brokers that keep their last will
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
            some = [message for message in messages if self._is_for(shard, message[0])]
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
        return [session for shard, session in self._sessions.items() if self._is_for(shard, topic)]

    def _is_for(self, shard: str, topic: str) -> bool:
        place = self._at.get(_node(topic))
        return place is None or place.shard == shard

    def _take(self, shard: str, deliver: Callable[[Incoming], None], message: Incoming) -> None:
        outdated = self._note(shard, message) if message.topic.endswith("/state") else set()
        for name in outdated:
            self._clear(name, _node(message.topic))
        if shard not in outdated:
            token = None if message.token is None else (shard, message.token)
            deliver(message._replace(token=token))
        elif message.token is not None:
            self._sessions[shard].acknowledge([message.token])

    def _note(self, shard: str, message: Incoming) -> set[str]:
        """Note what a broker says of a node; return the brokers whose word of it is outdated, perhaps this one."""
        said = self._said(message.payload)
        if said is None:
            return set()
        (online, time_s), node = said, _node(message.topic)
        with self._lock:
            place = self._at.get(node)
            if online and (place is None or not message.retained or time_s >= place.time_s):
                self._at[node] = _Place(shard, time_s)
                return (self._left.pop(node, set()) | ({place.shard} if place else set())) - {shard}
            if place is None:
                self._left.setdefault(node, set()).add(shard)
                return set()
            return {shard} - {place.shard}

    def _clear(self, shard: str, node: str) -> None:
        """Remove what a broker keeps of a node that has left it (MQTT 5, 3.3.1.3)."""
        for kind in RETAINED:
            self._sessions[shard].publish(topics.up(node, kind), b"", qos=1, retain=True)

    def _said(self, payload: bytes) -> tuple[bool, int] | None:
        """Return what a state says: online, and the node's time; None for one that ingest will judge."""
        try:
            fields = messages.from_items("state", self._codec.loads(payload))
        except (WireError, ValueError):
            return None
        return bool(fields["online"]), fields.get("time") or 0


def _node(topic: str) -> str:
    try:
        node: str = topics.parse(topic)[0]
        return node
    except WireError:
        return ""
