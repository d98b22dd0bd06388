"""How long a revoked node stays connected, whether it stays out, and whether the others notice.

Real mosquitto, manager and nodes. The time runs from the call to the broker's word that the client is gone.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from device_manager import app
from device_manager.fleet import local
from device_manager.settings import Timing
from tests.benchmarks.row import Row, at_most
from tests.fleet.fleet import Fleet
from tests.fleet.ordering import make_cheap, reports
from tests.waiting import wait_for

NODES, SHORT_NODES = 8, 3
LIMIT_S = 5.0
_WATCH_S = 15.0


def run(short: bool) -> list[Row]:
    """Return rows for time, readings taken after it, and other nodes that lost their connection."""
    nodes = SHORT_NODES if short else NODES
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder), nodes, Timing(record_s=1, frame_s=2))
        make_cheap(fleet)
        with fleet:
            wait_for(lambda: min(fleet.committed().values()) > 1, 90)
            log = fleet.settings.broker_directory / "mosquitto.log"
            before = len(_connections(log))
            began_s = time.monotonic()
            app.revoke(fleet.settings, "node-00", scope=local())
            out_s = time.monotonic() - began_s
            taken = fleet.committed()["node-00"]
            time.sleep(_WATCH_S)
            fleet.kill_broker()
            for other in range(1, nodes):
                reports(fleet, f"node-{other:02}", 90)
            late = fleet.committed()["node-00"] - taken
            others = [line for line in _connections(log)[before:] if " as node-" in line and "node-00" not in line]
    noticed = max(0, len(others) - (nodes - 1))  # the restart of the broker costs everybody one
    form = f"{nodes} nodes"
    return [
        at_most("revocation_time", out_s, "s", LIMIT_S, "until the call returns: list read, live session ended", form),
        at_most("revocation, frames of the revoked node afterwards", late, "frames", 0, "broker restarted", form),
        at_most("revocation, other nodes that connected anew", noticed, "nodes", 0, "", form),
    ]


def _connections(log: Path) -> list[str]:
    return [line for line in log.read_text("utf-8", "replace").splitlines() if "New client connected" in line]
