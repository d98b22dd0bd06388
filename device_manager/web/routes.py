"""All pages and actions of the dashboard, and the role that each needs: nothing is reachable that is not here.

`role` "" is for who is not signed in yet. Handlers are plain functions: a visit in, a response out.
"""

from collections.abc import Callable
from typing import NamedTuple

from starlette.responses import Response

from device_manager.scopes import ADMIN, TECHNICIAN, VIEWER
from device_manager.web.pages import (
    alerts,
    audit,
    bench,
    city,
    node,
    nodes,
    outside,
    people,
    releases,
    rollouts,
    signing,
)
from device_manager.web.visit import Visit


class Asked(NamedTuple):
    """One thing that may be asked for."""

    method: str
    path: str
    role: str
    handler: Callable[[Visit], Response]


ROUTES = (
    Asked("GET", "/", VIEWER, city.page),
    Asked("GET", "/map/markers", VIEWER, city.markers),
    Asked("GET", "/map/panel", VIEWER, city.panel),
    Asked("GET", "/nodes", VIEWER, nodes.page),
    Asked("GET", "/list/rows", VIEWER, nodes.rows),
    Asked("POST", "/list/bulk", TECHNICIAN, nodes.bulk),
    Asked("GET", "/nodes/{node}", VIEWER, node.page),
    Asked("GET", "/nodes/{node}/now", VIEWER, node.now),
    Asked("POST", "/nodes/{node}/command", TECHNICIAN, node.command),
    Asked("POST", "/nodes/{node}/visit", TECHNICIAN, node.visit),
    Asked("POST", "/nodes/{node}/maintenance", TECHNICIAN, node.maintenance),
    Asked("POST", "/nodes/{node}/admit", ADMIN, node.admit),
    Asked("GET", "/alerts", VIEWER, alerts.page),
    Asked("POST", "/alerts/acknowledge", TECHNICIAN, alerts.acknowledge),
    Asked("POST", "/alerts/silence", TECHNICIAN, alerts.silence),
    Asked("POST", "/alerts/end-silence", TECHNICIAN, alerts.end_silence),
    Asked("GET", "/releases", VIEWER, releases.page),
    Asked("POST", "/releases/offer", ADMIN, releases.offer),
    Asked("POST", "/releases/again", ADMIN, releases.again),
    Asked("POST", "/releases/retire", ADMIN, releases.retire),
    Asked("GET", "/rollouts", VIEWER, rollouts.page),
    Asked("GET", "/rollouts/{number}", VIEWER, rollouts.rollout),
    Asked("GET", "/rollouts/{number}/now", VIEWER, rollouts.now),
    Asked("POST", "/rollouts/{number}/approve", ADMIN, rollouts.approve),
    Asked("POST", "/rollouts/{number}/pause", ADMIN, rollouts.pause),
    Asked("POST", "/rollouts/{number}/resume", ADMIN, rollouts.resume),
    Asked("POST", "/rollouts/{number}/abort", ADMIN, rollouts.abort),
    Asked("GET", "/bench", VIEWER, bench.page),
    Asked("GET", "/bench/rows", VIEWER, bench.rows),
    Asked("GET", "/audit", VIEWER, audit.page),
    Asked("GET", "/people", ADMIN, people.page),
    Asked("POST", "/people/add", ADMIN, people.add),
    Asked("POST", "/people/role", ADMIN, people.role),
    Asked("POST", "/people/remove", ADMIN, people.remove),
    Asked("GET", "/me", VIEWER, people.me),
    Asked("POST", "/me/password", VIEWER, people.password),
    Asked("GET", "/sign-in", "", signing.page),
    Asked("POST", "/sign-in", "", signing.sign_in),
    Asked("GET", "/sign-in/outside", "", outside.leave),
    Asked("GET", "/sign-in/back", "", outside.back),
    Asked("POST", "/sign-out", "", signing.sign_out),
    Asked("POST", "/look", "", signing.look),
)
