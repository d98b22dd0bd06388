"""A wire without a network that counts bytes, and a release service in a folder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from device_manager.adapters.clock import SystemClock
from device_manager.adapters.release_files import FileShelf
from device_manager.audit import Audit, Entry
from device_manager.identities.order_keys import ReleaseKeys
from device_manager.releases.offering import NodeOffer, Traffic
from device_manager.releases.service import Releases
from firmware.wire import messages, topics


class FakeAuditLog:
    """Keeps entries in memory."""

    def __init__(self) -> None:
        self.kept: list[Entry] = []

    def append(self, entry: Entry) -> int:
        self.kept.append(entry)
        return len(self.kept)

    def entries(self, *, before: int | None = None, limit: int = 100, subject: str | None = None) -> list[Entry]:
        return self.kept[::-1][:limit]


def service(shelf: FileShelf, keys: ReleaseKeys, compile_: Callable[[str, Path], dict[str, bytes]]) -> Releases:
    """Return the release service with an audit log of its own."""
    return Releases(shelf, keys, Audit(FakeAuditLog(), SystemClock()), compile_, lambda: "mpy-cross 1.29.0")


class FakeOffers:
    """The `Offers` port in memory."""

    def __init__(self, *wanted: NodeOffer) -> None:
        self.wanted = {offer.node: offer for offer in wanted}
        self.sent: dict[tuple[str, int], Traffic] = {}

    def offer(self, wanted: NodeOffer) -> None:
        self.wanted[wanted.node] = wanted

    def withdraw(self, node: str) -> None:
        self.wanted.pop(node, None)

    def standing(self) -> list[NodeOffer]:
        return list(self.wanted.values())

    def traffic(self, numbers: Collection[int]) -> dict[str, Traffic]:
        found: dict[str, Traffic] = {}
        for (node, number), more in self.sent.items():
            if number in numbers:
                before = found.get(node, Traffic(0, 0))
                found[node] = Traffic(before.sent_bytes + more.sent_bytes, before.whole_bytes + more.whole_bytes)
        return found

    def add_traffic(self, sent: Mapping[tuple[str, int], Traffic]) -> None:
        for key, more in sent.items():
            before = self.sent.get(key, Traffic(0, 0))
            self.sent[key] = Traffic(before.sent_bytes + more.sent_bytes, more.whole_bytes or before.whole_bytes)


class Wire:
    """What lies between a courier and one node: counts topics and payloads of both directions."""

    def __init__(self, node: str) -> None:
        self._node = node
        self.bytes = self.pieces = 0
        self.chunks: list[dict[str, Any]] = []
        self.offered: list[dict[str, Any]] = []

    def offers(self, *wanted: NodeOffer) -> FakeOffers:
        """Return the offers of this node."""
        return FakeOffers(*wanted)

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """The manager sends."""
        self.bytes += len(topic) + len(payload)
        kind = topics.parse(topic)[2]
        fields = messages.decode(kind, payload)
        if kind == "chunk":
            self.pieces += 1
            self.chunks.append(fields)
        else:
            self.offered.append(fields)

    def up(self, kind: str, payload: bytes) -> None:
        """The node sends."""
        self.bytes += len(topics.up(self._node, kind)) + len(payload)
