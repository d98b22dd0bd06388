"""Composition root of metrics: reads a data directory, beside a running manager or not."""

import os
from pathlib import Path

from device_manager.alerting import open_alerts
from device_manager.fleet import open_fleet
from device_manager.monitoring.metrics import Family, Seen, families
from device_manager.overview import shadow_of
from device_manager.registry.service import ACCEPTED
from device_manager.settings import Settings


def read_families(settings: Settings, now_ms: int) -> list[Family]:
    """Return all metric families of a fleet at `now_ms`."""
    with open_fleet(settings) as fleet, open_alerts(settings) as alerts:
        views = [view for view in fleet.registry.nodes() if view.admission == ACCEPTED]
        nodes = [
            Seen(shadow_of(view), view.site.name if view.site else "", view.site.district if view.site else "")
            for view in views
        ]
        manager = {
            "up": float(_runs(settings)),
            "committed_records": float(fleet.reader.head_number()),
        }
        if isinstance(settings.database, Path):
            manager["database_bytes"] = float(settings.database.stat().st_size)
        received_ms = max((one.shadow.last_seen_ms or 0 for one in nodes), default=0)
        if received_ms:
            manager["newest_message_age_seconds"] = max(0, now_ms - received_ms) / 1000
        return families(nodes, alerts.alerts(), manager, now_ms)


def _runs(settings: Settings) -> bool:
    """True while a manager runs on the directory: its process is the one in serve.lock."""
    try:
        os.kill(int(settings.lock.read_text("ascii")), 0)
    except (OSError, ValueError):
        return False
    return True
