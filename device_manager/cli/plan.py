"""`citynode plan`: what applying files would change."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from device_manager.cli.output import Data, Json, print_json, say

if TYPE_CHECKING:
    from device_manager.registry.planning import Plan


def plan(
    path: Annotated[Path, typer.Argument(help="Directory of TOML or CSV files, or one CSV file.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Show what applying such files would change.

    Nothing is changed. Exit code 2, with file, line and column, for a file that cannot be.
    """
    from device_manager import exchange, settings
    from device_manager.fleet import open_fleet

    with open_fleet(settings.load(data or settings.default_directory())) as fleet:
        made = exchange.planned(fleet, path)
    if json:
        print_json({"changes": made.lines, "kept": made.kept})
        return
    show(made)


def show(made: "Plan") -> None:
    """Print the lines of a plan, and what is in no file."""
    for line in made.lines:
        print(line)
    if made.kept:
        say(f"in no file, stays as it is: {', '.join(made.kept)}")
    say(f"{len(made.lines)} changes" if made.lines else "nothing to change")
