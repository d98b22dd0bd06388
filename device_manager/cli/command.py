"""`citynode node command`: the fixed commands of a node; there is no remote shell."""

import time
from enum import StrEnum
from typing import Annotated

import typer

from device_manager.cli.output import Data, Json, print_json
from device_manager.errors import NodeError


class Name(StrEnum):
    """The commands, see `firmware.health.commands`."""

    HEALTH = "health"
    IDENTIFY = "identify"
    LOG = "log"
    MAINTENANCE = "maintenance"
    REBOOT = "reboot"
    SELF_TEST = "self-test"


def command(
    node: Annotated[str, typer.Argument(help="Id of the node.")],
    name: Annotated[Name, typer.Argument(help="What it shall do.")],
    minutes: Annotated[int | None, typer.Option(min=0, max=1440, help="How long maintenance lasts; 0 ends it.")] = None,
    wait: Annotated[float, typer.Option(min=0, max=600, help="Seconds to wait for the answer.")] = 30,
    data: Data = None,
    json: Json = False,
) -> None:
    """Send a node a command and show its answer.

    health: report now. identify: blink for ten seconds. log: the newest lines of its log. maintenance: flag what it
    measures while somebody works at it. reboot. self-test: what every sensor says. The running manager carries it;
    a command that is not answered within ten minutes has expired.
    """
    from device_manager import settings, upkeep
    from device_manager.fleet import local, open_fleet
    from device_manager.orders.spool import DONE, WAITING

    found = settings.load(data or settings.default_directory())
    with open_fleet(found) as fleet:
        fleet.registry.node(node)
    orders = upkeep.open_orders(found)
    sent = orders.command(node, name.value, time.time(), scope=local(), minutes=minutes)
    answered = orders.wait(sent, wait)
    if json:
        print_json({"node": node, "command": answered.what, "state": answered.state, "lines": answered.lines})
        return
    if answered.state == WAITING:
        print(f"{answered.what} for {node} waits: no answer within {wait:g} s; see `citynode order list`")
        return
    if answered.state != DONE:
        todo = "see `citynode node show`"
        raise NodeError(expected=f"{node} to do {answered.what}", got=answered.reason or answered.state, todo=todo)
    print("\n".join(answered.lines) or f"{node}: {answered.what} done")
