"""`citynode web`: the dashboard alone, beside a manager or without one."""

from dataclasses import replace
from typing import Annotated

import typer

from device_manager.cli.output import Data, say


def web(
    writable: Annotated[
        bool, typer.Option("--writable", help="Without users, on loopback only: let everybody change things.")
    ] = False,
    data: Data = None,
) -> None:
    """Run the dashboard until Ctrl-C.

    It listens where [web] in settings.toml says. Without users it is for this machine only, and read-only.
    """
    from device_manager import settings
    from device_manager.web import dashboard

    found = settings.load(data or settings.default_directory())
    if writable:
        found = replace(found, web=replace(found.web, writable=True))
    say(f"dashboard on http://{found.web.host}:{found.web.port}")
    dashboard.run(found)
