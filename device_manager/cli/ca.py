"""`citynode ca`: the fleet's certificates."""

import datetime
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from device_manager.cli.output import Data, Json, print_json, print_rows

app = typer.Typer(help="The fleet's certificates.", no_args_is_help=True, rich_markup_mode=None)
roll_app = typer.Typer(help="Roll-over to a new root.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(roll_app, name="roll")


class Role(StrEnum):
    """What an account may do, see `identities.authority.ACCOUNTS`."""

    TWIN = "twin"
    INGEST = "ingest"


@app.command()
def revoke(node: Annotated[str, typer.Argument(help="Id of the node.")], data: Data = None) -> None:
    """Revoke all certificates of a node or account, and end its connection.

    It can only come back with a new certificate.
    """
    from device_manager import app as services
    from device_manager import settings
    from device_manager.fleet import local

    print(services.revoke(settings.load(data or settings.default_directory()), node, scope=local()))


@app.command()
def status(data: Data = None, json: Json = False) -> None:
    """Say which root and issuer hold, whether the root's key is here, and where each node stands in a roll-over."""
    from device_manager import rolling_over, settings
    from device_manager.identities import Authority
    from device_manager.identities.anchors import end_s

    found = settings.load(data or settings.default_directory())
    held = Authority.open(found.identities).anchors
    nodes = rolling_over.standing(found)
    facts = {
        "root": held.root.subject.rfc4514_string(),
        "root ends": _day(end_s(held.root)),
        "root's key": "here" if (found.identities / "ca.key").exists() else "offline",
        "issuer": held.issuer.certificate.subject.rfc4514_string(),
        "issuer ends": _day(end_s(held.issuer.certificate)),
        "roll-over": "under way" if held.old else "none",
    }
    if json:
        print_json({**facts, "nodes": [row._asdict() for row in nodes]})
        return
    print_rows(("what", "is"), list(facts.items()))
    if nodes:
        print_rows(("node", "trusts the present roots", "reason"), nodes)


@app.command()
def offline(
    directory: Annotated[Path, typer.Argument(help="Existing directory on the medium that goes into the safe.")],
    data: Data = None,
) -> None:
    """Move the root's key, and the spare key that signs orders, away from this machine.

    Everyday work needs the issuer's key only. A new issuer needs the root's key back in identities/.
    """
    from device_manager import settings
    from device_manager.identities import anchors

    for path in anchors.take_offline(settings.load(data or settings.default_directory()).identities, directory):
        print(f"moved to {path}")


@app.command()
def issuer(data: Data = None) -> None:
    """Let the root sign the issuer again, which then ends later.

    The running manager does this by itself when the root's key is here and two thirds of the issuer's life are over.
    """
    from device_manager import settings
    from device_manager.identities import anchors

    found = settings.load(data or settings.default_directory())
    made = anchors.sign_issuer_again(found.identities, time.time())
    print(f"{made.subject.rfc4514_string()} ends on {_day(anchors.end_s(made))}; the next start of the broker uses it")


@app.command()
def account(
    role: Annotated[Role, typer.Argument(help="twin: reads what nodes send. ingest: an ingest worker.")],
    name: Annotated[str, typer.Argument(help="Name of the account: 3 to 32 of a-z, 0-9 and -.")],
    data: Data = None,
) -> None:
    """Give a consumer of telemetry or an ingest worker an identity of its own; `ca revoke` takes it back."""
    from device_manager import app as services
    from device_manager import settings
    from device_manager.fleet import local

    found = settings.load(data or settings.default_directory())
    for path in services.add_account(found, role.value, name, scope=local()):
        print(path)


@roll_app.command("start")
def roll_start(data: Data = None) -> None:
    """Put a new root and issuer beside the old ones, while no manager runs.

    The next `citynode serve` orders every node to trust both; `citynode ca status` shows how far that is.
    """
    from device_manager import rolling_over, settings
    from device_manager.fleet import local

    rolling_over.start(settings.load(data or settings.default_directory()), time.time(), scope=local())
    print("a new root is beside the old one; next: `citynode serve`, then `citynode ca status`")


@roll_app.command("finish")
def roll_finish(
    without: Annotated[list[str] | None, typer.Option(help="Node that is left behind; may be given again.")] = None,
    data: Data = None,
) -> None:
    """Forget the old root, while no manager runs and once every node trusts the new one."""
    from device_manager import rolling_over, settings
    from device_manager.fleet import local

    found = settings.load(data or settings.default_directory())
    rolling_over.finish(found, time.time(), scope=local(), without=tuple(without or ()))
    print("the old root is forgotten; next: `citynode serve`, and give consumers the new identities/ca.crt")


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
