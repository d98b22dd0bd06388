"""The open interfaces as a process: `python -m device_manager.web.open --data DIR`, started by the manager.

What each router gives is made in its own file and put into `routers`; browsers of other sites may read everything. No
cookie is set, and no session known: who asks says so with a token in every request, see `open_access`.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from device_manager import settings as settings_file
from device_manager.twin.admitting import Door
from device_manager.twin.ports import Terms
from device_manager.twin.public import Grain
from device_manager.twin.service import Twin
from device_manager.twin_mirror import mirrored
from device_manager.twin_side import door_of, open_twin, retention
from device_manager.web import metrics, open_page, open_sta
from device_manager.web.open_access import Admission
from device_manager.web.open_desks import Busy, Desks


def routers(desks: Desks, now: Callable[[], float]) -> list[BaseRoute]:
    """Return the routes of all routers; they share the desks."""
    return [*open_sta.routes(desks), *open_page.routes(desks, now)]


def application(
    twin: Twin | Desks, *more: BaseRoute, door: Door | None = None, now: Callable[[], float] = time.time
) -> Starlette:
    """Return the application; `more` are routes that need something else than the twin.

    Without a door there are no tokens, and everybody sees what the public does.
    """
    door = door or Door(list, Grain(), dict)
    desks = twin if isinstance(twin, Desks) else Desks(twin)
    cors = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "HEAD"], allow_headers=["*"])
    return Starlette(
        routes=[*routers(desks, now), *more],
        middleware=[cors, Middleware(Admission, door=door)],
        exception_handlers={Busy: _busy},
    )


async def _busy(_: Request, busy: Exception) -> Response:
    return open_sta.refused(503, str(busy), {"Retry-After": "5"})


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the open interfaces of a data directory until SIGTERM, and keep the mirror."""
    parser = argparse.ArgumentParser(description="Serve the open interfaces.")
    parser.add_argument("--data", type=Path, required=True)
    settings = settings_file.load(parser.parse_args(arguments).data)
    terms = Terms(retention=retention(settings.directory))
    with open_twin(settings.database, terms) as twin, door_of(settings) as door, mirrored(settings):
        made = application(twin, *metrics.routes(settings), door=door)
        uvicorn.run(made, host=settings.twin.host, port=settings.twin.port, log_level="warning")


if __name__ == "__main__":
    main()
