"""Composition of releases and updates: what commands use, and the service of the running manager.

Beside `app.py`, as `upkeep` is.
"""

import logging
import queue
from collections.abc import Iterable, Mapping
from typing import Any

from device_manager.adapters.clock import SystemClock
from device_manager.adapters.firmware_build import app_files, compiler
from device_manager.adapters.release_files import FileShelf
from device_manager.adapters.store_audit import SqlAudit
from device_manager.adapters.store_offers import SqlOffers
from device_manager.adapters.store_operations import Operations
from device_manager.adapters.store_reader import SqlReader
from device_manager.audit import Audit
from device_manager.identities.order_keys import ReleaseKeys
from device_manager.overview import shadow_of
from device_manager.periodic import Periodic, Step
from device_manager.ports import Broker, Clock
from device_manager.releases.courier import Courier
from device_manager.releases.offering import Offers
from device_manager.releases.service import Releases
from device_manager.settings import Settings
from device_manager.shadow import Shadow
from hardware.catalog import boards

STEP_S = 1.0
FAMILIES = {"ESP32": "xtensawin", "ESP32-S3": "xtensawin", "ESP32-C6": "rv32imc"}
VIRTUAL = "x64"
SYSTEM = SystemClock()
_WISHES_MAX = 10_000
log = logging.getLogger("citynode.updates")


def families() -> dict[str, list[str]]:
    """Return the boards that each family of native code is for; a virtual node may stand for any board."""
    found: dict[str, list[str]] = {VIRTUAL: sorted(boards())}
    for name, board in sorted(boards().items()):
        found.setdefault(FAMILIES[board.chip], []).append(name)
    return found


def open_releases(settings: Settings, operations: Operations | None = None) -> Releases:
    """Return the service that builds and keeps releases."""
    shelf, keys = FileShelf(settings.releases), ReleaseKeys(settings.identities)
    audit = Audit(SqlAudit(operations or Operations(settings.database)), SystemClock())
    built = settings.firmware_directory
    return Releases(shelf, keys, audit, lambda family, root: app_files(built, family, root), compiler)


def open_offers(settings: Settings, operations: Operations | None = None, clock: Clock = SYSTEM) -> Offers:
    """Return what is offered to which node."""
    shelf = FileShelf(settings.releases)

    def require(number: int) -> None:
        shelf.load(number).require_offerable(clock.now_ms() / 1000)

    return SqlOffers(operations or Operations(settings.database), require)


class Updates(Periodic):
    """A service of the running manager: offers to nodes, and the pieces that they ask for."""

    def __init__(self, settings: Settings, broker: Broker, clock: Clock = SYSTEM) -> None:
        self._operations = Operations(settings.database)
        self._reader = SqlReader(settings.database)
        offers = open_offers(settings, self._operations, clock)
        self._clock = clock
        self._courier = Courier(FileShelf(settings.releases), offers, broker, self._shadows)
        self._wishes: queue.Queue[tuple[str, Mapping[str, Any]]] = queue.Queue(_WISHES_MAX)
        super().__init__(
            "updates",
            Step(self._carry, STEP_S, first_s=0.0, waits="offers wait"),
            Step(self._serve, STEP_S, waits="nodes ask again", by_wake=True),
        )

    def stop(self) -> None:
        """End after the step that runs; nodes ask again."""
        super().stop()
        self._reader.close()
        self._operations.close()

    def wish(self, node: str, fields: Mapping[str, Any]) -> None:
        """A node asks for pieces; of too many wishes the newest is dropped, and comes again."""
        try:
            self._wishes.put_nowait((node, fields))
        except queue.Full:
            log.warning("too many wishes wait; %s must ask again", node)
        self.wake()

    def _serve(self) -> None:
        """Serve one wish, so that offers are never far behind many."""
        try:
            node, fields = self._wishes.get_nowait()
        except queue.Empty:
            return
        if not self._wishes.empty():
            self.wake()
        self._courier.serve(node, fields)

    def _carry(self) -> None:
        self._courier.step(self._clock.now_ms() / 1000)

    def _shadows(self, names: Iterable[str]) -> dict[str, Shadow]:
        wanted = set(names)
        return {view.name: shadow_of(view) for view in self._reader.nodes() if view.name in wanted}
