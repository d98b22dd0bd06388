"""The register's service: checks what people enter, and writes it through a store port.

A node's id is for ever and is never given twice; a site's name too. Every change takes the scope of who is acting.
"""

import re
from typing import Protocol

from device_manager.errors import UsageError
from device_manager.ports import Node, NodeView, Site
from device_manager.scopes import Scope
from firmware.wire import topics

ACCEPTED = "accepted"
PENDING = "pending"
REJECTED = "rejected"
DECOMMISSIONED = "decommissioned"
_SITE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class RegisterStore(Protocol):
    """What the register asks of a store. Names are unique; each call is durable when it returns."""

    def add_site(
        self, name: str, title: str, latitude: float, longitude: float, height_m: float, district: str
    ) -> Site: ...
    def add_node(self, name: str, admission: str, added_ms: int) -> Node: ...
    def set_admission(self, name: str, admission: str) -> None: ...
    def deploy(self, node_id: int, site_id: int, since_s: int) -> None:
        """End the node's deployment at `since_s`, if it has one, and begin the next there."""
        ...

    def sites(self) -> list[Site]: ...
    def nodes(self) -> list[NodeView]: ...


class Registry:
    """Sites and nodes of one fleet."""

    def __init__(self, store: RegisterStore) -> None:
        self._store = store

    def sites(self) -> list[Site]:
        """Return all sites by name."""
        return sorted(self._store.sites(), key=lambda site: site.name)

    def nodes(self) -> list[NodeView]:
        """Return all nodes by name."""
        return sorted(self._store.nodes(), key=lambda node: node.name)

    def site(self, name: str) -> Site:
        """Return one site; UsageError when there is none of that name."""
        for site in self._store.sites():
            if site.name == name:
                return site
        raise UsageError(expected="a known site", got=repr(name), todo="see `citynode site list`, or add it")

    def node(self, name: str) -> NodeView:
        """Return one node; UsageError when there is none of that name."""
        for node in self._store.nodes():
            if node.name == name:
                return node
        raise UsageError(expected="a registered node", got=repr(name), todo="see `citynode node list`")

    def add_site(
        self,
        name: str,
        title: str,
        latitude: float,
        longitude: float,
        height_m: float,
        district: str,
        *,
        scope: Scope,
    ) -> Site:
        """Add a site; degrees WGS 84, height in m above ground."""
        if not _SITE_NAME.fullmatch(name):
            raise UsageError(expected="a site name of a-z, 0-9 and -", got=repr(name), todo="choose another name")
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
            expected, got = "degrees north (-90 to 90) and east (-180 to 180)", f"{latitude}, {longitude}"
            raise UsageError(expected=expected, got=got, todo="check the order")
        if any(site.name == name for site in self._store.sites()):
            raise UsageError(expected="a new site", got=repr(name), todo="it is there already; choose another name")
        return self._store.add_site(name, title, latitude, longitude, height_m, district)

    def check_new_node(self, name: str) -> None:
        """Raise UsageError unless `name` is a node id that was never used."""
        if not topics.is_node_id(name):
            todo = "use 3 to 32 characters of a-z, 0-9 and -"
            raise UsageError(expected="a node id", got=repr(name), todo=todo)
        if any(node.name == name for node in self._store.nodes()):
            raise UsageError(expected="a new node id", got=repr(name), todo="it is there already; choose another id")

    def add_node(self, name: str, site: Site, now_ms: int, *, scope: Scope) -> Node:
        """Add an accepted node that hangs at `site` from now on."""
        self.check_new_node(name)
        node = self._store.add_node(name, ACCEPTED, now_ms)
        self._store.deploy(node.node_id, site.site_id, now_ms // 1000)
        return node

    def add_pending(self, name: str, site: Site, now_ms: int, *, scope: Scope) -> None:
        """Add a node that is on the bench: it may report, and is not accepted yet."""
        self.check_new_node(name)
        node = self._store.add_node(name, PENDING, now_ms)
        self._store.deploy(node.node_id, site.site_id, now_ms // 1000)

    def hang(self, name: str, site: Site, now_s: int, *, scope: Scope) -> None:
        """The node hangs at `site` from now on."""
        self._store.deploy(self.node(name).node_id, site.site_id, now_s)

    def admit(self, name: str, admission: str, *, scope: Scope) -> None:
        """Set the admission of a node: accepted, or rejected for one that must not report."""
        self.node(name)
        self._store.set_admission(name, admission)
