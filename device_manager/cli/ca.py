"""`citynode ca`: the fleet's certificates."""

from typing import Annotated

import typer

from device_manager.cli.output import Data

app = typer.Typer(help="The fleet's certificates.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Keep `revoke` a command of its own: typer would make the only command the group."""


@app.command()
def revoke(node: Annotated[str, typer.Argument(help="Id of the node.")], data: Data = None) -> None:
    """Revoke all certificates of a node, and end its connection.

    It can only come back with a new certificate.
    """
    from device_manager import app as services
    from device_manager import settings
    from device_manager.fleet import local

    print(services.revoke(settings.load(data or settings.default_directory()), node, scope=local()))
