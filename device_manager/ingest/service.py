"""The ingest loop: take what came, commit it, and only then acknowledge it and publish watermarks.

A message is never acknowledged before it is durable. While the store fails, messages wait, nothing is acknowledged, and
that is said once. A message that breaks our own code is kept as a reject with reason "internal".
"""

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from device_manager.errors import StoreError
from device_manager.ingest.commit import Committer, Outcome
from device_manager.ingest.intake import Intake
from device_manager.ports import Broker, Clock, Incoming, Watermark
from firmware.wire import VERSION, messages, topics

_KEYS = {name: key for key, name, _, _ in messages.rows(messages.FIELDS["watermark"])}
_LOG, _NEXT, _WANT, _TIME = (_KEYS[name] for name in ("log", "next", "want", "time"))
_log = logging.getLogger(__name__)


class IngestService:
    """Runs a thread between `broker` and `committer`; `start` and `stop` once each.

    `clock` is what nodes that have no time of their own are told, in each watermark.
    """

    def __init__(self, broker: Broker, committer: Committer, clock: Clock, capacity: int = 2 * 65_535) -> None:
        self._broker = broker
        self._clock = clock
        self._committer = committer
        self._intake = Intake(broker, self._take, "ingest", capacity)
        self.totals = Outcome()
        self.on_wish: Callable[[str, dict[str, Any]], None] = lambda node, fields: None
        """What a node asks for (see `firmware.wire.releases`); must return at once."""

    def start(self) -> None:
        """Start the thread and connect the broker; BrokerError when it cannot be reached."""
        self._intake.start()

    def stop(self) -> None:
        """Commit and acknowledge what came, then disconnect; what a failing store refuses stays unacknowledged."""
        self._intake.stop()

    @property
    def waiting(self) -> int:
        """Messages that came and are not committed."""
        return self._intake.waiting

    def _take(self, batch: Sequence[Incoming]) -> bool:
        return self._intake.patiently(lambda: self._commit(batch), len(batch))

    def _commit(self, batch: Sequence[Incoming]) -> None:
        try:
            outcome = self._committer.commit(batch)
        except StoreError:
            raise
        except Exception as error:  # ours, not the store's: find the message that does it, keep it, go on
            if len(batch) > 1:
                for message in batch:
                    self._commit([message])
                return
            _log.exception("a message of topic %s cannot be taken", batch[0].topic)
            outcome = self._committer.commit_as_refused(batch[0], error)
        self._finish(batch, outcome)

    def _finish(self, batch: Sequence[Incoming], outcome: Outcome) -> None:
        self._broker.acknowledge([message.token for message in batch if message.token is not None])
        now_s, dumps = self._clock.now_ms() // 1000, self._committer.codec.dumps
        told = [(_topic(mark.node), encode_watermark(mark, now_s, dumps)) for mark in outcome.watermarks]
        self._broker.publish_all(told)
        for node, fields in outcome.wishes:
            self.on_wish(node, fields)
        for name in ("stored", "duplicates", "rejected", "deferred", "messages"):
            setattr(self.totals, name, getattr(self.totals, name) + getattr(outcome, name))


@lru_cache(maxsize=65_536)
def _topic(node: str) -> str:
    return topics.down(node, "watermark")


def encode_watermark(watermark: Watermark, time_s: int, dumps: Callable[[object], bytes]) -> bytes:
    """Return the message that tells a node what is committed, and the time (Unix s); `dumps` is a codec's.

    The same bytes as `messages.encode` makes, which checks what needs no check here and takes ten times as long.
    """
    want = [list(hole) for hole in watermark.want]
    return dumps({0: VERSION, _LOG: watermark.log, _NEXT: watermark.next, _WANT: want, _TIME: time_s})
