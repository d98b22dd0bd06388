"""`citynode quality`: how good each channel's readings are, and why."""

import time
from typing import Annotated

import typer

from device_manager.cli.output import Data, Json, print_json, print_rows, say


def quality(
    days: Annotated[float, typer.Option(min=0.1, max=366, help="Over so many days until now.")] = 1.0,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show how good each channel's readings are, and why.

    100 is nothing against them; what `quality` finds and what the node itself flags costs points. The worst come first.
    """
    from device_manager import prospects, settings

    rows = prospects.scores(settings.load(data or settings.default_directory()), time.time(), days)
    if json:
        print_json([row._asdict() for row in rows])
        return
    if not rows:
        say(f"nothing was measured within {days:g} d")
        return
    print_rows(("node", "channel", "points", "why"), [(*row[:3], "; ".join(row.reasons) or None) for row in rows])
