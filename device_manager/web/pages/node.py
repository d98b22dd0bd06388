"""One node: every channel with its quality, health, what was done to it, what it answered, commands."""

import time
from typing import Any

from starlette.responses import Response

from device_manager import overview
from device_manager.errors import UsageError
from device_manager.orders.service import COMMANDS
from device_manager.series import LastValue
from device_manager.web import health_card, plotting, states
from device_manager.web.visit import Visit
from firmware.wire import quality

SPANS = {"6h": 21_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000}
MOST_ENTRIES = 30
SENT = tuple(name for name in COMMANDS if name != "maintenance")  # which has a form of its own
HEALTH_DAYS = 7


def page(visit: Visit) -> Response:
    """Show everything of a node over the chosen span."""
    view = visit.desk.fleet.registry.node(visit.path["node"])
    span = visit.query.get("span", "24h") if visit.query.get("span") in SPANS else "24h"
    until_s = int(time.time()) if "until" not in visit.query else _time(visit.query["until"])
    readings, epochs = visit.desk.readings_of(view.name, until_s - SPANS[span], until_s)
    plots = [plotting.plot(reading, until_s - SPANS[span], until_s, visit.words) for reading in readings]
    return visit.page(
        "node.html", view=view, plots=plots, epochs=epochs, span=span, spans=tuple(SPANS), commands=SENT,
        **_now(visit), **_history(visit, view.node_id),
    )  # fmt: skip


def now(visit: Visit) -> Response:
    """Show its state and latest values, for a page that is open already."""
    return visit.fragment("node_now.html", **_now(visit))


def command(visit: Visit) -> Response:
    """Send the node a command."""
    name = visit.field("command")
    view = visit.desk.fleet.registry.node(visit.path["node"])
    visit.desk.orders().command(view.name, name, time.time(), scope=visit.scope)
    return visit.see(f"/nodes/{view.name}#log", visit.words("{name} was sent to {node}", name=name, node=view.name))


def maintenance(visit: Visit) -> Response:
    """Begin a maintenance, or end it (0 minutes): alerts rest, and the node flags what it measures meanwhile."""
    name, minutes, now_s = visit.path["node"], visit.field("minutes"), time.time()
    wanted = int(minutes) if minutes.isdecimal() and len(minutes) < 6 else -1
    visits, now_ms = visit.desk.fleet.visits, int(now_s * 1000)
    if wanted == 0:
        visits.end_maintenance(name, now_ms, scope=visit.scope)
    else:
        visits.start_maintenance(name, wanted, visit.field("reason"), now_ms, scope=visit.scope)
    visit.desk.orders().command(name, "maintenance", now_s, scope=visit.scope, minutes=wanted)
    return visit.see(f"/nodes/{name}", visit.words("maintenance was sent to {node}", node=name))


def visit(visit: Visit) -> Response:
    """Keep what was done at the node's site."""
    view = visit.desk.fleet.registry.node(visit.path["node"])
    if view.site is None:
        raise UsageError(expected="a node that hangs somewhere", got=view.name, todo="hang it first")
    note, now_ms = visit.field("note", 2001), int(time.time() * 1000)
    visit.desk.fleet.visits.note(view.site.name, note, now_ms, scope=visit.scope, node=view.name)
    return visit.see(f"/nodes/{view.name}", visit.words("The visit is noted"))


def admit(visit: Visit) -> Response:
    """Accept a node, or reject it."""
    visit.desk.fleet.registry.admit(visit.path["node"], visit.field("admission"), scope=visit.scope)
    visit.desk.changed()
    return visit.see(f"/nodes/{visit.path['node']}", visit.words("The admission is changed"))


def _now(visit: Visit) -> dict[str, Any]:
    name = visit.path["node"]
    view = visit.desk.fleet.registry.node(name)
    shadow, now_ms = overview.shadow_of(view), int(time.time() * 1000)
    row = next((row for row in visit.desk.snapshot().rows if row.summary.node == name), None)
    orders = sorted(visit.desk.orders_of(name), key=lambda order: order.counter, reverse=True)[:10]
    return {
        "node": name, "summary": overview.summarise(view, now_ms), "css": states.css,
        "values": [_value(value) for value in row.values.values()] if row else [],
        "health": health_card.rows(shadow.health, visit.words), "missing": overview.missing(shadow, now_ms),
        "suspicions": overview.alerts(shadow), "update": shadow.update, "release": shadow.release, "orders": orders,
    }  # fmt: skip


def _value(last: LastValue) -> dict[str, Any]:
    flags = [name for name in quality.names(last.flags) if name]
    return {**overview.channel(last), "short": health_card.short(last.quantity), "flags": flags}


def _history(visit: Visit, node_id: int) -> dict[str, Any]:
    sites = {site.site_id: site for site in visit.desk.fleet.registry.sites()}
    fleet, name, now_s = visit.desk.fleet, visit.path["node"], int(time.time())
    since_s = now_s - HEALTH_DAYS * 86_400
    health = plotting.health(visit.desk.alerts.health(name, since_s, now_s), since_s, now_s, visit.words)
    visits, maintenances = fleet.visits.visits(node=name, limit=MOST_ENTRIES), fleet.visits.maintenances(name)
    hung = [(row, sites.get(row.site_id)) for row in visit.desk.deployments(node_id)]
    entries = fleet.audit.entries(subject=name, limit=MOST_ENTRIES)
    working = next((m for m in maintenances if m.since_ms <= now_s * 1000 < m.until_ms), None)
    alerts = visit.desk.alerts.alerts(node=name)
    return {
        "hung": hung, "entries": entries, "visits": visits, "maintenances": maintenances[:5], "working": working,
        "alerts": alerts, "health_plots": health,
    }  # fmt: skip


def _time(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 11 else int(time.time())
