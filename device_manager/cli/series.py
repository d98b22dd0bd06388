"""What the commands about series share: times, grains, and pictures."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from device_manager.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from device_manager.charting import Series

SiteName = Annotated[str, typer.Argument(help="Site, see `citynode site list`.")]
QuantityName = Annotated[str, typer.Argument(help="Quantity, for example pm2_5.")]
Grain = Annotated[str, typer.Option("--grain", "-g", help="One of raw, corrected, 15min, 1h, 1d, noise_day.")]
Since = Annotated[str, typer.Option(help="From then on: 30min, 6h, 7d ago, or a time like 2026-03-01T12:00Z.")]
Until = Annotated[str | None, typer.Option(help="Before then; as --since. Else now.")]
Picture = Annotated[Path | None, typer.Option("--output", "-o", help="File to write, .png or .svg; else the terminal.")]
FOR_EVER_S = 1 << 36


def window(since: str, until: str | None) -> tuple[int, int]:
    """Return begin and end in Unix seconds; the end of now lies a day ahead, as far as a node's clock may run."""
    from device_manager.cli.data import moment

    now_s = time.time()
    since_s = moment(since, now_s)
    until_s = moment(until, now_s) if until else int(now_s) + 86_400
    if until_s <= since_s:
        raise UsageError(expected="an end after the begin", got=f"{since} to {until or 'now'}", todo="swap them")
    return since_s, until_s


def none_found(site: str, quantity: str, grain: str) -> UsageError:
    """Return what to say when a selection holds nothing."""
    todo = "try a longer time (--since), or see `citynode data tail --site " + site + "`"
    return UsageError(expected=f"values of {quantity} at {site} ({grain})", got="none in that time", todo=todo)


def draw(found: "Sequence[Series]", title: str, zone: "ZoneInfo", output: Path | None) -> None:
    """Print a picture, or write it to a file."""
    import shutil

    from device_manager import plots

    curves = [plots.Curve(f"{series.node} {series.sensor}", series.start_s, series.usable()) for series in found]
    unit = found[0].unit
    if output is None:
        columns, rows = shutil.get_terminal_size((100, 30))
        print(plots.in_terminal(curves, title, unit, zone, (min(columns, 160), max(12, min(rows - 2, 28)))))
    else:
        plots.to_file(curves, title, unit, zone, output)


def printable(row: dict[str, Any], columns: "Sequence[str]") -> list[Any]:
    """Return a row's cells; values with as many digits as mean something."""
    return [f"{row[name]:.6g}" if isinstance(row[name], float) else row[name] for name in columns]
