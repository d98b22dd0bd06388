"""A thread of the manager that keeps observation numbers and roll-ups up to date with what ingest commits."""

import logging
import threading

from device_manager.errors import StoreError
from device_manager.series.keeping import Keeper

EVERY_S = 1.0
_log = logging.getLogger(__name__)


class KeepingUp:
    """Runs a Keeper now and then; `start` and `stop` once each."""

    def __init__(self, keeper: Keeper, every_s: float = EVERY_S) -> None:
        self._keeper = keeper
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="series", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step that runs."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        failed = False
        while not self._stopping.wait(self._every_s):
            try:
                self._keeper.advance(ended=self._stopping.is_set)
                failed = False
            except StoreError as error:  # the frames are safe; what is derived from them comes later
                if not failed:
                    _log.error("%s; numbers and roll-ups wait", error)
                failed = True
