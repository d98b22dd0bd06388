"""`citynode provision`: from bare boards to accepted nodes."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from device_manager.cli.output import Data, Json, print_json, print_rows, say
from device_manager.errors import UsageError

if TYPE_CHECKING:
    from provisioning.runner import Order, Workshop
    from provisioning.self_test import Reading

PASSWORD_VARIABLE = "CITYNODE_WIFI_PASSWORD"


def provision(
    site: Annotated[str, typer.Option(help="Site where it will hang; see `citynode site list`.")],
    design: Annotated[str, typer.Option(help="What it is built as; see `citynode hardware list`.")],
    port: Annotated[list[str] | None, typer.Option(help="Serial port; may be given several times.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All boards that are plugged in, at once.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
    node: Annotated[str | None, typer.Option(help="Id of the node; else one that follows from its MAC.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what an earlier run did to the board.")] = False,
    wifi: Annotated[str, typer.Option(help="Name of the Wi-Fi that the node joins.")] = "citynode",
    broker_host: Annotated[str, typer.Option(help="This machine's address as nodes see it.")] = "",
    record_seconds: Annotated[int, typer.Option(min=1, max=3600, help="Seconds that one record covers.")] = 60,
    frame_seconds: Annotated[int, typer.Option(min=1, max=86400, help="Seconds after which a frame is sent.")] = 300,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make boards nodes of the fleet: flash, install, identity, self-test, first contact, acceptance, label.

    A run that was broken off goes on where it was when the same command is given again. The Wi-Fi's password is asked
    for, or read from CITYNODE_WIFI_PASSWORD.
    """
    from device_manager import bench, settings
    from provisioning import ports as plugged
    from provisioning.runner import Order

    chosen_settings = settings.load(data or settings.default_directory())
    found = _chosen(port or [], every, plugged.find(chosen_settings.directory))
    if node and len(found) > 1:
        raise UsageError(expected="one board for --node", got=f"{len(found)} boards", todo="leave --node out")
    virtual = all(plugged.is_virtual(one) for one in found)
    reach = bench.Wifi(wifi, "" if dry_run else _password(virtual), broker_host)
    timing = settings.Timing(record_s=record_seconds, frame_s=frame_seconds)
    order = Order(site, bench.find_design(design), node, fresh)
    with bench.open_workshop(chosen_settings, reach, timing, virtual=virtual) as workshop:
        if dry_run:
            _show_plans(found, order, workshop, json)
            return
        _provision(found, order, workshop, json)


def _chosen(named: list[str], every: bool, plugged: list[str]) -> list[str]:
    if named and every:
        raise UsageError(expected="--port or --all", got="both", todo="leave one out")
    if named:
        return named
    if not plugged:
        todo = "plug one in, hold BOOT if it has no port, or try `citynode bench`"
        raise UsageError(expected="a board that is plugged in", got="no serial port of one", todo=todo)
    if len(plugged) > 1 and not every:
        raise UsageError(expected="one board", got=", ".join(plugged), todo="name one with --port, or take --all")
    return plugged


def _password(virtual: bool) -> str:
    known = os.environ.get(PASSWORD_VARIABLE)
    if known is not None or virtual:
        return known or "virtual"
    return str(typer.prompt("Wi-Fi password", hide_input=True, err=True))


def _show_plans(ports: list[str], order: "Order", workshop: "Workshop", json: bool) -> None:
    from dataclasses import asdict

    from provisioning import runner

    plans = {port: runner.preview(port, order, workshop) for port in ports}
    if json:
        print_json({port: [asdict(step) for step in steps] for port, steps in plans.items()})
        return
    rows = [(port, step.name, "done" if step.done else "to do", step.text) for port in ports for step in plans[port]]
    print_rows(("port", "step", "", "what"), rows)


def _provision(ports: list[str], order: "Order", workshop: "Workshop", json: bool) -> None:
    from provisioning import runner

    screen = _Lines() if json or not sys.stderr.isatty() else _Rows(ports)
    with screen:
        outcomes = runner.provision_all(ports, order, workshop, screen.report)
    if json:
        print_json([{"port": o.port, "node": o.node, "error": o.error, "readings": o.readings} for o in outcomes])
    else:
        columns = ("node", "sensor", "quantity", "value", "unit", "limits")
        print_rows(columns, [_reading(o.node, row) for o in outcomes for row in o.readings])
    for outcome in outcomes:
        say(f"{_short(outcome.port)}: {f'{outcome.node} accepted' if outcome.node else outcome.error}")
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(1)


def _reading(node: str | None, row: "Reading") -> tuple[object, ...]:
    limits = f"{row.limits[0]:g} to {row.limits[1]:g}" if row.limits else None
    return node, row.sensor, row.quantity, row.value, row.unit, limits


def _short(port: str) -> str:
    path = Path(port)
    return path.parent.name if path.name == "port" else port


class _Lines:
    """A line for each step, where there is no terminal."""

    def __enter__(self) -> "_Lines":
        self._last: dict[str, str] = {}
        return self

    def __exit__(self, *_: object) -> None:
        return

    def report(self, port: str, step: str, text: str) -> None:
        if self._last.get(port) != step:
            say(f"{_short(port)}  {step:10} {text}")
        self._last[port] = step


class _Rows:
    """One row for each board, drawn again in place."""

    def __init__(self, ports: list[str]) -> None:
        from rich.console import Console
        from rich.live import Live

        self._rows = {port: ("waiting", "") for port in ports}
        self._live = Live(console=Console(stderr=True, highlight=False), refresh_per_second=4)

    def __enter__(self) -> "_Rows":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def report(self, port: str, step: str, text: str) -> None:
        from device_manager.cli.output import table

        self._rows[port] = (step, text)
        self._live.update(table(("board", "step", ""), [(_short(one), *row) for one, row in self._rows.items()]))
