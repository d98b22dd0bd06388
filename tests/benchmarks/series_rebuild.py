"""Numbering all frames of a store and making all its roll-ups from nothing, with two processes.

Store: 200 nodes x 15 channels x 1 minute x 30 days; short form: 60 nodes, 15 days.
"""

from __future__ import annotations

from device_manager.adapters.store_rebuild import rebuild
from tests.benchmarks.city_store import city_store
from tests.benchmarks.row import Row, at_least, at_most


def run(short: bool) -> list[Row]:
    """Return a row for the speed, and one for what a second rebuild changes."""
    store = city_store(60, 15) if short else city_store(200, 30)
    speed = store.observations / store.rebuilt.seconds
    again = rebuild(store.path, processes=2)
    beside = f"{store.observations:.3g} observations in {store.rebuilt.seconds:.1f} s"
    return [
        at_least("series_rebuild", speed / 1e6, "M observations/s", 3, beside, store.form),
        at_most("series_rebuild, numbers changed by a second one", again.numbers, "numbers", 0, form=store.form),
    ]
