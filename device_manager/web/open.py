"""The open interfaces as a process: `python -m device_manager.web.open --data DIR`, started by the manager.

What each router gives is made in its own file and put into `routers`; browsers of other sites may read everything.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute

from device_manager import settings as settings_file
from device_manager.twin.ports import Terms
from device_manager.twin.service import Twin
from device_manager.twin_side import open_twin, retention
from device_manager.web import metrics, open_sta


def routers(twin: Twin) -> list[BaseRoute]:
    """Return the routes of all routers."""
    return [*open_sta.routes(twin)]


def application(twin: Twin, *more: BaseRoute) -> Starlette:
    """Return the application; `more` are routes that need something else than the twin."""
    cors = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "HEAD"], allow_headers=["*"])
    return Starlette(routes=[*routers(twin), *more], middleware=[cors])


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the open interfaces of a data directory until SIGTERM."""
    parser = argparse.ArgumentParser(description="Serve the open interfaces.")
    parser.add_argument("--data", type=Path, required=True)
    settings = settings_file.load(parser.parse_args(arguments).data)
    with open_twin(settings.database, Terms(retention=retention(settings.directory))) as twin:
        made = application(twin, *metrics.routes(settings))
        uvicorn.run(made, host=settings.twin.host, port=settings.twin.port, log_level="warning")


if __name__ == "__main__":
    main()
