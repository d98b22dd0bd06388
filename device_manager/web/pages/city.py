"""The map of the city: where every node hangs, how it is, and what it measures now."""

from typing import Any

from starlette.responses import Response

from device_manager.front_desk import Row
from device_manager.overview import number
from device_manager.web import cartography, states
from device_manager.web.cartography import Frame
from device_manager.web.visit import Visit

SHOWN = ("pm2_5", "pm10", "temperature", "relative_humidity", "laeq", "footfall_in", "co2", "voc_index")
MOST_LISTED = 12
MOST_LABELS = 60


def page(visit: Visit) -> Response:
    """Show the map with everything beside it."""
    return visit.page("city.html", **_found(visit), **_base(visit), quantities=_quantities(visit))


def markers(visit: Visit) -> Response:
    """Show the nodes, for a map that is open already."""
    return visit.fragment("city_markers.html", **_found(visit))


def panel(visit: Visit) -> Response:
    """Show what needs attention, for a map that is open already."""
    return visit.fragment("city_panel.html", **_found(visit))


def _found(visit: Visit) -> dict[str, Any]:
    snapshot = visit.desk.snapshot()
    frame, quantity = _frame(snapshot.rows), visit.query.get("show", "")
    placed = [_marker(row, frame, quantity) for row in snapshot.rows if row.site]
    return {
        "frame": frame,
        "markers": placed,
        "labels": len(placed) <= MOST_LABELS,
        "quantity": quantity if quantity in _known(visit) else "",
        "faulty": states.by_urgency([row for row in snapshot.rows if states.is_faulty(row)]),
        "most": MOST_LISTED,
        "counts": states.counts(snapshot.rows),
        "why": _open_alerts(visit),
        "css": states.css,
        "shown": states.shown,
        "number": number,
    }


def _open_alerts(visit: Visit) -> dict[str, str]:
    """Return the title of each node's worst open alert."""
    return {node: alert.title for alert in reversed(visit.desk.alerts.alerts()) for node in alert.nodes}


def _marker(row: Row, frame: Frame, quantity: str) -> dict[str, Any]:
    assert row.site is not None
    x, y = cartography.project(row.site.latitude, row.site.longitude)
    last = row.values.get(quantity)
    value = None if last is None else number(last)
    return {
        "row": row, "state": states.shown(row), "x": round(x - frame.x, 1), "y": round(y - frame.y, 1), "value": value,
        "unit": last.unit if last else "", "faulty": states.is_faulty(row),
    }  # fmt: skip


def _base(visit: Visit) -> dict[str, Any]:
    frame, web = _frame(visit.desk.snapshot().rows), visit.desk.settings.web
    districts, rivers = cartography.base()
    tiles = (
        [(web.tiles.format(z=t.z, x=t.column, y=t.row), t.frame) for t in cartography.tiles(frame)] if web.tiles else []
    )
    return {"districts": districts, "rivers": rivers, "tiles": tiles, "credit": web.tiles_credit}


def _frame(rows: tuple[Row, ...]) -> Frame:
    places = {cartography.project(row.site.latitude, row.site.longitude) for row in rows if row.site}
    return cartography.around(places or {cartography.project(47.7267, 10.3168)})


def _known(visit: Visit) -> set[str]:
    return {name for row in visit.desk.snapshot().rows for name in row.values}


def _quantities(visit: Visit) -> list[tuple[str, str]]:
    from hardware.catalog import quantities

    known = _known(visit)
    return [(name, quantities()[name].title) for name in SHOWN if name in known]
