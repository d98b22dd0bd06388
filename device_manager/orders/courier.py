"""Carries orders to nodes: again and again at QoS 0 until the node answers or the order has expired.

QoS 0, because a broker keeps what it must deliver: in its memory, and in its database on disk, where a key or a
password has no place. A node that is away gets its order when it is back.
"""

import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple

from device_manager.orders.spool import COMMAND, DONE, EXPIRED, REFUSED, Order, Spool
from device_manager.ports import Broker
from firmware.wire import messages, topics

AGAIN_S = 5.0
log = logging.getLogger("citynode.orders")


class Answer(NamedTuple):
    """What a node replied."""

    done: bool
    reason: str
    lines: tuple[str, ...] = ()


class Courier:
    """`step` is called about once a second by the running manager."""

    def __init__(self, spool: Spool, broker: Broker, replies: Callable[[], Iterable[tuple[str, bytes]]]) -> None:
        """`replies()` returns (node, payload of the reply) of what came since the last call."""
        self._spool = spool
        self._broker = broker
        self._replies = replies
        self._sent_s: dict[tuple[str, int], float] = {}

    def step(self, now_s: float) -> None:
        """Note answers, give up what has expired, send what waits: one order a node at a time.

        Commands do not wait for an order that a node tries for minutes.
        """
        answers = dict(_answers(self._replies()))
        busy: set[tuple[str, str]] = set()
        for order in self._spool.waiting():
            key = (order.node, order.counter)
            if key in answers:
                answer = answers[key]
                self._settle(order, DONE if answer.done else REFUSED, answer)
            elif now_s > order.expires_s:
                self._settle(order, EXPIRED, Answer(False, ""))
            elif (order.node, order.kind) not in busy:
                busy.add((order.node, order.kind))
                self._send(order, now_s)

    def _send(self, order: Order, now_s: float) -> None:
        key = (order.node, order.counter)
        if abs(now_s - self._sent_s.get(key, 0.0)) >= AGAIN_S:
            self._sent_s[key] = now_s
            payload = order.signed if order.kind == COMMAND else messages.encode("order", {"signed": order.signed})
            self._broker.publish(topics.down(order.node, order.kind), payload)

    def _settle(self, order: Order, state: str, answer: Answer) -> None:
        self._spool.settle(order, state, answer.reason, answer.lines)
        self._sent_s.pop((order.node, order.counter), None)
        level = logging.INFO if answer.done else logging.WARNING
        why = f" ({answer.reason})" if answer.reason else ""
        log.log(level, "%s of %s: %s%s", order.what, order.node, state, why)


def _answers(replies: Iterable[tuple[str, bytes]]) -> Iterable[tuple[tuple[str, int], Answer]]:
    for node, payload in replies:
        fields = messages.decode("reply", payload)  # ingest has checked it
        yield (node, fields["command"]), Answer(fields["ok"], fields["reason"], tuple(fields.get("lines", ())))
