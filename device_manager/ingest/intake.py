"""The thread between a broker and a store: what came is taken in batches, and patiently while the store fails."""

import logging
import threading
from collections.abc import Callable

from device_manager.errors import StoreError
from device_manager.ingest.handover import HandOver
from device_manager.ports import Broker, Incoming

BATCH_MESSAGES = 2000
GATHER_S = 0.02
_IDLE_S = 0.5
_RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_log = logging.getLogger(__name__)


class Intake:
    """Hands batches of at most BATCH_MESSAGES to `take`, which returns False to end; `start` and `stop` once each."""

    def __init__(self, broker: Broker, take: Callable[[list[Incoming]], bool], name: str, capacity: int) -> None:
        self._broker = broker
        self._take = take
        self._queue = HandOver(capacity)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread and connect the broker; BrokerError when it cannot be reached."""
        self._thread.start()
        try:
            self._broker.start(self._queue.put)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Take what came, then disconnect; what a failing store refuses stays unacknowledged."""
        self._queue.close()
        self._stopping.set()
        self._thread.join()
        self._broker.stop()

    @property
    def waiting(self) -> int:
        """Messages that came and are not in a batch."""
        return len(self._queue)

    def patiently(self, act: Callable[[], None], messages: int) -> bool:
        """Do `act`, which keeps so many messages, again while the store fails; False when stopped before it worked.

        What is wrong is said once, and again when it is something else.
        """
        attempt, said = 0, ""
        while True:
            try:
                act()
            except StoreError as error:
                if str(error) != said:
                    said = str(error)
                    _log.error("%s; %d messages wait, nothing is acknowledged", error, messages + self.waiting)
                if self._stopping.wait(_RETRY_S[min(attempt, len(_RETRY_S) - 1)]):
                    return False
                attempt += 1
            else:
                if attempt:
                    _log.warning("the store works again after %d attempts", attempt)
                return True

    def _run(self) -> None:
        while not (self._stopping.is_set() and not len(self._queue)):
            if not self._queue.wait(_IDLE_S):
                continue
            if len(self._queue) < BATCH_MESSAGES:
                self._stopping.wait(GATHER_S)
            batch = self._queue.take(BATCH_MESSAGES)
            if batch and not self._take(batch):
                return
