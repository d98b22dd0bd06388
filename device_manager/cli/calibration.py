"""`citynode calibration`: how readings are corrected; raw ones stay as they came."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from device_manager.cli.output import Data, Json, print_json, print_rows, say
from device_manager.cli.series import QuantityName, SiteName, window
from device_manager.errors import UsageError

if TYPE_CHECKING:
    from device_manager.charting import Charting
    from device_manager.series.colocation import Side

app = typer.Typer(help="Calibrations: how readings are corrected.", no_args_is_help=True, rich_markup_mode=None)
Since = Annotated[str, typer.Option(help="Readings from then on: 7d ago, or a time like 2026-03-01T12:00Z.")]
Until = Annotated[str | None, typer.Option(help="Readings before then; else without end.")]
_SHOWN = ("number", "where", "quantity", "what", "since", "until", "made", "actor", "withdrawn")
_REPORT = ("model", "n", "slope", "intercept", "r2", "rmse_before", "rmse_after", "rmse_unseen", "bias_before",
           "bias_after", "sensor_low", "sensor_high", "offset", "gain", "points")  # fmt: skip


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List all calibrations, those that were taken back too."""
    from device_manager import measurements, settings

    with measurements.open_measurements(settings.load(data or settings.default_directory())) as found:
        held = found.judging.held("calibrate")
    if json:
        print_json([row._asdict() for row in held])
        return
    print_rows(_SHOWN, ([getattr(row, name) for name in _SHOWN] for row in held))


@app.command()
def show(
    number: Annotated[int, typer.Argument(help="Number of the calibration.")], data: Data = None, json: Json = False
) -> None:
    """Show one calibration that holds, with the report of its fit."""
    from device_manager import measurements, settings

    with measurements.open_measurements(settings.load(data or settings.default_directory())) as found:
        held = found.judging.state().calibrations.get(number)
    if held is None:
        raise UsageError(expected="a calibration that holds", got=str(number), todo="see `citynode calibration list`")
    rows = {"offset": held.offset, "gain": held.gain, "points": held.points, **held.report}
    print_json(rows) if json else print_rows(("field", "value"), rows.items())


@app.command()
def add(
    quantity: QuantityName,
    since: Since,
    until: Until = None,
    site: Annotated[str | None, typer.Option(help="The site whose readings it corrects, whichever node.")] = None,
    node: Annotated[str | None, typer.Option(help="The node, with --sensor.")] = None,
    sensor: Annotated[str | None, typer.Option(help="The node's sensor, for example air.")] = None,
    offset: Annotated[float, typer.Option(help="Added after the gain.")] = 0.0,
    gain: Annotated[float, typer.Option(help="Raw values are multiplied by it.")] = 1.0,
    points: Annotated[
        Path | None, typer.Option(help="CSV file with the columns raw,true: a curve instead of offset and gain.")
    ] = None,
    data: Data = None,
) -> None:
    """Let a calibration hold: corrected = offset + gain * raw, or a curve through points."""
    from device_manager import fleet, measurements, settings
    from device_manager.cli.data import moment
    from device_manager.series.calibration import Calibration

    now_s = time.time()
    since_s, until_s = moment(since, now_s), moment(until, now_s) if until else None
    curve = _points(points) if points else ()
    with measurements.open_measurements(settings.load(data or settings.default_directory())) as found:
        target = found.judging.target(quantity, site, node, sensor)
        made = Calibration(0, target, since_s, until_s, offset, gain, curve)
        number = found.judging.calibrate(made, int(now_s * 1000), scope=fleet.local())
    print(f"calibration {number} holds")


