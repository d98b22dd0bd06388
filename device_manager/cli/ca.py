"""`citynode ca`: the fleet's certificates."""

import datetime
import time
from typing import Annotated

import typer

from device_manager.cli.output import Data, Json, print_json, print_rows

app = typer.Typer(help="The fleet's certificates.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def revoke(node: Annotated[str, typer.Argument(help="Id of the node.")], data: Data = None) -> None:
    """Revoke all certificates of a node, and end its connection.

    It can only come back with a new certificate.
    """
    from device_manager import app as services
    from device_manager import settings
    from device_manager.fleet import local

    print(services.revoke(settings.load(data or settings.default_directory()), node, scope=local()))


@app.command()
def show(data: Data = None, json: Json = False) -> None:
    """List all certificates that were given out."""
    from device_manager import settings
    from device_manager.identities import Authority

    rows = Authority.open(settings.load(data or settings.default_directory()).identities).issued()
    if json:
        print_json(rows)
        return
    columns = ("name", "purpose", "not_before", "not_after", "serial")
    print_rows(columns, ([row[column] for column in columns] for row in rows))


@app.command()
def forecast(data: Data = None, json: Json = False) -> None:
    """Say what ends when, and which nodes become unreachable by it if nothing is done."""
    from device_manager import settings, upkeep

    ends = upkeep.look_ahead(settings.load(data or settings.default_directory()))
    if json:
        print_json([end._asdict() for end in ends])
        return
    rows = ((_day(end.end_s), end.what, _names(end.nodes), end.remedy) for end in ends)
    print_rows(("date", "ends", "unreachable", "prevented by"), rows)


@app.command()
def renew(node: Annotated[str, typer.Argument(help="Id of the node.")], data: Data = None) -> None:
    """Give a node a new key and certificate through its session.

    It keeps the old ones until the new ones have worked once. The running manager does this by itself at two thirds
    of a certificate's life.
    """
    from device_manager import settings, upkeep
    from device_manager.fleet import local, open_fleet

    found = settings.load(data or settings.default_directory())
    with open_fleet(found) as fleet:
        fleet.registry.node(node)
    order = upkeep.open_orders(found).renew(node, time.time(), scope=local())
    print(f"order {order.counter} for {node} waits; see `citynode order list`")


def _day(time_s: float) -> str:
    return datetime.datetime.fromtimestamp(time_s, datetime.UTC).date().isoformat()


def _names(nodes: tuple[str, ...]) -> str:
    return ", ".join(nodes) if len(nodes) < 4 else f"{len(nodes)} nodes"
