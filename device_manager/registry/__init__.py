"""The register: sites, nodes, and which node hung where from when to when."""

from device_manager.registry.service import RegisterStore, Registry
from device_manager.scopes import Scope

__all__ = ["RegisterStore", "Registry", "Scope"]
