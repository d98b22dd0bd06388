"""The bench: how far each board is on its way to being a node. Provisioning runs where the boards are plugged in."""

from typing import Any

from starlette.responses import Response

from device_manager.web.visit import Visit


def page(visit: Visit) -> Response:
    """Show the boards, the newest first."""
    return visit.page("bench.html", **_found(visit))


def rows(visit: Visit) -> Response:
    """Show the boards, for a page that is open already."""
    return visit.fragment("bench_rows.html", **_found(visit))


def _found(visit: Visit) -> dict[str, Any]:
    boards = visit.desk.boards()
    return {"boards": boards, "steps": visit.desk.bench_steps}
