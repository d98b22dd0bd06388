"""Composition root of lists of many nodes, which are shown before the rest could be loaded."""

from device_manager.adapters.store_glance import glance
from device_manager.overview import Summary, summarise, summarise_row
from device_manager.settings import Settings


def summaries(settings: Settings, now_ms: int) -> list[Summary]:
    """Return all nodes by name, as they are at `now_ms`."""
    rows = glance(settings.database)
    if rows is not None:
        return [summarise_row(row, now_ms) for row in rows]
    from device_manager.fleet import open_fleet

    with open_fleet(settings) as fleet:
        return [summarise(view, now_ms) for view in fleet.registry.nodes()]
