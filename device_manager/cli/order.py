"""`citynode order`: signed orders to nodes."""

import os
import sys
import time
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from device_manager.cli.output import Data, Json, print_json, print_rows
from device_manager.errors import UsageError

app = typer.Typer(help="Signed orders to nodes.", no_args_is_help=True, rich_markup_mode=None)
Node = Annotated[str, typer.Argument(help="Id of the node.")]
Within = Annotated[int, typer.Option(min=30, max=3600, help="Seconds until the node takes it back by itself.")]
VARIABLE = "CITYNODE_WIFI_PASSWORD"


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List all orders and what became of them."""
    from device_manager import settings
    from device_manager.orders import Spool

    orders = Spool(settings.load(data or settings.default_directory()).orders).orders()
    columns = ("node", "number", "what", "by", "state", "reason")
    rows = [(o.node, o.counter, o.what, o.actor, o.state, o.reason) for o in orders]
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print_rows(columns, rows)


@app.command()
def wifi(
    node: Node,
    ssid: Annotated[str, typer.Option(help="Name of the network; its password is asked for.")],
    within_seconds: Within = 180,
    data: Data = None,
) -> None:
    """Move a node to another Wi-Fi network.

    It goes back by itself when it does not reach the manager there. The password is asked for, or comes from
    CITYNODE_WIFI_PASSWORD.
    """
    _change(node, f"wifi {ssid}", {"wifi": {"ssid": ssid, "password": _password()}}, within_seconds, data)


@app.command()
def broker(
    node: Node,
    host: Annotated[str, typer.Option(help="Address of the broker, as the node reaches it.")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the broker.")] = 8883,
    server_name: Annotated[str, typer.Option(help="Name in the broker's certificate.")] = "citynode-broker",
    within_seconds: Within = 180,
    data: Data = None,
) -> None:
    """Move a node to another address of the broker.

    It goes back by itself when it does not reach the manager there.
    """
    brokers = [{"host": host, "port": port, "server_name": server_name}]
    _change(node, f"broker {host}:{port}", {"brokers": brokers}, within_seconds, data)


@app.command()
def shard(
    node: Node,
    name: Annotated[str, typer.Argument(help="Name of the broker in [shards] of settings.toml, or `main`.")],
    within_seconds: Within = 180,
    data: Data = None,
) -> None:
    """Move a node to another broker of the fleet.

    It goes back by itself when it does not reach the manager there.
    """
    from device_manager import settings

    found = settings.load(data or settings.default_directory())
    at = found.broker if name == "main" else found.shard(name)
    brokers = [{"host": at.host, "port": at.port, "server_name": found.broker.server_name}]
    _change(node, f"shard {name}, broker {at.host}:{at.port}", {"brokers": brokers}, within_seconds, data)


@app.command()
def timing(
    node: Node,
    record_seconds: Annotated[int | None, typer.Option(min=1, max=3600, help="Seconds that one record covers.")] = None,
    frame_seconds: Annotated[int | None, typer.Option(min=1, max=86400, help="Seconds until a frame is sent.")] = None,
    within_seconds: Within = 180,
    data: Data = None,
) -> None:
    """Give a node other intervals.

    It goes back by itself when it does not reach the manager with them.
    """
    given = {"record_s": record_seconds, "frame_s": frame_seconds}
    parts: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    if not parts:
        raise UsageError(expected="an interval", got="none", todo="name --record-seconds or --frame-seconds")
    what = ", ".join(f"{name} {value}" for name, value in parts.items())
    _change(node, f"timing {what}", {"timing": parts}, within_seconds, data)


@app.command()
def deny(
    node: Node,
    certificate: Annotated[list[Path], typer.Option(help="Certificate (PEM or DER) that no broker may show any more.")],
    within_seconds: Within = 180,
    data: Data = None,
) -> None:
    """Have a node refuse brokers that show one of these certificates; replaces the list that it has.

    For a broker whose key was stolen: nodes have no list of revoked certificates.
    """
    from device_manager.identities.certificates import fingerprint

    sums = [fingerprint(path) for path in certificate]
    what = f"deny {', '.join(found.hex()[:16] for found in sums)}"
    _change(node, what, {"denied": sums}, within_seconds, data)


@app.command()
def decommission(
    node: Node,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
) -> None:
    """Have a node wipe itself: settings, keys, certificates and readings that were not delivered.

    What it delivered is kept. Once it has answered, the running manager revokes its certificates.
    """
    from device_manager import settings, upkeep
    from device_manager.fleet import local, open_fleet

    found = settings.load(data or settings.default_directory())
    with open_fleet(found) as fleet:
        fleet.registry.node(node)
    if not yes:
        typer.confirm(f"wipe {node}? It must be provisioned again afterwards", abort=True)
    order = upkeep.open_orders(found).decommission(node, time.time(), scope=local())
    print(f"order {order.counter} for {node} waits; see `citynode order list`")


def _change(node: str, what: str, parts: dict[str, object], within_s: int, data: Data) -> None:
    from device_manager import settings, upkeep
    from device_manager.fleet import local, open_fleet

    found = settings.load(data or settings.default_directory())
    with open_fleet(found) as fleet:
        fleet.registry.node(node)
    order = upkeep.open_orders(found).change(node, what, parts, time.time(), scope=local(), within_s=within_s)
    print(f"order {order.counter} for {node} waits; see `citynode order list`")


def _password() -> str:
    found = os.environ.get(VARIABLE) or (getpass("password of the network: ") if sys.stdin.isatty() else "")
    if not found:
        raise UsageError(expected="the password of the network", got="none", todo=f"set {VARIABLE}")
    return found
