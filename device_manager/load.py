"""Composition of `citynode load`: a swarm of simulated nodes on one connection, and what became of their frames.

Nodes keep what the manager has not said to be safe: when something waits and no watermark has moved for RESEND_S, all
above it goes again, as with a real node. Frames go with QoS 1, so that a slow ingest costs the broker memory and no
frames. One connection carries all of them, so what a broker pays for many connections is not in it; `citynode
node simulate` runs real firmware.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from device_manager.loading.swarm import Swarm
from device_manager.loading.trace import Trace, channels
from device_manager.ports import Broker, Codec, Incoming
from firmware.wire import topics

FIRST_LOG = 1_000_001
RESEND_S = 30.0
LOOK_S = 1.0
TICK_S = 0.1
WATERMARKS = "citynode/1/+/down/watermark"


class Report(NamedTuple):
    """How a load went: messages sent, of these again, records that watermarks cover, nodes, and for how long."""

    sent: int
    again: int
    covered: int
    made: int
    seconds: float


def name(node: int) -> str:
    """Return the id of simulated node `node`, from 0."""
    return f"load-{node:07d}"


class Loader:
    """Publishes for a swarm; `begin_s` is the Unix time at which its first frames begin."""

    def __init__(self, broker: Broker, codec: Codec, swarm: Swarm, trace: Trace, quantities: Sequence[str]) -> None:
        self._broker, self._codec = broker, codec
        self._swarm, self._trace, self._quantities = swarm, trace, quantities
        self.next = np.zeros(len(swarm.sent), dtype=np.int64)
        self._moved_s = np.zeros(len(swarm.sent))  # when the watermark moved, or something began to wait
        self._began_s = 0.0
        self._sent = self._again = 0
        self._begun: set[int] = set()

    def begun(self, nodes: Sequence[int]) -> None:
        """Take it that these nodes have sent their channels before."""
        self._begun.update(nodes)
        self.next[list(nodes)] = 1

    def run(self, seconds: float, begin_s: int, frame_s: int, ended: Callable[[], bool] = lambda: False) -> Report:
        """Load for `seconds`, then wait up to twice RESEND_S for the last watermarks."""
        self._broker.start(self._heard)
        self._began_s = time.monotonic()
        look_s = LOOK_S
        while (now_s := self._now_s()) < seconds and not ended():
            self._publish(now_s, begin_s, frame_s)
            if now_s > look_s:
                self._send_again(now_s)
                look_s = now_s + LOOK_S
            time.sleep(TICK_S)
        loaded_s = self._now_s()
        while self._covered() < self._made() and self._now_s() < loaded_s + 2 * RESEND_S and not ended():
            self._send_again(self._now_s())
            self._publish(loaded_s, begin_s, frame_s)  # what goes again: nothing new is made
            time.sleep(TICK_S)
        self._broker.stop()
        return Report(self._sent, self._again, self._covered(), self._made(), loaded_s)

    def _now_s(self) -> float:
        return time.monotonic() - self._began_s

    def _publish(self, now_s: float, begin_s: int, frame_s: int) -> None:
        messages: list[tuple[str, bytes]] = []
        for node, first, last in self._swarm.due(now_s):
            log = FIRST_LOG + node
            if self.next[node] >= first:  # nothing was waiting
                self._moved_s[node] = now_s
            topic = topics.up(name(node), "frame")
            if node not in self._begun:
                self._begun.add(node)
                messages.append((topics.up(name(node), "channels"), channels(self._quantities, log)))
            messages += [
                (topic, self._trace.frame(log, seq, begin_s + frame_s * (seq - 1), node + seq))
                for seq in range(first, last + 1)
            ]
        self._sent += len(messages)
        self._broker.publish_all(messages, qos=1)

    def _send_again(self, now_s: float) -> None:
        """Go back to the watermark of every node that has waited for RESEND_S."""
        waiting = (self._swarm.sent > 0) & (self.next <= self._swarm.sent)
        for node in np.flatnonzero(waiting & (now_s - self._moved_s > RESEND_S)).tolist():
            self._again += int(self._swarm.sent[node] - max(self.next[node], 1)) + 1
            self._swarm.sent[node] = max(int(self.next[node]), 1) - 1
            self._moved_s[node] = now_s
            if not self.next[node]:
                self._begun.discard(node)

    def _heard(self, message: Incoming) -> None:
        mark = self._codec.loads(message.payload)
        assert isinstance(mark, dict)  # only the manager may write there
        node = mark[1] - FIRST_LOG
        if 0 <= node < len(self.next) and mark[2] > self.next[node]:
            self.next[node], self._moved_s[node] = mark[2], self._now_s()

    def _covered(self) -> int:
        return int(self.next[self._swarm.sent > 0].sum())

    def _made(self) -> int:
        there = self._swarm.sent > 0
        return int(self._swarm.sent.sum() + there.sum())
