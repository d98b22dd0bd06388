"""`citynode demo`: a whole fleet on this machine, to look at."""

import logging
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from device_manager.cli.output import Json, print_json, print_rows, say, table

if TYPE_CHECKING:
    from device_manager.demo.service import Demo, Plan, Row

STATUS_EVERY_S = 10.0
_REDRAW_S = 1.0
_SHOWN = (
    ("pm2_5", "PM2.5\nµg/m³"),
    ("temperature", "T\n°C"),
    ("relative_humidity", "RH\n%"),
    ("laeq", "LAeq\ndB"),
    ("footfall_in", "in"),
    ("footfall_out", "out"),
)
_COLUMNS = ("site", "node", "state", *(title for _, title in _SHOWN), "buffered", "lost", "frames", "B/value")
_ONLY_WIDE = ("node", "state", "frames")
_WIDE = 116  # terminal columns that all of them need


def demo(
    nodes: Annotated[int, typer.Option(min=1, help="Number of virtual nodes.")] = 12,
    seconds: Annotated[float | None, typer.Option(min=0, help="End after that time; else Ctrl-C ends.")] = None,
    keep: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep the data in DIR, for other commands.")] = None,
    record_seconds: Annotated[int, typer.Option(min=1, max=3600, help="Seconds that one record covers.")] = 2,
    frame_seconds: Annotated[int, typer.Option(min=1, max=86400, help="Seconds after which a frame is sent.")] = 10,
    micropython: Annotated[Path | None, typer.Option(help="MicroPython's unix port, at least 1.25.")] = None,
    broker: Annotated[str | None, typer.Option(help="Use mosquitto or iotcore; else the one installed.")] = None,
    writable: Annotated[
        bool, typer.Option("--writable", help="Let everybody here change things in the dashboard.")
    ] = False,
    json: Json = False,
) -> None:
    """Run a whole fleet on this machine and show its readings.

    A manager and virtual nodes: the firmware itself on real MicroPython. Nothing is left behind.
    """
    from device_manager import app as services
    from device_manager.demo import service
    from device_manager.settings import Timing

    timing = Timing(record_s=record_seconds, frame_s=frame_seconds)
    plan = service.Plan(nodes, timing, keep, micropython, broker, writable)
    logging.basicConfig(format="%(message)s", level=logging.ERROR if json else logging.WARNING)
    progress = (lambda _: None) if json else say
    with services.ended_by_signals() as ended, service.running(plan, progress) as running:
        screen = _Quiet() if json else _Screen(plan) if sys.stdout.isatty() else _Lines(plan)
        with screen:
            rows = _watch(running, ended, seconds, screen)
    _finish(rows, keep, json)


def _watch(running: "Demo", ended: Any, seconds: float | None, screen: Any) -> "list[Row]":
    started_s = time.monotonic()
    while True:
        rows, passed_s = running.rows(), time.monotonic() - started_s
        screen.show(rows, passed_s)
        left_s = _REDRAW_S if seconds is None else min(_REDRAW_S, seconds - passed_s)
        if left_s <= 0 or ended.wait(left_s):
            return running.rows()
        running.tend()


def _finish(rows: "list[Row]", keep: Path | None, json: bool) -> None:
    if json:
        print_json([_as_json(row) for row in rows])
    elif not sys.stdout.isatty():
        print_rows([name.replace("\n", " ") for name in _COLUMNS], map(_cells, rows))
    if json:
        return
    say("ended; no process is left")
    if keep is not None:
        say(f"the data is in {keep}; look at it with `citynode node list --data {keep}`")


class _Quiet(nullcontext):  # type: ignore[type-arg]
    """Shows nothing."""

    def show(self, rows: "list[Row]", passed_s: float) -> None:
        return


class _Lines:
    """Plain lines where there is no terminal: each node's first report, and a sum now and then."""

    def __init__(self, plan: "Plan") -> None:
        self._note = note(plan)
        self._seen: set[str] = set()
        self._next_s = STATUS_EVERY_S

    def __enter__(self) -> "_Lines":
        say(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, rows: "list[Row]", passed_s: float) -> None:
        for row in rows:
            if row.frames and row.node not in self._seen:
                self._seen.add(row.node)
                say(f"{passed_s:5.1f} s  {row.node} at {row.site} reports")
        if passed_s >= self._next_s:
            self._next_s += STATUS_EVERY_S
            say(f"{passed_s:5.1f} s  {headline(rows)}")


class _Screen:
    """A table that is drawn again in place."""

    def __init__(self, plan: "Plan") -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.logging import RichHandler

        console = Console(highlight=False)
        self._note = note(plan)
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="visible")
        logging.getLogger().handlers[:] = [RichHandler(console=console, show_path=False)]

    def __enter__(self) -> "_Screen":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, rows: "list[Row]", passed_s: float) -> None:
        from rich.console import Group
        from rich.text import Text

        lines = (Text(f"{headline(rows)} · {passed_s:.0f} s · Ctrl-C"), Text(self._note, style="dim"))
        wide = self._live.console.width >= _WIDE
        shown = [index for index, name in enumerate(_COLUMNS) if wide or name not in _ONLY_WIDE]
        cells = ([row[index] for index in shown] for row in map(_cells, rows))
        self._live.update(Group(table([_COLUMNS[index] for index in shown], cells), *lines), refresh=True)


def note(plan: "Plan") -> str:
    """Return what is not as in the field."""
    record_s, frame_s = plan.timing.record_s, plan.timing.frame_s
    return f"records of {record_s} s and frames of {frame_s} s here; nodes in the field take 60 s and 300 s"


def headline(rows: "list[Row]") -> str:
    """Return the state of the fleet in one line."""
    online = sum(1 for row in rows if row.state == "online")
    reporting = sum(1 for row in rows if row.frames)
    frames = sum(row.frames for row in rows)
    ratios = [row.bytes_per_value for row in rows if row.bytes_per_value is not None]
    ratio = f" · {sum(ratios) / len(ratios):.2f} bytes a value" if ratios else ""
    return f"{len(rows)} nodes, {online} online, {reporting} report · {frames} frames{ratio}"


def _cells(row: "Row") -> list[Any]:
    from device_manager.overview import number

    shown = [number(row.values[name]) if name in row.values else None for name, _ in _SHOWN]
    ratio = None if row.bytes_per_value is None else f"{row.bytes_per_value:.2f}"
    return [row.site, row.node, row.state, *shown, row.buffered, row.lost, row.frames, ratio]


def _as_json(row: "Row") -> dict[str, Any]:
    from device_manager.overview import number

    values = {name: {"value": number(last), "unit": last.unit} for name, last in row.values.items()}
    return {**row._asdict(), "values": values}
