"""`citynode data`: readings, on the screen and as files."""

import re
import sys
import time
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from device_manager.cli import series
from device_manager.cli.output import Data, Json, print_json, print_rows, say
from device_manager.errors import UsageError

if TYPE_CHECKING:
    from device_manager.readings import Selection
    from device_manager.settings import Settings

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
def show(
    site: series.SiteName,
    quantity: series.QuantityName,
    grain: series.Grain = "corrected",
    since: series.Since = "24h",
    until: series.Until = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show a quantity at a site: raw, corrected or rolled up."""
    from device_manager import charting, measurements, settings

    window = series.window(since, until)
    with measurements.open_measurements(settings.load(data or settings.default_directory())) as found:
        rows = [row for s in found.charting.series(site, quantity, grain, *window) for row in charting.objects(site, s)]
    if not rows:
        raise series.none_found(site, quantity, grain)
    hidden = ("site", "quantity")
    columns = [name for name in rows[0] if name not in hidden]
    print_json(rows) if json else print_rows(columns, (series.printable(row, columns) for row in rows))


@app.command()
def plot(
    site: series.SiteName,
    quantity: series.QuantityName,
    grain: series.Grain = "corrected",
    since: series.Since = "24h",
    until: series.Until = None,
    output: series.Picture = None,
    data: Data = None,
) -> None:
    """Draw a quantity at a site in the terminal, or as PNG or SVG."""
    from device_manager import measurements, settings
    from device_manager.series.calendar import zone

    window = series.window(since, until)
    with measurements.open_measurements(settings.load(data or settings.default_directory())) as found:
        place = found.charting.site(site)
        lines = [line for line in found.charting.series(site, quantity, grain, *window) if len(line)]
    if not lines:
        raise series.none_found(site, quantity, grain)
    series.draw(lines, f"{quantity} at {place.title} ({grain})", zone(place.zone), output)
    if output:
        say(f"wrote {output}")


@app.command()
def invalidate(
    site: series.SiteName,
    since: Annotated[str, typer.Option(help="Begin: 6h ago, or a time like 2026-03-01T12:00Z.")],
    until: Annotated[str, typer.Option(help="End, as --since.")],
    reason: Annotated[str, typer.Option(help="Why, for everybody who reads the data later.")],
    quantity: Quantity = None,
    data: Data = None,
) -> None:
    """Say that nobody shall calculate with a period of a site; the readings stay, marked."""
    from device_manager import fleet, measurements, settings

    since_s, until_s = series.window(since, until)
    with measurements.open_measurements(settings.load(data or settings.default_directory())) as found:
        now_ms = int(time.time() * 1000)
        number = found.judging.invalidate(site, quantity, since_s, until_s, reason, now_ms, scope=fleet.local())
    print(f"invalidation {number} holds")


@app.command()
def invalidations(data: Data = None, json: Json = False) -> None:
    """List all invalidations, those that were taken back too."""
    from device_manager import measurements, settings

    with measurements.open_measurements(settings.load(data or settings.default_directory())) as found:
        held = found.judging.held("invalidate")
    columns = ("number", "where", "quantity", "what", "since", "until", "made", "actor", "withdrawn")
    rows = [row._asdict() for row in held]
    print_json(rows) if json else print_rows(columns, ([row[name] for name in columns] for row in rows))


@app.command()
def revalidate(number: Annotated[int, typer.Argument(help="Number of the invalidation.")], data: Data = None) -> None:
    """Take an invalidation back."""
    from device_manager import fleet, measurements, settings

    with measurements.open_measurements(settings.load(data or settings.default_directory())) as found:
        found.judging.withdraw(number, "invalidate", int(time.time() * 1000), scope=fleet.local())
    say(f"invalidation {number} holds no more")


@app.command()
def export(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; else standard output.")] = None,
    form: Annotated[Format | None, typer.Option("--format", help="Else by the file's ending, else csv.")] = None,
    grain: series.Grain = "raw",
    node: Node = None,
    site: Site = None,
    quantity: Quantity = None,
    since: Since = None,
    until: Until = None,
    data: Data = None,
) -> None:
    """Write readings or roll-ups as CSV, JSON lines or Parquet."""
    from device_manager import fleet as services
    from device_manager import settings

    chosen = _format(form, output)
    if grain != "raw":
        _export_grain(settings.load(data or settings.default_directory()), output, chosen, grain,
                      (node, site, quantity, since, until))  # fmt: skip
        return
    selection = _selection(node, site, quantity, since, until)
    with services.open_fleet(settings.load(data or settings.default_directory())) as fleet:
        if output is None:
            fleet.readings.export(selection, chosen, sys.stdout.buffer if chosen == "parquet" else sys.stdout)
            return
        count = fleet.readings.export_file(selection, chosen, output)
    say(f"wrote {count} readings to {output}")


def _export_grain(
    settings: "Settings", output: Path | None, form: str, grain: str, chosen: tuple[str | None, ...]
) -> None:
    """Write corrected readings or roll-ups, site after site."""
    from device_manager import export_grain, measurements

    node, site, quantity, since, until = chosen
    if node is not None:
        raise UsageError(expected="a site, which corrected values belong to", got="--node", todo="use --site")
    window = series.window(since or "1970-01-01T00:00Z", until)
    with measurements.open_measurements(settings) as found:
        rows = export_grain.rows(found.charting, found.registry, site, quantity, grain, *window)
        if output is None:
            export_grain.write(rows, form, sys.stdout.buffer if form == "parquet" else sys.stdout)
            return
        count = export_grain.write_file(rows, form, output)
    say(f"wrote {count} {'readings' if grain == 'corrected' else 'rows'} to {output}")


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
