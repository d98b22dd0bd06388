"""`citynode node`: the fleet's nodes."""

import gc
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from device_manager.cli import visiting
from device_manager.cli.command import command
from device_manager.cli.output import Data, Json, age, print_json, print_rows, say, text

if TYPE_CHECKING:
    from device_manager.overview import Summary

app = typer.Typer(help="Nodes: what hangs where, and how it is.", no_args_is_help=True, rich_markup_mode=None)
app.command("command")(command)
app.command("hang")(visiting.hang)
app.command("replace")(visiting.replace)
app.command("tag")(visiting.tag)
app.command("maintain")(visiting.maintain)
_COLUMNS = (
    *("node", "site", "state", "seen", "buffered", "lost", "gaps", "rejected", "alerts", "frames", "B/value"),
    "firmware",
)


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List all nodes."""
    gc.disable()  # a tenth of the time of a long list; the process ends with it
    from device_manager import settings
    from device_manager.listing import summaries

    rows = summaries(settings.load(data or settings.default_directory()), int(time.time() * 1000))
    if json:
        print_json([row._asdict() for row in rows])
        return
    if not rows:
        say("no node is registered; `citynode node add` adds one")
        return
    print_rows(_COLUMNS, map(_cells, rows))


def _cells(row: "Summary") -> list[Any]:
    seen = age(row.age_s)
    counts = (row.buffered, row.lost, row.gaps, row.rejected, row.alerts, row.frames, row.bytes_per_value)
    return [row.node, row.title, row.state, seen, *counts, row.firmware]


@app.command()
def show(node: Annotated[str, typer.Argument(help="Id of the node.")], data: Data = None, json: Json = False) -> None:
    """Show one node: its place, state, rejects and last values."""
    from device_manager import fleet as services
    from device_manager import settings

    with services.open_fleet(settings.load(data or settings.default_directory())) as fleet:
        found = fleet.describe(node, int(time.time() * 1000))
    if json:
        print_json(found)
        return
    _block("", found["node"])
    for alert in found["alerts"]:
        print(f"\nalert, {alert['kind']} ({alert['count']} x, last {alert['last']}): {alert['text']}")
    for gap in found["missing"]:
        since = f"since {gap['since']}" if gap["since"] else "the node no longer has them"
        print(f"\nmissing: records {gap['first']} to {gap['last']} of log {gap['log']}, {since}")
    _block("last health", found["health"])
    _block("not accepted", found["rejects"])
    print()
    columns = ("sensor", "quantity", "value", "unit", "quality", "end")
    print_rows(columns, [[channel[column] for column in columns] for channel in found["channels"]])


def _block(title: str, lines: dict[str, Any]) -> None:
    if title:
        print(f"\n{title}" if lines else f"\n{title}: none")
    for name, value in lines.items():
        print(f"  {name.replace('_', ' '):28} {text(value)}")


@app.command()
def add(
    node: Annotated[str, typer.Argument(help="Id of the new node: 3 to 32 characters of a-z, 0-9 and -.")],
    site: Annotated[str, typer.Option(help="Site where it hangs; see `citynode site list`.")],
    record_seconds: Annotated[int, typer.Option(min=1, max=3600, help="Seconds that one record covers.")] = 60,
    frame_seconds: Annotated[int, typer.Option(min=1, max=86400, help="Seconds after which a frame is sent.")] = 300,
    design: Annotated[str, typer.Option(help="Design of the hardware catalogue: street, plaza or gate.")] = "plaza",
    data: Data = None,
) -> None:
    """Register a virtual node and write its directory.

    `citynode node simulate` switches it on.
    """
    from device_manager import fleet as services
    from device_manager import settings

    with services.open_fleet(settings.load(data or settings.default_directory())) as fleet:
        timing = settings.Timing(record_s=record_seconds, frame_s=frame_seconds)
        where = fleet.registry.site(site)
        directory = fleet.add_virtual_node(node, where, timing, time.time(), design=design, scope=services.local())
    print(f"added {node} ({design}) at {where.title}; its files are in {directory}")


@app.command()
def simulate(
    nodes: Annotated[list[str] | None, typer.Argument(help="Ids of registered nodes.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Instead of ids: the first COUNT virtual nodes.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="End after that time; else Ctrl-C ends.")] = None,
    micropython: Annotated[Path | None, typer.Option(help="MicroPython's unix port, at least 1.25.")] = None,
    data: Data = None,
) -> None:
    """Run virtual nodes against the running manager."""
    from device_manager import app as services
    from device_manager import settings

    services.simulate(
        settings.load(data or settings.default_directory()), nodes or [], count, seconds, micropython, say
    )


@app.command()
def scan(text: Annotated[str, typer.Argument(help="Text of a label's QR code.")], data: Data = None) -> None:
    """Say which node a scanned label belongs to, and where it hangs."""
    from device_manager import fleet as services
    from device_manager import settings
    from device_manager.errors import UsageError
    from provisioning import label

    found = label.scan(text)
    if found is None:
        raise UsageError(expected="citynode:1: and a node id", got=text[:60], todo="scan the code on the node's box")
    with services.open_fleet(settings.load(data or settings.default_directory())) as fleet:
        view = fleet.registry.node(found)
    site = view.site
    print_rows(
        ("node", "admission", "site", "title"), [(found, view.admission, *(site[1:3] if site else (None, None)))]
    )
