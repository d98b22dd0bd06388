"""Brings standing offers to nodes and serves what they ask for, at QoS 0: a broker must keep none of it.

An offer goes out when a node is connected and has not reported on it, again every AGAIN_S; a node that is on the way
and has said nothing new for ASK_S is asked that way how it is going. When it has reported an end, nothing more is sent.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from device_manager.ports import Broker
from device_manager.releases import bundles
from device_manager.releases.offering import NodeOffer, Offers, Traffic
from device_manager.releases.shelf import Release, Shelf, tree_of
from device_manager.shadow import Shadow
from firmware.wire import messages, releases, topics

AGAIN_S = 15.0
ASK_S = 600.0
CHUNKS_MAX = 8
_BUNDLES_KEPT = 32


class Courier:
    """`step` is called about once a second, `serve` for every wish, both on one thread."""

    def __init__(
        self, shelf: Shelf, offers: Offers, broker: Broker, shadows: Callable[[Iterable[str]], Mapping[str, Shadow]]
    ) -> None:
        """`shadows(names)` returns what is known of nodes."""
        self._shelf = shelf
        self._offers = offers
        self._broker = broker
        self._shadows = shadows
        self._sent_s: dict[NodeOffer, float] = {}
        self._artifacts: OrderedDict[tuple[bytes, int | None], bytes] = OrderedDict()
        self._numbers: dict[str, int] = {}  # node -> release that it was offered last, withdrawn or not
        self._traffic: dict[tuple[str, int], int] = {}
        self._whole: dict[tuple[str, int], int] = {}

    def step(self, now_s: float) -> None:
        """Send the offers that are due, and note what was sent since the last step."""
        standing = self._offers.standing()
        self._numbers.update({wanted.node: wanted.number for wanted in standing})
        known = self._shadows([wanted.node for wanted in standing]) if standing else {}
        for wanted in standing:
            shadow = known.get(wanted.node)
            if shadow is not None and self._is_due(wanted, shadow, now_s):
                self._send(wanted, shadow, now_s)
        if self._traffic:
            sent = {key: Traffic(count, self._whole.get(key, 0)) for key, count in self._traffic.items()}
            self._offers.add_traffic(sent)
            self._traffic.clear()

    def _is_due(self, wanted: NodeOffer, shadow: Shadow, now_s: float) -> bool:
        told = shadow.update
        if not shadow.online or not shadow.family:
            return False
        last_s = self._sent_s.get(wanted, 0.0)
        if (told.get("number"), told.get("attempt")) != (wanted.number, wanted.attempt):
            return now_s - last_s >= AGAIN_S
        return told["state"] not in releases.ENDS and now_s - max(last_s, told["since_ms"] / 1000) >= ASK_S

    def _send(self, wanted: NodeOffer, shadow: Shadow, now_s: float) -> None:
        release = self._shelf.load(wanted.number)
        family = str(shadow.family)
        self._sent_s[wanted] = now_s
        if family not in release.roots or release.objection(now_s):
            return
        fields: dict[str, Any] = {"root": release.roots[family], "offer": release.offers[family]}
        if wanted.attempt:
            fields["attempt"] = wanted.attempt
        self._publish(wanted.node, "offer", messages.encode("offer", fields))
        self._whole[wanted.node, wanted.number] = len(self._artifact(release.root(family)["tree"], 0) or b"")

    def serve(self, node: str, wish: Mapping[str, Any]) -> None:
        """Send the pieces that a node asks for; a wish for what is not here is left alone."""
        artifact = self._artifact(bytes(wish["sha256"]), wish.get("from"))
        if artifact is None:
            return
        size = releases.CHUNK_BYTES
        for offset in range(wish["offset"], wish["offset"] + min(wish["count"], CHUNKS_MAX) * size, size):
            if offset < len(artifact) or offset == wish["offset"]:  # who has all of it learns so by an empty piece
                fields = {"sha256": wish["sha256"], "offset": offset, "total": len(artifact)}
                data = artifact[offset : offset + size]
                self._publish(node, "chunk", messages.encode("chunk", {**fields, "data": data}))

    def _publish(self, node: str, kind: str, payload: bytes) -> None:
        topic = topics.down(node, kind)
        self._broker.publish(topic, payload)
        if node in self._numbers:
            key = node, self._numbers[node]
            self._traffic[key] = self._traffic.get(key, 0) + len(topic) + len(payload)

    def _artifact(self, sum_: bytes, have: int | None) -> bytes | None:
        """Return the bytes of an image (`have` None), or of the bundle from release `have` to a tree."""
        key = (sum_, have)
        if key not in self._artifacts:
            found = self._shelf.objects.get(sum_) if have is None else self._bundle(sum_, have)
            if found is None:
                return None
            self._artifacts[key] = found
            if len(self._artifacts) > _BUNDLES_KEPT:
                self._artifacts.popitem(last=False)
        self._artifacts.move_to_end(key)
        return self._artifacts[key]

    def _bundle(self, sum_: bytes, have: int) -> bytes | None:
        owner = self._owner(sum_)
        if owner is None:
            return None
        release, family = owner
        old = None
        if have in self._shelf.numbers():
            before = self._shelf.load(have)
            old = tree_of(self._shelf, before, family) if family in before.payloads else None
        return bundles.make(tree_of(self._shelf, release, family), old)

    def _owner(self, sum_: bytes) -> tuple[Release, str] | None:
        """Return the newest release with that tree, and the family that it is for."""
        for number in reversed(self._shelf.numbers()):
            release = self._shelf.load(number)
            for family in release.families:
                if release.root(family)["tree"] == sum_:
                    return release, family
        return None
