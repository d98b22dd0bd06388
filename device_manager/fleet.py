"""Composition root of commands and pages: register and readings of a data directory, beside a running manager or not.

    with open_fleet(settings.load(directory)) as fleet:
        names = [node.name for node in fleet.registry.nodes()]

Apart from `app.py`, because a list of nodes need not load a broker's client, certificates or arrays.
"""

import getpass
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device_manager import overview
from device_manager.adapters.clock import SystemClock
from device_manager.adapters.store_audit import SqlAudit
from device_manager.adapters.store_operations import Operations
from device_manager.adapters.store_reader import SqlReader
from device_manager.adapters.store_register import SqlRegister
from device_manager.adapters.store_registry import SqlGroups, SqlVisits
from device_manager.audit import Audit
from device_manager.errors import UsageError
from device_manager.ports import NodeView, Site
from device_manager.registry import Registry, Scope
from device_manager.registry.visits import Visits
from device_manager.settings import DEFAULT_DESIGN, Settings, Timing

if TYPE_CHECKING:
    from device_manager.readings import Readings
    from device_manager.registry.groups import Groups


def local() -> Scope:
    """Return the scope of whoever runs a command on this machine: the fleet's admin, by the right to read its files."""
    return Scope(f"local:{getpass.getuser()}")


@dataclass
class Fleet:
    """What commands and pages work with: register and readings of one data directory."""

    settings: Settings
    registry: Registry
    reader: SqlReader
    operations: Operations
    audit: Audit

    @cached_property
    def groups(self) -> "Groups":
        """Groups of nodes; made when first asked for, because the parser of questions takes time to load."""
        from device_manager.registry.groups import Groups

        return Groups(SqlGroups(self.operations), self.registry, _reported, self.audit)

    @cached_property
    def visits(self) -> Visits:
        """The visit log, and the nodes that are worked at."""
        return Visits(SqlVisits(self.operations), self.registry, self.audit)

    @cached_property
    def readings(self) -> "Readings":
        """Readings with names; made when first asked for, because numpy takes longer to load than a list of nodes."""
        from device_manager.adapters.codec_cbor2 import Cbor2Codec
        from device_manager.readings import Readings
        from device_manager.series import Series

        return Readings(self.reader, Series(self.reader, Cbor2Codec()), self.registry, self.reader.head_number)

    def add_virtual_node(
        self, name: str, site: Site, timing: Timing, now_s: float, *, design: str = DEFAULT_DESIGN, scope: Scope
    ) -> Path:
        """Register a node at `site` and write the directory of a virtual one of that design; returns the directory."""
        self.registry.check_new_node(name)
        from device_manager.adapters.virtual_files import find_design, write_node
        from device_manager.identities import Authority

        directory, authority = self.settings.node_directory(name), Authority.open(self.settings.identities)
        write_node(directory, name, find_design(design), self.settings.broker, authority, timing, now_s)
        self.registry.add_node(name, site, int(now_s * 1000), scope=scope)
        return directory

    def virtual_directories(self, names: list[str], count: int | None) -> list[Path]:
        """Return the directories of the named nodes, or of the first `count` virtual ones; UsageError if not enough."""
        if bool(names) == (count is not None):
            todo = "see `citynode node simulate --help`"
            raise UsageError(expected="either node ids or --count", got="both" if names else "neither", todo=todo)
        chosen = names or [node.name for node in self.registry.nodes() if self._is_virtual(node.name)][:count]
        for name in chosen:
            self.registry.node(name)
            if not self._is_virtual(name):
                got = f"no {self.settings.node_directory(name) / 'virtual.json'}"
                raise UsageError(expected="a virtual node", got=got, todo="add one with `citynode node add`")
        if len(chosen) < (count or 1):
            got = f"{len(chosen)} of {count}"
            raise UsageError(expected="enough virtual nodes", got=got, todo="add more with `citynode node add`")
        return [self.settings.node_directory(name) for name in chosen]

    def _is_virtual(self, name: str) -> bool:
        return (self.settings.node_directory(name) / "virtual.json").exists()

    def describe(self, name: str, now_ms: int) -> dict[str, Any]:
        """Return all that is known of a node, for people: node, alerts, missing numbers, health, rejects by reason,
        channels."""
        view = self.registry.node(name)
        shadow = overview.shadow_of(view)
        last_end = shadow.last_frame_end_s
        node = {
            **overview.summarise(view, now_ms)._asdict(),
            "log": None if shadow.log is None else f"{shadow.log:08x}",
            "next_number": shadow.next,
            "last_record_end": None if last_end is None else overview.iso(last_end),
            "last_loss": shadow.last_loss,
            "lost_by_restore": shadow.lost_by_restore,
            "backfilled": shadow.backfilled,
        }
        channels = [overview.channel(value) for value in self.readings.last_values().get(name, [])]
        return {
            "node": node,
            "alerts": overview.alerts(shadow),
            "missing": overview.missing(shadow, now_ms),
            "health": overview.health(shadow),
            "rejects": self.reader.reject_counts(name),
            "channels": channels,
        }


@contextmanager
def open_fleet(settings: Settings) -> Iterator[Fleet]:
    """Open register and readings of a data directory."""
    with ExitStack() as stack:
        reader = SqlReader(settings.database)
        stack.callback(reader.close)
        register = SqlRegister(settings.database, reader)
        stack.callback(register.close)
        operations = Operations(settings.database)
        stack.callback(operations.close)
        audit = Audit(SqlAudit(operations), SystemClock())
        yield Fleet(settings, Registry(register, audit), reader, operations, audit)


def _reported(view: NodeView) -> dict[str, str | None]:
    shadow = overview.shadow_of(view)
    release = None if shadow.release is None else str(shadow.release)
    return {"board": shadow.board, "firmware": shadow.firmware, "release": release}
