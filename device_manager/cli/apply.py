"""`citynode apply`: the register becomes what files say."""

from pathlib import Path
from typing import Annotated

import typer

from device_manager.cli.output import Data
from device_manager.cli.plan import show


def apply(
    path: Annotated[Path, typer.Argument(help="Directory of TOML or CSV files, or one CSV file.")],
    data: Data = None,
) -> None:
    """Make sites, nodes and groups what such files say.

    A broken file changes nothing. Sites and nodes are never removed. A new node is registered, and gets its identity
    on the bench (`citynode provision`).
    """
    from device_manager import exchange, settings
    from device_manager.fleet import local, open_fleet

    with open_fleet(settings.load(data or settings.default_directory())) as fleet:
        show(exchange.apply(fleet, path, scope=local()))
