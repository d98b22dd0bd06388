"""The register: sites, nodes, which node hung where from when to when, groups of nodes, visits and maintenance."""

from device_manager.registry.service import RegisterStore, Registry
from device_manager.scopes import Scope

__all__ = ["RegisterStore", "Registry", "Scope"]
