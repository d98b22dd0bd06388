"""Releases: what can be offered, who runs it, and what an admin may do with it. Building is for the command line."""

import time

from starlette.responses import Response

from device_manager.overview import shadow_of
from device_manager.web.visit import Visit, number


def page(visit: Visit) -> Response:
    """Show all releases, the newest first, with how many nodes say they run each."""
    shelf, running = (
        visit.desk.releases().shelf,
        [shadow_of(view).release for view in visit.desk.fleet.registry.nodes()],
    )
    rows = [(release, running.count(release.number)) for release in map(shelf.load, reversed(shelf.numbers()))]
    return visit.page("releases.html", rows=rows, now_s=time.time(), others=running.count(0) + running.count(None))


def offer(visit: Visit) -> Response:
    """Sign the offer of a release anew."""
    release = visit.desk.releases().offer(_number(visit), scope=visit.scope)
    return visit.see("/releases", visit.words("Release {number} can be offered again", number=release.number))


def again(visit: Visit) -> Response:
    """Sign an old release under a new number."""
    release = visit.desk.releases().again(_number(visit), scope=visit.scope)
    return visit.see("/releases", visit.words("It is release {number} now", number=release.number))


def retire(visit: Visit) -> Response:
    """Offer a release to nobody any more."""
    release = visit.desk.releases().retire(_number(visit), visit.field("why"), scope=visit.scope)
    return visit.see("/releases", visit.words("Release {number} is retired", number=release.number))


def _number(visit: Visit) -> int:
    return number(visit.field("number"), "a release")
