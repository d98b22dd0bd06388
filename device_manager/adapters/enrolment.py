"""The bench's way into the fleet: `provisioning.enrolment.Enrolment` over register and authority.

    with open_enrolment(settings, scope) as enrolment: ...

The register knows a node before it has an identity. A node id that is not given follows from the board's MAC, so that
a broken run meets the node that it left.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from device_manager.errors import UsageError
from device_manager.fleet import Fleet, open_fleet
from device_manager.identities import Authority
from device_manager.identities.order_keys import OrderKeys, ReleaseKeys
from device_manager.overview import shadow_of
from device_manager.registry import Scope
from device_manager.registry.service import ACCEPTED, PENDING
from device_manager.settings import Settings
from provisioning.enrolment import Pending


class FleetEnrolment:
    """See `provisioning.enrolment.Enrolment`; several boards may use it at the same time."""

    def __init__(self, settings: Settings, fleet: Fleet, scope: Scope) -> None:
        self._settings = settings
        self._fleet = fleet
        self._scope = scope
        self._authority = Authority.open(settings.identities)
        self._lock = threading.Lock()

    def begin(self, node: str | None, site: str, design: str, board_mac: str, scope: Scope) -> Pending:
        """See `Enrolment.begin`."""
        chosen = node or f"node-{board_mac.replace(':', '')[-6:]}"
        with self._lock:
            where = self._fleet.registry.site(site)
            known = next((view for view in self._fleet.registry.nodes() if view.name == chosen), None)
            if known is None:
                self._fleet.registry.add_pending(chosen, where, int(time.time() * 1000), scope=scope)
            elif known.admission != PENDING:
                todo = "give it another id with --node"
                raise UsageError(expected="a node id that is free", got=f"{chosen}, {known.admission}", todo=todo)
            elif known.site is None or known.site.name != site:
                self._fleet.registry.hang(chosen, where, int(time.time()), scope=scope)
        return Pending(chosen, site, where.title, board_mac)

    def identity(self, pending: Pending) -> tuple[bytes, bytes, list[bytes]] | None:
        """See `Enrolment.identity`."""
        if not self._settings.broker.tls:
            return None
        with self._lock:
            self._fleet.registry.node(pending.node)
            issued = self._authority.issue_node(pending.node, time.time())
            return issued.key_der(), issued.certificate_der(), self._authority.anchors_der()

    def order_keys(self) -> bytes:
        """See `Enrolment.order_keys`."""
        with self._lock:
            return OrderKeys(self._settings.identities).public()

    def release_keys(self) -> bytes:
        """See `Enrolment.release_keys`."""
        with self._lock:
            return ReleaseKeys(self._settings.identities).public()

    def heard(self, pending: Pending) -> bool:
        """See `Enrolment.heard`."""
        with self._lock:
            return bool(shadow_of(self._fleet.registry.node(pending.node)).next)

    def accept(self, pending: Pending) -> None:
        """See `Enrolment.accept`."""
        with self._lock:
            self._fleet.registry.admit(pending.node, ACCEPTED, scope=self._scope)

    def abandon(self, pending: Pending, reason: str) -> None:
        """See `Enrolment.abandon`."""
        with self._lock:
            self._fleet.registry.admit(pending.node, "rejected", scope=self._scope)


@contextmanager
def open_enrolment(settings: Settings, scope: Scope) -> Iterator[FleetEnrolment]:
    """Open register and authority of a data directory for a bench."""
    with open_fleet(settings) as fleet:
        yield FleetEnrolment(settings, fleet, scope)
