"""`citynode watch`: the fleet in the terminal, live."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from device_manager.cli.output import Data, age

if TYPE_CHECKING:
    from device_manager.monitoring import Alert
    from device_manager.overview import Summary

_STYLES = {"online": "green", "quiet": "green", "buffering": "yellow", "late": "red", "lost": "bold red"}
_SEVERITIES = {"info": "cyan", "warning": "yellow", "critical": "bold red"}
_WORST = ("lost", "late", "buffering", "never seen", "quiet", "online")


def watch(
    every: Annotated[float, typer.Option(min=0.5, max=60, help="Seconds from one look to the next.")] = 2.0,
    looks: Annotated[int | None, typer.Option(min=1, help="End after so many looks; else Ctrl-C ends.")] = None,
    data: Data = None,
) -> None:
    """Watch the fleet in the terminal, live.

    Open alerts, then nodes with the worst first, as many as fit. Ctrl-C ends it.
    """
    from rich.console import Console
    from rich.live import Live

    from device_manager import fleet as services
    from device_manager import settings
    from device_manager.alerting import open_alerts
    from device_manager.overview import summarise

    found = settings.load(data or settings.default_directory())
    console = Console()
    live = Live(console=console, screen=looks is None, auto_refresh=False)
    with services.open_fleet(found) as fleet, open_alerts(found) as alerts, live:
        while looks is None or looks > 0:
            now_ms = int(time.time() * 1000)
            rows = [summarise(view, now_ms) for view in fleet.registry.nodes()]
            live.update(_page(found.name, rows, alerts.alerts(), console.height, now_ms), refresh=True)
            looks = None if looks is None else looks - 1
            if looks != 0:
                time.sleep(every)


def _page(name: str, rows: list["Summary"], alerts: list["Alert"], height: int, now_ms: int) -> Any:
    """Return what the screen shows: a line of counts, alerts, nodes."""
    from collections import Counter

    from rich.console import Group
    from rich.text import Text

    counts = Counter(row.state for row in rows)
    head = Text(f"{name}   {time.strftime('%H:%M:%S', time.localtime(now_ms / 1000))}   {len(rows)} nodes   ")
    for state in reversed(_WORST):
        if counts[state]:
            head.append(f"{counts[state]} {state}   ", _STYLES.get(state, ""))
    head.append(f"{len(alerts)} alerts", "bold red" if alerts else "green")
    shown = alerts[: max(1, height // 3)]
    room = max(3, height - len(shown) - 10)  # the head, two tables with a head and a rule each, what is left out
    return Group(head, _alerts(shown, now_ms), _nodes(rows, room))


def _alerts(alerts: list["Alert"], now_ms: int) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    for column, share in (("alert", None), ("since", None), ("what", 3), ("next step", 2)):
        made.add_column(column, overflow="ellipsis", no_wrap=True, ratio=share)
    for alert in alerts:
        since = age(max(0, (now_ms - alert.since_ms) // 1000)) or ""
        style = "dim" if alert.silenced or alert.acknowledged_by else _SEVERITIES[alert.severity]
        made.add_row(str(alert.number), since, Text(alert.text, style), Text(alert.todo))
    return made


def _nodes(rows: list["Summary"], room: int) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    for column in ("node", "site", "state", "seen", "buffered", "lost", "why"):
        made.add_column(column, overflow="ellipsis", no_wrap=True, ratio=1 if column == "why" else None)
    ordered = sorted(rows, key=lambda row: (_WORST.index(row.state), row.node))
    for row in ordered[:room]:
        cells = (row.node, row.title or "-", age(row.age_s) or "-", str(row.buffered or 0), str(row.lost), row.reason)
        made.add_row(*map(Text, cells[:2]), Text(row.state, _STYLES.get(row.state, "")), *map(Text, cells[2:]))
    if len(rows) > room:
        made.add_row(f"and {len(rows) - room} more", *[""] * 6)
    return made
