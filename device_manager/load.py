"""Composition of `citynode load`: a swarm of simulated nodes on one connection, and what became of their frames.

Nodes keep what the manager has not said to be safe: a frame that no watermark covers within RESEND_S goes again, as a
real node's does. One connection carries all of them, so what a broker pays for many connections is not in it; `citynode
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
        self._checked = self.next.copy()
        self._sent = self._again = 0
        self._begun: set[int] = set()

    def begun(self, nodes: Sequence[int]) -> None:
        """Take it that these nodes have sent their channels before."""
        self._begun.update(nodes)
        self.next[list(nodes)] = 1

    def run(self, seconds: float, begin_s: int, frame_s: int, ended: Callable[[], bool] = lambda: False) -> Report:
        """Load for `seconds`, then wait up to RESEND_S for the last watermarks."""
        self._broker.start(self._heard)
        began = time.monotonic()
        look_s = RESEND_S
        while (now_s := time.monotonic() - began) < seconds and not ended():
            self._publish(now_s, begin_s, frame_s)
            if now_s > look_s:
                self._send_again()
                look_s = now_s + RESEND_S
            time.sleep(TICK_S)
        loaded_s, until = time.monotonic() - began, time.monotonic() + RESEND_S
        while self._covered() < self._made() and time.monotonic() < until and not ended():
            time.sleep(TICK_S)
        self._broker.stop()
        return Report(self._sent, self._again, self._covered(), self._made(), loaded_s)

    def _publish(self, now_s: float, begin_s: int, frame_s: int) -> None:
        messages: list[tuple[str, bytes]] = []
        for node, first, last in self._swarm.due(now_s):
            log = FIRST_LOG + node
            topic = topics.up(name(node), "frame")
            if node not in self._begun:
                self._begun.add(node)
                messages.append((topics.up(name(node), "channels"), channels(self._quantities, log)))
            messages += [
                (topic, self._trace.frame(log, seq, begin_s + frame_s * (seq - 1), node + seq))
                for seq in range(first, last + 1)
            ]
        self._sent += len(messages)
        self._broker.publish_all(messages)

    def _send_again(self) -> None:
        """Go back to the watermark of every node whose mark did not move since the last look."""
        stuck = (self.next <= self._swarm.sent) & (self.next == self._checked) & (self._swarm.sent > 0)
        for node in np.flatnonzero(stuck).tolist():
            self._again += int(self._swarm.sent[node] - max(self.next[node], 1)) + 1
            self._swarm.sent[node] = max(int(self.next[node]), 1) - 1
            if not self.next[node]:
                self._begun.discard(node)
        self._checked = self.next.copy()

    def _heard(self, message: Incoming) -> None:
        mark = self._codec.loads(message.payload)
        assert isinstance(mark, dict)  # only the manager may write there
        node = mark[1] - FIRST_LOG
        if 0 <= node < len(self.next):
            self.next[node] = max(self.next[node], mark[2])

    def _covered(self) -> int:
        return int(self.next[self._swarm.sent > 0].sum())

    def _made(self) -> int:
        there = self._swarm.sent > 0
        return int(self._swarm.sent.sum() + there.sum())
