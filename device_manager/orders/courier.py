"""Carries orders to nodes: again and again at QoS 0 until the node answers or the order has expired.

QoS 0, because a broker keeps what it must deliver: in its memory, and in its database on disk, where a key or a
password has no place. A node that is away gets its order when it is back.
"""

import logging
from collections.abc import Callable, Iterable

from device_manager.orders.spool import DONE, EXPIRED, REFUSED, Order, Spool
from device_manager.ports import Broker
from firmware.wire import messages, topics

AGAIN_S = 5.0
log = logging.getLogger("citynode.orders")


class Courier:
    """`step` is called about once a second by the running manager."""

    def __init__(self, spool: Spool, broker: Broker, replies: Callable[[], Iterable[tuple[str, bytes]]]) -> None:
        """`replies()` returns (node, payload of the reply) of what came since the last call."""
        self._spool = spool
        self._broker = broker
        self._replies = replies
        self._sent_s: dict[tuple[str, int], float] = {}

    def step(self, now_s: float) -> None:
        """Note answers, give up what has expired, send what waits: one order a node at a time."""
        answers = dict(_answers(self._replies()))
        busy: set[str] = set()
        for order in self._spool.waiting():
            key = (order.node, order.counter)
            if key in answers:
                self._settle(order, *answers[key])
            elif now_s > order.expires_s:
                self._settle(order, False, "", EXPIRED)
            elif order.node not in busy:
                busy.add(order.node)
                self._send(order, now_s)

    def _send(self, order: Order, now_s: float) -> None:
        key = (order.node, order.counter)
        if abs(now_s - self._sent_s.get(key, 0.0)) >= AGAIN_S:
            self._sent_s[key] = now_s
            self._broker.publish(topics.down(order.node, "order"), messages.encode("order", {"signed": order.signed}))

    def _settle(self, order: Order, done: bool, reason: str, state: str | None = None) -> None:
        state = state or (DONE if done else REFUSED)
        self._spool.settle(order, state, reason)
        self._sent_s.pop((order.node, order.counter), None)
        level = logging.INFO if done else logging.WARNING
        log.log(level, "%s of %s: %s%s", order.what, order.node, state, f" ({reason})" if reason else "")


def _answers(replies: Iterable[tuple[str, bytes]]) -> Iterable[tuple[tuple[str, int], tuple[bool, str]]]:
    for node, payload in replies:
        fields = messages.decode("reply", payload)  # ingest has checked it
        yield (node, fields["command"]), (fields["ok"], fields["reason"])
