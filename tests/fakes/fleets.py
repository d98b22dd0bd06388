"""A data directory's databases with a register, groups and visits, without broker or identities."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from device_manager.adapters.store_engine import create_database
from device_manager.fleet import Fleet, open_fleet
from device_manager.scopes import Scope
from device_manager.settings import BrokerSettings, Settings

ADMIN = Scope("anna", "admin")
TECHNICIAN = Scope("tom", "technician")
VIEWER = Scope("vera", "viewer")


@contextmanager
def empty_fleet(directory: Path) -> Iterator[Fleet]:
    """Open a fleet in `directory`; databases are made when there are none yet."""
    settings = Settings(directory, "test", BrokerSettings("iotcore", "127.0.0.1", 1883))
    if not settings.database.exists():
        directory.mkdir(parents=True, exist_ok=True)
        create_database(settings.database)
    with open_fleet(settings) as fleet:
        yield fleet


@contextmanager
def small_fleet(directory: Path) -> Iterator[Fleet]:
    """Open a fleet of two sites, two nodes that hang there and one that lies on a shelf."""
    with empty_fleet(directory) as fleet:
        for name, district in (("markt", "Innenstadt"), ("hofgarten", "Nord")):
            fleet.registry.add_site(name, name.title(), 47.726, 10.316, 4.0, district, scope=ADMIN)
            fleet.registry.add_node(f"node-{name}", fleet.registry.site(name), 1_770_000_000_000, scope=ADMIN)
        fleet.registry.add_pending("node-spare", fleet.registry.site("markt"), 1_770_000_000_000, scope=ADMIN)
        fleet.registry.take_down("node-spare", 1_770_000_000, scope=ADMIN)
        yield fleet