@app.command()
def fit(
    site: SiteName,
    quantity: QuantityName,
    since: Since = "14d",
    until: Until = None,
    reference_site: Annotated[str | None, typer.Option(help="Site that measures the same and is right.")] = None,
    reference_file: Annotated[
        Path | None, typer.Option(help="CSV file with the columns time,value: ISO 8601 (UTC without zone), begin.")
    ] = None,
    model: Annotated[str, typer.Option(help="One of offset, gain, line, curve.")] = "line",
    average_min: Annotated[int, typer.Option(min=1, help="Minutes that both sides are averaged over.")] = 60,
    plot: Annotated[Path | None, typer.Option(help="Picture to write, .png or .svg.")] = None,
    save: Annotated[bool, typer.Option("--save", help="Let it hold for the site, from --valid-from on.")] = False,
    valid_from: Annotated[str | None, typer.Option(help="Begin of validity; else --since.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Fit a calibration to a co-location: report, picture, and with --save the calibration itself."""
    from device_manager import fleet, measurements, settings
    from device_manager.cli.data import moment
    from device_manager.series import colocation

    since_s, until_s = window(since, until)
    with measurements.open_measurements(settings.load(data or settings.default_directory())) as found:
        sensor, unit = _side(found.charting, site, quantity, since_s, until_s)
        if (reference_site is None) == (reference_file is None):
            todo = "give --reference-site or --reference-file"
            raise UsageError(expected="one reference", got="none or two", todo=todo)
        reference = _read(reference_file) if reference_file else _side(
            found.charting, str(reference_site), quantity, since_s, until_s)[0]  # fmt: skip
        pairs = colocation.pair(sensor, reference, 60 * average_min)
        made = colocation.fit(pairs, model)
        if plot:
            from device_manager import plots

            plots.colocation_to_file(pairs, made, f"{quantity} at {site}", unit, plot)
        number = None
        if save:
            begin_s = moment(valid_from, time.time()) if valid_from else since_s
            target = found.judging.target(quantity, site, None, None)
            calibration = made.calibration(target, begin_s, None)
            number = found.judging.calibrate(calibration, int(time.time() * 1000), scope=fleet.local())
    report: dict[str, Any] = {**{name: getattr(made, name) for name in _REPORT}, "calibration": number}
    print_json(report) if json else print_rows(("field", "value"), _readable(report))


@app.command()
def withdraw(number: Annotated[int, typer.Argument(help="Number of the calibration.")], data: Data = None) -> None:
    """Take a calibration back: readings are what they were without it."""
    from device_manager import fleet, measurements, settings

    with measurements.open_measurements(settings.load(data or settings.default_directory())) as found:
        found.judging.withdraw(number, "calibrate", int(time.time() * 1000), scope=fleet.local())
    say(f"calibration {number} holds no more")


def _side(charting: "Charting", site: str, quantity: str, since_s: int, until_s: int) -> "tuple[Side, str]":
    """Return a site's usable raw readings (its first channel) and their unit."""
    from device_manager.cli.series import none_found
    from device_manager.series.colocation import Side

    found = charting.series(site, quantity, "raw", since_s, until_s)
    if not found:
        raise none_found(site, quantity, "raw")
    return Side(found[0].start_s, found[0].usable()), found[0].unit


def _read(path: Path) -> "Side":
    """Read a reference from a file; UsageError names the line that cannot be read."""
    import csv
    from datetime import UTC, datetime

    import numpy as np

    from device_manager.series.colocation import Side

    times, values = [], []
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                when = datetime.fromisoformat(row["time"])
                times.append(int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()))
                values.append(float(row["value"]) if row["value"].strip() else float("nan"))
            except (KeyError, ValueError, TypeError, AttributeError):
                todo = "the file needs a header time,value, times like 2026-03-01T12:00Z and plain numbers"
                raise UsageError(
                    expected=f"time and value in line {number} of {path}", got=str(row), todo=todo
                ) from None
    return Side(np.array(times, dtype=np.int64), np.array(values, dtype=np.float64))


def _points(path: Path) -> tuple[tuple[float, float], ...]:
    import csv

    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        return tuple((float(row["raw"]), float(row["true"])) for row in rows)
    except (KeyError, ValueError, TypeError):
        todo = "the file needs a header raw,true and plain numbers"
        raise UsageError(expected=f"points in {path}", got=str(rows[:1]), todo=todo) from None


def _readable(report: dict[str, Any]) -> list[tuple[str, str]]:
    texts = {name: f"{value:.5g}" if isinstance(value, float) else value for name, value in report.items()}
    if texts["points"]:
        texts["points"] = ", ".join(f"{x:.4g} -> {y:.4g}" for x, y in report["points"])
    return [(name, str(value)) for name, value in texts.items() if value not in (None, ())]
