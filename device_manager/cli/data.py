"""`citynode data`: readings, on the screen and as files."""

import re
import sys
import time
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from device_manager.cli.output import Data, Json, print_json, print_rows, say
from device_manager.errors import UsageError

if TYPE_CHECKING:
    from device_manager.readings import Selection

app = typer.Typer(help="Readings: on the screen and as files.", no_args_is_help=True, rich_markup_mode=None)
Node = Annotated[str | None, typer.Option(help="Only this node.")]
Site = Annotated[str | None, typer.Option(help="Only this site, whichever node hangs there.")]
Quantity = Annotated[str | None, typer.Option(help="Only this quantity, for example pm2_5.")]
Since = Annotated[str | None, typer.Option(help="From then on: 30min, 6h, 7d ago, or a time like 2026-03-01T12:00Z.")]
Until = Annotated[str | None, typer.Option(help="Before then; as --since.")]
_SHOWN = ("end", "node", "site", "sensor", "quantity", "value", "unit", "quality")
_UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_FOLLOW_S = 1.0


class Format(StrEnum):
    """File formats of an export."""

    csv = "csv"
    jsonl = "jsonl"
    parquet = "parquet"


@app.command()
def tail(
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, help="How many readings.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    node: Node = None,
    site: Site = None,
    quantity: Quantity = None,
    since: Since = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show the last readings that were committed."""
    from device_manager import fleet as services
    from device_manager import settings

    selection = _selection(node, site, quantity, since, None)
    with services.open_fleet(settings.load(data or settings.default_directory())) as fleet:
        _, number = fleet.readings.follow(selection, fleet.reader.head_number())
        found = fleet.readings.tail(selection, rows)
        if not follow:
            print_json(found) if json else print_rows(_SHOWN, ([row[name] for name in _SHOWN] for row in found))
            return
        _lines(found, json)
        while True:
            time.sleep(_FOLLOW_S)
            found, number = fleet.readings.follow(selection, number)
            _lines(found, json)


@app.command()
def export(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; else standard output.")] = None,
    form: Annotated[Format | None, typer.Option("--format", help="Else by the file's ending, else csv.")] = None,
    node: Node = None,
    site: Site = None,
    quantity: Quantity = None,
    since: Since = None,
    until: Until = None,
    data: Data = None,
) -> None:
    """Write readings as CSV, JSON lines or Parquet."""
    from device_manager import fleet as services
    from device_manager import settings

    chosen = _format(form, output)
    selection = _selection(node, site, quantity, since, until)
    with services.open_fleet(settings.load(data or settings.default_directory())) as fleet:
        if output is None:
            fleet.readings.export(selection, chosen, sys.stdout.buffer if chosen == "parquet" else sys.stdout)
            return
        count = fleet.readings.export_file(selection, chosen, output)
    say(f"wrote {count} readings to {output}")


def moment(text: str, now_s: float) -> int:
    """Return Unix seconds of "30min", "6h", "7d" before now, or of an ISO 8601 time (local when it names no zone)."""
    ago = re.fullmatch(r"(\d{1,9})\s*(s|min|h|d|w)", text.strip())
    if ago:
        return int(now_s) - int(ago[1]) * _UNITS_S[ago[2]]
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError, OSError):
        todo = "write 30min, 6h, 7d or 2026-03-01T12:00Z"
        raise UsageError(expected="a time", got=repr(text), todo=todo) from None


def _selection(
    node: str | None, site: str | None, quantity: str | None, since: str | None, until: str | None
) -> "Selection":
    from device_manager.readings import Selection

    now_s = time.time()
    since_s = moment(since, now_s) if since else None
    return Selection(node, site, quantity, since_s, moment(until, now_s) if until else None)


def _format(form: Format | None, output: Path | None) -> str:
    ending = output.suffix.lstrip(".") if output else "csv"
    chosen = form.value if form else ending
    if chosen not in Format.__members__:
        todo = "name the format with --format csv, jsonl or parquet"
        raise UsageError(expected="a file ending in .csv, .jsonl or .parquet", got=str(output), todo=todo)
    if chosen == "parquet" and output is None and sys.stdout.isatty():
        todo = "name a file with --output, or use a pipe"
        raise UsageError(expected="a file for Parquet", got="a terminal", todo=todo)
    return chosen


def _lines(rows: list[dict[str, Any]], json: bool) -> None:
    from json import dumps

    for row in rows:
        print(dumps(row, ensure_ascii=False) if json else "\t".join(str(row[name]) for name in _SHOWN), flush=True)
