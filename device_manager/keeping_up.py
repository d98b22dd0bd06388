"""A service of the manager that keeps observation numbers and roll-ups up to date with what ingest commits."""

from device_manager.periodic import Periodic, Step
from device_manager.series.keeping import Keeper

EVERY_S = 1.0


class KeepingUp(Periodic):
    """Runs a Keeper now and then; while it fails, the frames are safe, and what is derived from them comes later."""

    def __init__(self, keeper: Keeper, every_s: float = EVERY_S) -> None:
        self._keeper = keeper
        super().__init__("series", Step(self._advance, every_s, waits="numbers and roll-ups wait"))

    def _advance(self) -> None:
        self._keeper.advance(ended=self.ending)
