"""The table of commands. The module of a command is loaded when the command is called, so that `--help` stays fast.

A command NAME is `cli/NAME.py` ("-" is "_" there): a group has `app`, a command alone has a function of its name. To
add one, write that file and a line here; a test holds the words of the line and of the file together.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS = {
    "demo": "Run a whole fleet on this machine and show its readings.",
    "init": "Make the data directory of a fleet.",
    "web": "Run the dashboard until Ctrl-C.",
    "user": "People who may sign in to the dashboard.",
    "audit": "Audit log: who did what, and when.",
    "serve": "Run the manager until Ctrl-C or SIGTERM.",
    "ingest": "Run ingest workers until Ctrl-C or SIGTERM.",
    "load": "Load a broker with simulated nodes and say how it went.",
    "provision": "Make boards nodes of the fleet: flash, install, identity, self-test, first contact,"
    " acceptance, label.",
    "bench": "Run virtual boards: serial ports that answer esptool and mpremote, and become virtual nodes.",
    "label": "Print labels with site, id and QR code: one as SVG or PNG, or a sheet of many as PDF.",
    "image": "MicroPython images that boards are flashed with.",
    "broker": "The broker that nodes connect to.",
    "ca": "The fleet's certificates.",
    "node": "Nodes: what hangs where, and how it is.",
    "alert": "Alerts: what is wrong in the fleet, and what to do about it.",
    "quality": "Show how good each channel's readings are, and why.",
    "watch": "Watch the fleet in the terminal, live.",
    "order": "Signed orders to nodes.",
    "release": "Releases that nodes can be updated to.",
    "rollout": "Rollouts: groups of nodes moved to a release, stage by stage.",
    "key": "The keys that sign releases.",
    "site": "Sites: the places that readings belong to.",
    "group": "Groups of nodes: by list or by question.",
    "export": "Write sites, nodes and groups as files that git can compare.",
    "plan": "Show what applying such files would change.",
    "apply": "Make sites, nodes and groups what such files say.",
    "data": "Readings: on the screen and as files.",
    "twin": "Consumers: tokens, exports, pushes, check.",
    "calibration": "Calibrations: how readings are corrected.",
    "store": "Store: the database and what is derived.",
    "hardware": "Hardware: boards, sensors, node designs, wiring, parts and power.",
}
"""Every command and group with the first sentence of its help, in the order of `citynode --help`."""


def load(name: str) -> TyperCommand | TyperGroup:
    """Return the command or group of COMMANDS, its module loaded."""
    attribute = name.replace("-", "_")
    module = import_module(f"device_manager.cli.{attribute}")
    root = typer.Typer(add_completion=False, rich_markup_mode=None)
    root.callback()(_nothing)  # so that typer makes a group of a single command too
    if hasattr(module, "app"):
        root.add_typer(module.app, name=name)
    else:
        root.command(name)(getattr(module, attribute))
    made = typer.main.get_group(root).commands[name]
    if not isinstance(made, TyperCommand | TyperGroup):
        raise TypeError(f"expected a command in {module.__name__}, got {type(made).__name__}; see cli/lazy.py")
    return made


def _nothing() -> None:
    return


class LazyGroup(TyperGroup):
    """The root: knows all names, and loads what is called. The contexts are typer's own, which it does not export."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name, help=words) for name, words in COMMANDS.items()}  # for help and typos

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:
        """Return the command of that name, None if there is none."""
        return load(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the names and their sentences, without loading anything."""
        limit = formatter.width - 6 - max(map(len, COMMANDS))
        rows = [(name, command.get_short_help_str(limit)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
